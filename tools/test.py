"""Runs every test of the project and closes with the counts of all runners together.

Each step is a command; what it prints goes to the screen when it fails. A step without counts of
its own (the format check) counts as one test. Static analysis runs beside the steps after it, where
they leave a processor idle. The last line is `N passed, N failed, N skipped`.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = str(ROOT / ".venv" / "bin" / "python")
FUZZ_SECONDS = os.environ.get("HONE_FUZZ_SECONDS", "60")

STEPS = [
    ("layers", ["python3", "tools/check_layers.py"]),
    ("format", ["python3", "tools/check_format.py"]),
    ("error bounds", ["python3", "tools/check_bounds.py"]),
    ("build", ["make", "build"]),
    ("C tests", ["make", "test-c"]),
    ("static analysis", ["nice", "-n", "19", "python3", "tools/analyze.py"]),
    ("clang, warnings as errors", ["make", "clang"]),
    ("ASan and UBSan", ["make", "asan"]),
    ("TSan", ["make", "tsan"]),
    ("Python package", ["make", "python"]),
    ("Python tests", [PYTHON, "-m", "pytest", "-q", "-rs", "tests"]),
    ("fuzzing", ["make", "fuzz", f"SECONDS_EACH={FUZZ_SECONDS}"]),
]
BESIDE = {"static analysis"}

CTEST = re.compile(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)")
PYTEST = {word: re.compile(rf"(\d+) {word}\b") for word in ("passed", "failed", "error", "errors", "skipped")}


def pytest_count(text, word):
    lines = [line for line in text.splitlines() if re.search(r"\d+ (passed|failed|error|skipped)", line)]
    found = PYTEST[word].search(lines[-1]) if lines else None
    return int(found.group(1)) if found else 0


def counts(name, code, text):
    """(passed, failed, skipped) of one step."""
    ctest = CTEST.findall(text)
    if ctest:
        failed = sum(int(row[1]) for row in ctest)
        total = sum(int(row[2]) for row in ctest)
        skipped = text.count("***Skipped")
        return total - failed - skipped, max(failed, int(code != 0)), skipped
    if name == "Python tests":
        failed = pytest_count(text, "failed") + max(pytest_count(text, "error"), pytest_count(text, "errors"))
        return pytest_count(text, "passed"), max(failed, int(code not in (0, 5))), pytest_count(text, "skipped")
    return int(code == 0), int(code != 0), 0


class Step:
    """A command that has begun."""

    def __init__(self, name, command):
        self.name, self.start, self.said = name, time.monotonic(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.said,
                                        stderr=subprocess.STDOUT)

    def finish(self):
        """Waits, shows what is to be seen, and gives (passed, failed, skipped)."""
        print(f"== {self.name}", flush=True)
        code = self.process.wait()
        self.said.seek(0)
        text = self.said.read().decode(errors="replace")
        passed, failed, skipped = counts(self.name, code, text)
        if failed:
            print(text[-20000:])
        for line in text.splitlines():
            if line.startswith("SKIPPED"):
                print(line)
        seconds = time.monotonic() - self.start
        print(f"   {passed} passed, {failed} failed, {skipped} skipped in {seconds:.0f} s", flush=True)
        return passed, failed, skipped


def main():
    if shutil.which("ccache"):
        os.environ.setdefault("CMAKE_C_COMPILER_LAUNCHER", "ccache")
    only = set(sys.argv[1:])
    results, beside = [], []
    for name, command in STEPS:
        if not only or name in only:
            step = Step(name, command)
            if name in BESIDE:
                beside.append(step)
            else:
                results.append(step.finish())
    results += [step.finish() for step in beside]
    passed, failed, skipped = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
