"""What the operators' outputs are called in functions is what TensorFlow calls them."""
import pathlib
import re
import sys

from tensorflow.python.framework import op_def_registry

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import tensorflow_operators as operators

SOURCES = ROOT / "src/import/tensorflow"


def names():
    """operator to the names of its outputs, as the tables have them."""
    found = {name: ["output"] for _, table in operators.tables() for name in table}
    table = (SOURCES / "outputs.def").read_text()
    for name, texts in re.findall(r'^HONE_TF_OUTPUT\((\w+),\s*((?:"[^"]*"\s*)+)\)', table, re.M):
        found.update((operator, [name]) for operator in "".join(re.findall(r'"([^"]*)"', texts)).split())
    for path in SOURCES.glob("*.c"):
        for operator, outputs in re.findall(r'\{"(\w+)",[^}]*?\.outputs = "([^"]*)"', path.read_text()):
            found[operator] = outputs.split()
    return found


def test_outputs_are_called_what_tensorflow_calls_them():
    checked = 0
    for operator, outputs in names().items():
        known = op_def_registry.get(operator)
        if known:
            assert outputs == [argument.name for argument in known.output_arg], operator
            checked += 1
    assert checked > 200
