"""What the command's tests share: running it, and small models."""
import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("HONE_COMMAND", str(ROOT / "build" / "apps" / "hone" / "hone"))
QUICK = ["--measure", "false", "--quiet"]


def hone(*words, code=0, **more):
    """Runs the command, checks its exit code, gives what it printed."""
    done = subprocess.run([COMMAND, *map(str, words)], capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def hone_json(*words, code=0):
    return json.loads(hone(*words, "--json", code=code).stdout)


def save(path, nodes, inputs, outputs, weights=()):
    """Writes a model; `inputs` and `outputs` are {name: (shape, numpy type)}."""
    def port(name, shape, dtype=np.float32):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    graph = helper.make_graph(nodes, "g", [port(n, *s) for n, s in inputs.items()],
                              [port(n, *s) for n, s in outputs.items()],
                              [numpy_helper.from_array(w, n) for n, w in dict(weights).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path)
    return path


def net(path, change=None):
    """Three layers on [n, 3, 8, 8]; `change(weights)` may spoil them."""
    rng = np.random.default_rng(3)
    weights = {"w1": rng.standard_normal((8, 3, 3, 3)).astype(np.float32) * 0.3,
               "w2": rng.standard_normal((8, 8, 1, 1)).astype(np.float32) * 0.3,
               "w3": rng.standard_normal((8, 4)).astype(np.float32)}
    if change:
        change(weights)
    node = helper.make_node
    nodes = [node("Conv", ["x", "w1"], ["c1"], name="first", pads=[1, 1, 1, 1]),
             node("Relu", ["c1"], ["r1"], name="first_relu"),
             node("Conv", ["r1", "w2"], ["c2"], name="second"),
             node("Sigmoid", ["c2"], ["s2"], name="second_act"),
             node("GlobalAveragePool", ["s2"], ["p"], name="pool"),
             node("Flatten", ["p"], ["f"], name="flat"),
             node("MatMul", ["f", "w3"], ["m"], name="dense"),
             node("Softmax", ["m"], ["y"], name="answer")]
    return save(path, nodes, {"x": (["n", 3, 8, 8],)}, {"y": (["n", 4],)}, weights)


def identity(path, inputs):
    """Every input comes out again, as "out_" and its name."""
    nodes = [helper.make_node("Identity", [name], ["out_" + name]) for name in inputs]
    return save(path, nodes, inputs, {"out_" + name: spec for name, spec in inputs.items()})


def outputs(path):
    """{name: values} of an --export-output file."""
    rows = json.loads(pathlib.Path(path).read_text())
    return {row["name"]: np.array(row["values"], float).reshape([int(d) for d in row["dimensions"].split("x") if d])
            for row in rows}
