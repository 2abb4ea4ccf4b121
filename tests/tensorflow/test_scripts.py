"""Scripts as tutorials of TF-TRT have them: each runs with its one import of TF-TRT changed, the quick ones unchanged
after hone.tensorflow.install()."""
from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import numerics
import pytest

tf = pytest.importorskip("tensorflow")

FOLDER = pathlib.Path(__file__).parent / "scripts"
BOUND = {"FP32": numerics.bound("model", "fp32"), "FP16": numerics.bound("TensorFlow segment", "bf16")}
VERSION = tuple(int(part) for part in tf.__version__.split(".")[:2])

# Script: the import that is changed, the same of Hone's, the TensorFlows that it is for, from and before.
USUAL = ("from tensorflow.python.compiler.tensorrt import trt_convert as trt",
         "from hone.tensorflow import trt_convert as trt")
CONTRIB = ("import tensorflow.contrib.tensorrt as trt", "import hone.tensorflow.contrib as trt")
SCRIPTS = {"resnet50.py": (USUAL, (2, 4), (9, 0)), "detection.py": (USUAL, (2, 4), (9, 0)),
           "bert_classifier.py": (USUAL, (2, 4), (9, 0)), "frozen_graph.py": (USUAL, (1, 15), (9, 0)),
           "contrib.py": (CONTRIB, (1, 15), (2, 0))}

INSTALLED = """
import runpy, sys
import hone.tensorflow
hone.tensorflow.install()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


WAYS = [(name, "import changed") for name in sorted(SCRIPTS)] + [
    (name, "installed") for name in ("contrib.py", "detection.py", "frozen_graph.py")]


@pytest.mark.parametrize("name, way", WAYS)
def test_script(name, way, tmp_path):
    (theirs, ours), first, end = SCRIPTS[name]
    if not first <= VERSION < end:
        pytest.skip("a script for TensorFlow from %d.%d to %d.%d" % (first + end))
    path = FOLDER / name
    if way == "import changed":
        text = path.read_text()
        assert text.count(theirs) == 1
        path = tmp_path / name
        path.write_text(text.replace(theirs, ours))
    command = [str(path)] if way == "import changed" else ["-c", INSTALLED, str(path)]
    done = subprocess.run([sys.executable, *command, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0, done.stderr[-3000:]
    results = re.findall(r"^RESULT (\w+) engines=(\d+) error=(\S+)$", done.stdout, re.M)
    assert [precision for precision, _, _ in results] == ["FP32", "FP16"]
    for precision, engines, error in results:
        assert int(engines) >= 1 and float(error) <= BOUND[precision], done.stdout
