"""Call a function over many items in forked workers, so that a crash or a hang costs one item."""
import faulthandler
import json
import os
import select
import signal


def run_isolated(function, items, batch=200, seconds=60.0):
    """[(result, None) or (None, how it crashed)] of function(item), in order; results travel as JSON.
    `seconds` limits one item."""
    results = []
    while len(results) < len(items):
        results += _run_batch(function, items[len(results):len(results) + batch], seconds)
    return results


def _child(function, items, pipe):
    """One line of JSON an item; never returns."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    faulthandler.disable()
    status = 1
    try:
        with os.fdopen(pipe, "w", buffering=1) as out:
            for item in items:
                out.write(json.dumps(function(item)) + "\n")
        status = 0
    finally:
        os._exit(status)


def _lines(pipe, seconds):
    """Lines of a pipe as they come; ends with the pipe, or with None after `seconds` without one."""
    rest = b""
    while True:
        if not select.select([pipe], [], [], seconds)[0]:
            yield None
            return
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _run_batch(function, items, seconds):
    """Results of a batch up to and with the first item that crashed."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        _child(function, items, write_end)
    os.close(write_end)
    results, stuck = [], False
    for line in _lines(read_end, seconds):
        if line is None:
            stuck = True
            os.kill(child, signal.SIGKILL)
            break
        results.append((json.loads(line), None))
    os.close(read_end)
    status = os.waitpid(child, 0)[1]
    if len(results) < len(items):
        how = f"no answer in {seconds:g} s" if stuck else \
            signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else \
            f"exit {os.waitstatus_to_exitcode(status)}"
        results.append((None, how))
    return results
