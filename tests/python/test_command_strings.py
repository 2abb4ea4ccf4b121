"""Strings through the command: .npy of text and of bytes, text files, whole files; out again; compared."""
import json

import numpy as np
import pytest
from command import QUICK, hone, identity, save
from onnx import TensorProto, helper

WORDS = np.array([["one", "zwölf", ""], ["雪", "\U0001f600 smile", "a b"]])
STR = np.dtype(object)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return identity(tmp_path_factory.mktemp("strings") / "s.onnx", {"s": (["n", 3], STR)})


def run(model, tmp_path, file, code=0):
    done = hone("run", model, "--input", f"s:{file}", "-o", tmp_path / "out", "--export-output",
                tmp_path / "y.json", *QUICK, code=code)
    if code:
        return done.stderr
    loaded = np.load(tmp_path / "out" / "out_s.npy")
    row = json.loads((tmp_path / "y.json").read_text())[0]
    assert row["values"] == list(loaded.ravel()) and row["type"] == "str"
    return loaded


def test_npy_of_text(model, tmp_path):
    np.save(tmp_path / "s.npy", WORDS)
    assert np.array_equal(run(model, tmp_path, tmp_path / "s.npy"), WORDS)


def test_npy_of_bytes(model, tmp_path):
    np.save(tmp_path / "s.npy", np.char.encode(WORDS, "utf-8"))
    assert np.array_equal(run(model, tmp_path, tmp_path / "s.npy"), WORDS)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_lines_of_a_text_file(model, tmp_path, end):
    between = end or "\n"
    (tmp_path / "s.txt").write_bytes((between.join(["a", "", "zwölf", "d", "e", "f"]) + end).encode())
    assert run(model, tmp_path, tmp_path / "s.txt").tolist() == [["a", "", "zwölf"], ["d", "e", "f"]]


def test_wrong_number_of_lines(model, tmp_path):
    (tmp_path / "s.txt").write_text("a\nb\n")
    assert "lines" in run(model, tmp_path, tmp_path / "s.txt", code=1)


def test_a_whole_file(tmp_path):
    path = identity(tmp_path / "one.onnx", {"s": ([], STR)})
    (tmp_path / "s.bin").write_bytes(b"two\nlines")
    assert run(path, tmp_path, tmp_path / "s.bin").item() == "two\nlines"


def test_bytes_that_are_no_text_are_not_written(tmp_path):
    path = identity(tmp_path / "one.onnx", {"s": ([], STR)})
    (tmp_path / "s.bin").write_bytes(b"\xff\xfe")
    assert "UTF-8" in run(path, tmp_path, tmp_path / "s.bin", code=1)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_cut_file(model, tmp_path, cut):
    np.save(tmp_path / "s.npy", WORDS)
    whole = (tmp_path / "s.npy").read_bytes()
    (tmp_path / "s.npy").write_bytes(whole[:-cut])
    assert "cut" in run(model, tmp_path, tmp_path / "s.npy", code=1)


def test_without_a_file(model):
    assert "--input" in hone("run", model, *QUICK, code=1).stderr


def concatenation(path, second):
    node = helper.make_node("StringConcat", ["s", "c"], ["y"], name="join")
    length = helper.make_node("Equal", ["s", "c"], ["same"], name="same")
    constant = helper.make_node("Constant", [], ["c"],
                                value=helper.make_tensor("c", TensorProto.STRING, [1], [second.encode()]))
    return save(path, [constant, node, length], {"s": (["n", 3], STR)},
                {"y": (["n", 3], STR), "same": (["n", 3], np.dtype(bool))})


def test_compare(tmp_path):
    a, b = concatenation(tmp_path / "a.onnx", "!"), concatenation(tmp_path / "b.onnx", "?")
    np.save(tmp_path / "s.npy", WORDS)
    hone("build", a, "-o", tmp_path / "a.hone", *QUICK)
    words = ["--input", f"s:{tmp_path / 's.npy'}"]
    assert "the same within the bound" in hone("compare", tmp_path / "a.hone", a, *words).stdout
    assert "NOT the same" in hone("compare", tmp_path / "a.hone", b, *words, code=4).stdout


def test_compare_tells_its_progress(tmp_path):
    path = identity(tmp_path / "x.onnx", {"x": ([4], np.float32)})
    told = hone("compare", path, "--measure", "false").stderr
    assert "running the model plainly" in told and "comparing the engine's steps" in told
    assert "plainly" not in hone("compare", path, *QUICK).stderr
