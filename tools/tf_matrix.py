"""Runs the core of the TensorFlow tests in 1.15, 2.4, 2.12 and the newest, and prints what came of it: conversion, what
a variable's changes leave as it is, and models that nobody converts.

Each version has an environment in .cache/tf-matrix/VERSION/venv: made from tests/tensorflow/requirements-VERSION.txt by
the Python that it needs, from the PATH or pyenv, or a link to one that is there. A version whose Python is not found is
skipped by name. The package is built here for each of the Pythons.
"""
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / ".cache" / "tf-matrix"
TESTS = [f"tests/tensorflow/{name}.py" for name in ("test_core", "test_held_weights", "test_auto")]

# TensorFlow -> the newest Python that it runs on here.
VERSIONS = {"1.15": "3.7", "2.4": "3.8", "2.12": "3.11"}


def works(python, imports):
    return subprocess.run([python, "-c", f"import {imports}"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def find_python(version):
    """An interpreter that can make environments; None."""
    named = shutil.which(f"python{version}")
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = ([named] if named else []) + sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"))
    return next((python for python in found if works(python, "venv, ensurepip")), None)


def environment(version):
    """The Python with that TensorFlow, made where it is not there; None where no Python can make it."""
    folder = HOME / version / "venv"
    python = folder / "bin" / "python"
    if works_if_there(python):
        return python
    maker = find_python(VERSIONS[version])
    if not maker:
        return None
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([maker, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r",
                    ROOT / "tests" / "tensorflow" / f"requirements-{version}.txt"], check=True)
    return python


def works_if_there(python):
    return python.exists() and works(python, "tensorflow, pytest")


def build(version, python):
    """The package for that Python; its folder."""
    site, tree = HOME / version / "site", HOME / "build"
    headers = subprocess.run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['include'])"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    for command in (["cmake", "-S", ROOT, "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DHONE_PYTHON=ON",
                     f"-DHONE_PYTHON_HEADERS={headers}"],
                    ["ninja", "-C", tree, "_hone", "hone_tensorflow"],
                    ["cmake", "--install", tree, "--component", "python", "--prefix", site]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(done.stdout[-4000:])
    shutil.copytree(ROOT / "python" / "hone", site / "hone", dirs_exist_ok=True)
    return site


def run(version, python):
    """A row of the table, and whether all is right."""
    start = time.monotonic()
    folders = os.pathsep.join([str(build(version, python)), str(ROOT / "tests")])
    done = subprocess.run([python, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider", *TESTS], cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": folders},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        print(done.stdout[-8000:])
    counts = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", done.stdout.splitlines()[-1] if done.stdout else "")
    exact = subprocess.run([python, "-W", "ignore", "-c", "import sys, tensorflow as tf; "
                            "print(tf.__version__, sys.version.split()[0])"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()
    return [*exact, ", ".join(counts) or "did not run", f"{time.monotonic() - start:.0f} s"], done.returncode == 0


def main():
    if shutil.which("ccache"):
        os.environ.setdefault("CMAKE_C_COMPILER_LAUNCHER", "ccache")
    rows, right = [], True
    for version in [*VERSIONS, "newest"]:
        print(f"== TensorFlow {version}", flush=True)
        python = ROOT / ".venv" / "bin" / "python" if version == "newest" else environment(version)
        if python is None:
            rows.append([version, VERSIONS[version], f"skipped: no Python {VERSIONS[version]} here", ""])
            continue
        row, passed = run(version, python)
        rows.append(row)
        right = right and passed
    for row in [["TensorFlow", "Python", "result", "time"], *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, (12, 9, 34, 6))).rstrip())
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
