"""Type hints: the package checks strictly, and the extension is what its stub says."""
import pathlib
import subprocess
import sys

import pytest

import hone

PACKAGE = pathlib.Path(hone.__file__).parent

USER = """
import hone
from typing import Any
engine: hone.Engine = hone.build("net.onnx", precision="bf16", threads=2, shapes={"x": (1, 3)}, build_seconds=3)
context: hone.Context = engine.context(memory_limit=1 << 30)
result: Any = context.run({"x": [1.0]}, outputs={"y": bytearray(4)})
names: list[str] = [port.name for port in engine.inputs]
tensor: hone.Tensor = engine.run({}, numpy=False)["y"]
shape: tuple[int, ...] = tensor.shape
"""


def check(module, *words):
    pytest.importorskip("mypy")
    done = subprocess.run([sys.executable, "-m", module, *map(str, words)], capture_output=True, text=True,
                          cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_strictly_typed(tmp_path):
    check("mypy", "--strict", "--ignore-missing-imports", "--cache-dir", tmp_path, "-p", "hone")


def test_a_users_program_checks(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    check("mypy", "--strict", "--cache-dir", tmp_path / "cache", tmp_path / "user.py")


def test_the_stub_says_what_the_extension_has():
    check("mypy.stubtest", "--concise", "hone._hone")


def test_it_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists() and (PACKAGE / "_hone.pyi").exists()
