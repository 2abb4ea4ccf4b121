"""Runs a command under limits and prints, as JSON, its exit code, what it said, its CPU seconds and its peak
memory. A program of its own, started without site packages: a child's peak begins with its parent's, so the
parent has to be small. meter.py SECONDS BYTES COMMAND…
"""
import json
import os
import resource
import sys
import tempfile


def main():
    seconds, memory, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.execv(command[0], command)
        _, status, usage = os.wait4(child, 0)
        said.seek(0)
        text = said.read().decode(errors="replace")
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "said": text,
                      "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}))


main()
