"""Type hints: the package checks strictly, and the extension is what its stub says."""
import os
import pathlib
import shutil
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the package alone: in site-packages mypy would look at all that is there."""
    folder = tmp_path_factory.mktemp("types")
    shutil.copytree(PACKAGE, folder / "hone", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def check(folder, module, *words):
    pytest.importorskip("mypy")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, cwd=folder,
                          env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_strictly_typed(folder):
    """Save hone.tensorflow, whose bases come from TensorFlow without types."""
    modules = [word for name in ("hone", "hone._arrays", "hone._errors", "hone._hone") for word in ("-m", name)]
    check(folder, "mypy", "--strict", "--ignore-missing-imports", *modules)


def test_a_users_program_checks(folder):
    (folder / "user.py").write_text(USER)
    check(folder, "mypy", "--strict", "user.py")


def test_the_stub_says_what_the_extension_has(folder):
    check(folder, "mypy.stubtest", "--concise", "hone._hone")


def test_it_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists() and (PACKAGE / "_hone.pyi").exists()
