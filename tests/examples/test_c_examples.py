"""The C examples run, and their answers are those of ONNX Runtime and NumPy."""
import os
import pathlib
import subprocess

import numerics
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get("HONE_BUILD", "build") / "examples" / "c"


def run(name, *arguments, **options):
    program = FOLDER / name
    if not program.exists():
        pytest.skip(f"{program} is not built")
    return subprocess.run([program, *map(str, arguments)], check=True, text=True,
                          capture_output=True, timeout=120, **options).stdout


class Numbers:
    """The generator of the examples: numbers between -1 and 1."""

    def __init__(self, seed):
        self.state = seed

    def take(self, *dims, scale=1.0):
        values = np.empty(int(np.prod(dims)), np.float32)
        for i in range(values.size):
            self.state = (self.state * 1664525 + 1013904223) % 2**32
            signed = self.state - 2**32 if self.state >= 2**31 else self.state
            values[i] = np.float32(np.float32(signed) / np.float32(2147483648.0)) * np.float32(scale)
        return values.reshape(dims)


def lenet(numbers):
    """The net of build_network.c as an ONNX model, and a picture for it."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []

    def constant(name, array):
        weights.append(numpy_helper.from_array(array, name))
        return name

    def layer(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    x = "picture"
    for name, outputs, inputs, pad in (("conv1", 6, 1, 2), ("conv2", 16, 6, 0)):
        w = constant(name + ".w", numbers.take(outputs, inputs, 5, 5, scale=0.3))
        b = constant(name + ".b", numbers.take(outputs, scale=0.1))
        x = layer("Conv", [x, w, b], name, pads=[pad] * 4)
        x = layer("MaxPool", [layer("Relu", [x], name + "r")], name + "p",
                  kernel_shape=[2, 2], strides=[2, 2])
    x = layer("Flatten", [x], "flat")
    for name, outputs, inputs in (("fc1", 120, 400), ("fc2", 84, 120), ("fc3", 10, 84)):
        w = constant(name + ".w", numbers.take(outputs, inputs, scale=0.1))
        b = constant(name + ".b", numbers.take(outputs, scale=0.1))
        x = layer("Gemm", [x, w, b], name, transB=1)
        if name != "fc3":
            x = layer("Relu", [x], name + "r")
    layer("Softmax", [x], "probabilities", axis=1)
    graph = helper.make_graph(
        nodes, "lenet",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 1, 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString(), numbers.take(1, 1, 28, 28)


def printed_numbers(text):
    return np.array([float(line.split()[-1]) for line in text.splitlines()])


def test_a_network_built_call_by_call(tmp_path):
    ort = pytest.importorskip("onnxruntime")
    engine = tmp_path / "lenet.hone"
    answers = printed_numbers(run("build_network", engine))
    model, picture = lenet(Numbers(5))
    wanted = ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(
        None, {"picture": picture})[0][0]
    assert answers.shape == (10,) and np.abs(answers - wanted).max() < numerics.bound("model", "fp32")
    assert engine.stat().st_size > 40000


def test_a_model_from_a_file(tmp_path):
    model, _ = lenet(Numbers(5))
    path = tmp_path / "lenet.onnx"
    path.write_bytes(model)
    assert run("run_model", path, tmp_path / "lenet.hone") == "probabilities: f32[1, 10]\n"


def power_norm(x, power=0.5):
    y = np.sign(x) * np.abs(x) ** power
    return y / np.sqrt((y * y).sum(-1, keepdims=True))


def test_an_operator_of_our_own(tmp_path):
    text = run("own_op", tmp_path / "own.hone")
    answers = np.array([[float(number) for number in line.split()] for line in text.splitlines()])
    wanted = power_norm(np.maximum([[1, 4, 9, -16], [16, 0, 9, 0]], 0).astype(np.float64))
    assert np.abs(answers - wanted).max() < numerics.bound("model", "fp32")


def hone_command(*arguments):
    program = FOLDER.parents[1] / "apps" / "hone" / "hone"
    return subprocess.run([program, *map(str, arguments)], text=True, capture_output=True,
                          timeout=120)


def test_the_operator_as_a_plugin_of_the_command(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    x = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
    model, engine = tmp_path / "own.onnx", tmp_path / "own.hone"
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    node = helper.make_node("PowerNorm", ["x"], ["y"], domain="com.example", power=0.25)
    onnx.save(helper.make_model(
        helper.make_graph([node], "own", ports[:1], ports[1:]), ir_version=8,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]), model)
    np.save(tmp_path / "x.npy", x)

    refused = hone_command("build", model, "-o", engine)
    assert refused.returncode == 3 and "'PowerNorm' of domain com.example" in refused.stderr
    plugin = next(FOLDER.glob("libpower_norm.*"))
    built = hone_command("build", model, "-o", engine, "--plugins", plugin, "--plugins", plugin)
    assert built.returncode == 0, built.stderr
    refused = hone_command("run", engine)
    assert refused.returncode == 3 and "op 'com.example/PowerNorm'" in refused.stderr
    ran = hone_command("run", engine, f"--plugins={plugin}", "--input", f"x:{tmp_path}/x.npy",
                       "-o", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert np.abs(np.load(tmp_path / "y.npy") - power_norm(x, 0.25)).max() < numerics.bound("model", "fp32")


def scaled_model(path, factor):
    """y = relu(x w) v, its weights times `factor`."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    w = np.arange(12, dtype=np.float32).reshape(4, 3) * np.float32(factor / 7)
    v = np.array([[1, -1], [2, 0.5], [0.25, 3]], np.float32) * np.float32(factor)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("MatMul", ["b", "v"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(v, "v")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              path)
    return w, v


def test_weights_replaced_by_the_command(tmp_path):
    pytest.importorskip("onnx")
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "x.npy", x)
    scaled_model(tmp_path / "old.onnx", 1)
    w, v = scaled_model(tmp_path / "new.onnx", 3)
    np.savez(tmp_path / "new.npz", w=w, v=v)
    np.save(tmp_path / "w.npy", w)

    def command(*arguments):
        done = hone_command(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answer(engine):
        command("run", engine, "--input", f"x:{tmp_path}/x.npy", "-o", tmp_path)
        return np.load(tmp_path / "y.npy")

    old, new = tmp_path / "old.hone", tmp_path / "new.hone"
    command("build", tmp_path / "old.onnx", "-o", old, "--refit")
    assert command("refit", old) == "w: f32[4, 3]\nv: f32[3, 2]\n"
    command("refit", old, "--weights", tmp_path / "new.npz", "-o", new)
    wanted = np.maximum(x @ w, 0) @ v
    from_arrays = answer(new)
    assert numerics.model_error(from_arrays, wanted) < numerics.bound("model", "fp32")
    command("refit", old, tmp_path / "new.onnx", "-o", new)
    assert np.array_equal(answer(new), from_arrays)
    command("refit", new, tmp_path / "old.onnx", "--weights", f"w:{tmp_path}/w.npy", "-o", new)
    assert numerics.model_error(answer(new), wanted / 3) < numerics.bound("model", "fp32")
    command("build", tmp_path / "old.onnx", "-o", old)
    refused = hone_command("refit", old, "--weights", tmp_path / "new.npz", "-o", new)
    assert refused.returncode == 3 and "option refit" in refused.stderr
    command("refit", old, tmp_path / "new.onnx", "-o", new)
    assert np.array_equal(answer(new), from_arrays)


def test_new_weights():
    assert run("new_weights") == "3 4\n6 8\n"


PRELUDE = """
#include <stdio.h>
#include <string.h>
#include <hone/gpu.h>
#include <hone/hone.h>
#include <hone/network.h>
#include <hone/op.h>
#include <hone/refit.h>
void check(hone_status *status);
"""
VARIABLES = """
void piece(hone_model *model, hone_engine *engine, hone_engine *changed, hone_context *context,
           hone_options *options, hone_network *network, hone_tensor tensor,
           hone_tensor in, hone_tensor out, void *stream,
           hone_status *status, hone_value *x, hone_value *y, hone_value *w, hone_value *axis,
           hone_port port, hone_bytes file) {
  (void)model, (void)engine, (void)changed, (void)context, (void)options, (void)network;
  (void)tensor;
  (void)in, (void)out, (void)stream, (void)status, (void)x, (void)y, (void)w, (void)axis, (void)port, (void)file;
"""


def test_the_code_of_the_page_compiles(tmp_path):
    """Every piece of docs/c-api.md: functions as they are, statements inside a function."""
    page = (ROOT / "docs" / "c-api.md").read_text()
    pieces = [part.split("```")[0] for part in page.split("```c\n")[1:]]
    assert len(pieces) == 10
    for i, piece in enumerate(pieces):
        whole = piece.startswith(("static ", "void "))
        source = tmp_path / f"piece{i}.c"
        source.write_text(PRELUDE + (piece if whole else VARIABLES + piece + "}\n"))
        done = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                               f"-I{ROOT / 'include'}", source], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_an_installed_library_is_found_by_pkg_config(tmp_path):
    """As a user builds: install, pkg-config, cc."""
    subprocess.run(["cmake", "--install", FOLDER.parents[1], "--prefix", tmp_path / "usr"], check=True,
                   capture_output=True)
    folder = next((tmp_path / "usr").rglob("hone.pc")).parent
    environment = dict(os.environ, PKG_CONFIG_PATH=str(folder), LD_LIBRARY_PATH=str(folder.parent))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "hone"], check=True, text=True,
                           capture_output=True, env=environment).stdout.split()
    program = tmp_path / "new_weights"
    subprocess.run(["cc", "-std=c11", ROOT / "examples" / "c" / "new_weights.c", "-o", program, *flags],
                   check=True)
    done = subprocess.run([program], check=True, text=True, capture_output=True, env=environment)
    assert done.stdout == "3 4\n6 8\n"
