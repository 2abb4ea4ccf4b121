"""One engine with one model in a process of its own, driven by `bench/models.py` through its pipes.

Started as `worker.py ENGINE MODEL INPUTS.npz THREADS PRECISION ISA`, ISA all or avx2; says {"ready": seconds,
"version": text} or {"error": text}, then obeys lines: `save PATH` writes the outputs, `time SECONDS` replies with the
seconds of each run, `memory -` with the most bytes that the process ever held. A process each keeps one
engine's spinning threads out of another's turn.
"""
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import numpy as np  # noqa: E402

import avx2  # noqa: E402
import engines  # noqa: E402

LEAST_RUNS = 3


def most_memory():
    """Bytes; not getrusage's, which begin with those of the process that started this one."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


def timed_runs(runner, feeds, seconds):
    """Seconds of each run; the first, that wakes threads and caches, is not among them."""
    runner.run(feeds)
    taken, end = [], time.perf_counter() + seconds
    while len(taken) < LEAST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        runner.run(feeds)
        taken.append(time.perf_counter() - start)
    return taken


def main():
    name, model, inputs, threads, precision, isa = sys.argv[1:7]

    def say(message):
        print(json.dumps(message), flush=True)

    with np.load(inputs) as file:
        feeds = dict(file)
    start = time.perf_counter()
    try:
        if isa == "avx2":
            avx2.limit(name)
        shapes = {port: array.shape for port, array in feeds.items()}
        runner = engines.open_engine(name, model, int(threads), tuned=True, shapes=shapes,
                                     precision=precision)
        runner.run(feeds)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises is reported for its row
        say({"error": f"{type(error).__name__}: {error}"})
        return
    say({"ready": time.perf_counter() - start, "version": engines.version(name)})
    for line in sys.stdin:
        order, value = line.split(maxsplit=1)
        if order == "save":
            np.savez(value.strip(), **runner.run(feeds))
            say({"saved": value.strip()})
        elif order == "memory":
            say({"bytes": most_memory()})
        else:
            say(timed_runs(runner, feeds, float(value)))


if __name__ == "__main__":
    main()
