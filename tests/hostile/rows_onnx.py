"""Hostile ONNX models: {name: (maker, exit code, fragment of what is said[, command])}.

A maker gives the file's bytes, a ModelProto, or fills the folder and gives one of these. Exit codes: 0 good,
2 refused, 3 it cannot be built or passes a limit. Command is "build", or "run" where the model is sound and
only its answer is absurd.
"""
import os

import numpy as np

from models import (BOOL, F32, S64, chain, const, external, field, function, model, nested, node, one, port,
                    varint, with_tensor)

BIG = 1 << 40
ONE = np.float32([1])


def whole():
    return model([node("Abs", ["x"], ["y"])]).SerializeToString()


def around(graph):
    """A model whose graph is these bytes."""
    return b"\x08\x0a" + field(7, graph) + field(8, b"\x10\x15")


def functions(count, times, ring=False):
    names = [f"f{i}" for i in range(count)] + ["f0" if ring else "Abs"]
    made = [function(a, b, times) for a, b in zip(names, names[1:])]
    return lambda folder: model([node("f0", ["x"], ["y"], domain="own")], functions=made)


def beneath(name, make, **more):
    """An external file in the model's folder that `make(path)` puts there."""
    def made(folder):
        make(folder / name)
        return external(name, **more)
    return made


def big_shape(op, **more):
    return lambda folder: one(op, np.int64([BIG, BIG]), **more)


BROKEN = {
    "empty": (lambda f: b"", 2, "format"),
    "text": (lambda f: b"This is no model.\n", 2, ""),
    "zeros": (lambda f: bytes(4096), 2, ""),
    "noise": (lambda f: np.random.default_rng(1).bytes(4096), 2, ""),
    "cut": (lambda f: whole()[:-7], 2, ""),
    "a field longer than the file": (lambda f: whole() + varint(7 << 3 | 2) + varint(1 << 62) + b"x", 2,
                                        ""),
    "a number that does not end": (lambda f: whole() + b"\x08" + b"\xff" * 1000, 2, ""),
    "groups inside each other": (lambda f: whole() + b"\x0b" * 100000, 2, ""),
    "10,000 graphs inside each other": (lambda f: around(nested(10000, [1, 5, 6])), 3, "graphs inside each other"),
    "10,000 types inside each other": (lambda f: around(field(11, field(2, nested(10000, [4, 1])) + field(1, b"x"))),
        3, ""),
    "a million empty nodes": (lambda f: around(b"\x0a\x00" * 1000000), 3, "memory"),
    "a million names": (lambda f: around(b"".join(field(11, field(1, b"%d" % i)) for i in range(1000000))), 3,
                        "memory"),
}

ORDER = {
    "a ring": (lambda f: model([node("Add", ["x", "b"], ["y"]), node("Abs", ["y"], ["b"])]), 2, "its own result"),
    "its own input": (lambda f: model([node("Add", ["x", "y"], ["y"])]), 2, "nothing gives 'y'"),
    "nothing gives it": (lambda f: one("Add", "x", "nowhere"), 2, "'nowhere'"),
    "given twice": (lambda f: model([node("Abs", ["x"], ["y"]), node("Neg", ["x"], ["y"])]), 2, "'y'"),
    "no output": (lambda f: model([node("Abs", ["x"], ["z"])]), 2, "'y'"),
    "unknown operator": (lambda f: one("Frobnicate", "x"), 3, "Frobnicate"),
    "unknown domain": (lambda f: one("Abs", "x", domain="nowhere.at.all"), 3, "nowhere.at.all"),
    "missing input": (lambda f: one("Add", "x"), 2, "Add"),
    "too many inputs": (lambda f: one("Abs", "x", "x", "x"), 2, "Abs"),
    "a chain of 10,000": (lambda f: model(chain("Abs", 10000, "x")), 0, ""),
    "10,000 readers in order": (lambda f: model([node("Sum", ["x"] * 10000, ["y"])]), 0, ""),
    "a function calls itself": (functions(1, 1, ring=True), 2, "'f0' calls itself"),
    "functions in a ring": (functions(5, 1, ring=True), 2, "'f0' calls itself"),
    "2^40 calls": (functions(40, 2), 3, "nodes"),
    "3,000 calls deep": (functions(3000, 1), 0, ""),
}

SIZES = {
    "product overflows": (lambda f: with_tensor(dims=[1 << 62, 8]), 2, "w"),
    "negative size": (lambda f: with_tensor(dims=[-1]), 2, "negative"),
    "too little data": (lambda f: with_tensor(dims=[1000000]), 2, "4 bytes"),
    "a million dimensions": (lambda f: with_tensor(dims=[1] * 1000000), 3, "dimensions"),
    "nine dimensions": (lambda f: with_tensor(dims=[1] * 9), 3, "9 dimensions"),
    "unknown type": (lambda f: with_tensor(dtype=999), 3, "999"),
    "input of unknown type": (lambda f: model([node("Abs", ["x"], ["y"])], inputs=[port("x", ("n",), 999)]), 3,
                              "999"),
    "input of 2^62 x 2^62": (lambda f: model([node("Abs", ["x"], ["y"])], inputs=[port("x", (1 << 62, 1 << 62))]), 1,
                             "overflows"),
    "negative input": (lambda f: model([node("Abs", ["x"], ["y"])], inputs=[port("x", (-5,))]), 0, ""),
    "types differ": (lambda f: one("Add", "x", np.int64([1])), 2, "Add"),
    "a string for a number": (lambda f: one("Concat", "x", "x", axis="zero"), 2, "axis"),
    "axis outside": (lambda f: one("Concat", "x", "x", axis=7), 2, "axis"),
    "axis of 2^62": (lambda f: one("Softmax", "x", axis=1 << 62), 2, "axis"),
    "perm twice": (lambda f: one("Transpose", np.ones((2, 2), np.float32), perm=[0, 0]), 2, "perm"),
    "no groups": (lambda f: one("Conv", np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 1, 1), np.float32), group=0),
                  2, "group"),
    "strides of 0": (lambda f: one("Conv", np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 1, 1), np.float32),
                                   strides=[0, 0]), 2, "strides"),
    "pads of 2^62": (lambda f: one("Conv", np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 1, 1), np.float32),
                                   pads=[1 << 62] * 4), 2, "pads"),
    "window of 2^40": (lambda f: one("MaxPool", np.ones((1, 1, 3, 3), np.float32), kernel_shape=[BIG, BIG]), 2, ""),
    "weights of rank 1": (lambda f: one("Conv", np.ones((1, 1, 3, 3), np.float32), ONE), 2, "Conv"),
    "index outside": (lambda f: one("Gather", ONE, np.int64([5])), 1, "Gather"),
    "a step of 0": (lambda f: one("Slice", "x", np.int64([0]), np.int64([5]), np.int64([0]), np.int64([0])), 2, ""),
    "more than all": (lambda f: one("TopK", ONE, np.int64([1 << 60]), outputs=("y", "i")), 2, ""),
    "a loop of trees": (lambda f: one(
        "TreeEnsembleRegressor", "x", domain="ai.onnx.ml", nodes_treeids=[0, 0], nodes_nodeids=[0, 1],
        nodes_featureids=[0, 0], nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ"], nodes_values=[0.0, 0.0],
        nodes_truenodeids=[1, 0], nodes_falsenodeids=[0, 1], target_treeids=[0], target_nodeids=[0], target_ids=[0],
        target_weights=[1.0], n_targets=1), 0, "", "run"),
    "a pattern that unfolds": (lambda f: one("RegexFullMatch", np.array(["a"], object),
                                             pattern="((a{1000}){1000}){1000}", results=[port("y", None, BOOL)]),
        3, "",
                               "run"),
    "a pattern 10,000 deep": (lambda f: one("RegexFullMatch", np.array(["a"], object),
                                            pattern="(" * 10000 + "a" + ")" * 10000,
                                            results=[port("y", None, BOOL)]), 3, "", "run"),
    "a pattern that tries for ever": (lambda f: one("RegexFullMatch", np.array(["a" * 5000], object),
                                                    pattern="(a+)+b", results=[port("y", None, BOOL)]), 0, "", "run"),
}

# Small files that ask for huge results: what is folded is capped, and a run says what it lacks.
BOMBS = {
    "constant of 2^80": (big_shape("ConstantOfShape"), 3, "overflows", "run"),
    "constant of 2^40": (lambda f: one("ConstantOfShape", np.int64([BIG])), 3, "this machine", "run"),
    "negative constant": (lambda f: one("ConstantOfShape", np.int64([-1])), 2, ""),
    "expand to 2^80": (lambda f: one("Expand", ONE, np.int64([BIG, BIG])), 3, "overflows", "run"),
    "expand to 2^38": (lambda f: one("Expand", ONE, np.int64([1 << 19, 1 << 19])), 3, "this machine", "run"),
    "tile to 2^38": (lambda f: one("Tile", ONE, np.int64([1 << 38])), 3, "this machine", "run"),
    "tile to 2^70": (lambda f: one("Tile", np.ones((1 << 10,), np.float32), np.int64([1 << 60])), 2, ""),
    "range to 2^38": (lambda f: one("Range", np.int64(0), np.int64(1 << 38), np.int64(1),
                                    results=[port("y", None, S64)]), 3, "this machine", "run"),
    "range by 0": (lambda f: one("Range", np.int64(0), np.int64(10), np.int64(0), results=[port("y", None, S64)]), 2,
                   ""),
    "range by NaN": (lambda f: one("Range", np.float32(0), np.float32(10), np.float32("nan")), 2, ""),
    "pad by 2^38": (lambda f: one("Pad", ONE, np.int64([0, 1 << 38])), 3, "this machine", "run"),
    "pad by 2^62 twice": (lambda f: one("Pad", ONE, np.int64([1 << 62, 1 << 62])), 2, ""),
    "eye of 2^38": (lambda f: model([node("ConstantOfShape", ["s"], ["z"]), node("EyeLike", ["z"], ["y"])],
                                    [const("s", [1 << 19, 1 << 19])]), 3, "this machine", "run"),
    "one hot of 2^40": (lambda f: one("OneHot", np.int64([1]), np.int64(BIG), np.float32([0, 1])),
        3, "this machine", "run"),
    "window of 2^38": (lambda f: one("HannWindow", np.int64(1 << 38)), 3, "this machine", "run"),
    "mel bins of 2^40": (lambda f: one("MelWeightMatrix", np.int64(BIG), np.int64(BIG), np.int64(8000),
                                       np.float32(0), np.float32(4000)), 2, ""),
    "random of 2^38": (lambda f: one("RandomNormal", shape=[1 << 19, 1 << 19]), 3, "this machine", "run"),
    "resize by 1e9": (lambda f: one("Resize", np.ones((1, 1, 2, 2), np.float32), "",
                                    np.float32([1, 1, 1e9, 1e9])), 3, "this machine", "run"),
    "resize by NaN": (lambda f: one("Resize", np.ones((1, 1, 2, 2), np.float32), "",
                                    np.float32([1, 1, np.nan, 1])), 2, ""),
    "resize by -1": (lambda f: one("Resize", np.ones((1, 1, 2, 2), np.float32), "", np.float32([1, 1, -1, 1])), 2, ""),
    "a shape of NaN": (lambda f: model([node("Cast", ["c"], ["s"], to=S64), node("Reshape", ["x", "s"], ["y"])],
                                       [const("c", [np.nan], np.float32)]), 0, "", "run"),
    "double 40 times": (lambda f: model(chain("Concat", 40, "c", "itself", axis=0), [const("c", ONE)]),
        3, "this machine", "run"),
    "double 70 times": (lambda f: model(chain("Concat", 70, "c", "itself", axis=0), [const("c", ONE)]), 2, ""),
    "tile 40 times": (lambda f: model(chain("Tile", 40, "c", "two"), [const("c", ONE), const("two", [2])]),
        3, "this machine",
                      "run"),
    "a sequence in 2^40 pieces": (lambda f: model(
        [node("ConstantOfShape", ["s"], ["c"]), node("SplitToSequence", ["c"], ["q"], keepdims=0),
         node("SequenceLength", ["q"], ["y"])], [const("s", [BIG])], outputs=[port("y", [], S64)]),
        3, "this machine", "run"),
}

OUTSIDE = {
    "above": (lambda f: external("../secret"), 2, "beneath"),
    "above, hidden": (lambda f: external("a/../../secret"), 2, "beneath"),
    "absolute": (lambda f: external("/etc/passwd"), 2, "beneath"),
    "a link": (beneath("link", lambda p: p.symlink_to("/etc/passwd")), 2, "link"),
    "a linked folder": (lambda f: (f / "out").symlink_to("/etc") or external("out/passwd"), 2, "out/passwd"),
    "a device": (beneath("zero", lambda p: p.symlink_to("/dev/zero")), 2, "zero"),
    "a pipe": (beneath("pipe", os.mkfifo), 2, "pipe"),
    "a folder": (beneath("folder", os.mkdir), 2, "folder"),
    "absent": (lambda f: external("absent"), 2, "absent"),
    "beyond the end": (beneath("w", lambda p: p.write_bytes(bytes(16)), offset=8, length=16), 2, "passes the end"),
    "no number": (beneath("w", lambda p: p.write_bytes(bytes(16)), offset="minus"), 2, "no number"),
    "offset of 2^64": (beneath("w", lambda p: p.write_bytes(bytes(16)), offset=(1 << 64) - 8, length=16), 2,
                       "passes the end"),
    "a name with a zero": (lambda f: external("w\0.bin"), 2, ""),
    "no name": (lambda f: external(""), 2, ""),
    "a name of a megabyte": (lambda f: external("w" * (1 << 20)), 2, ""),
}

ROWS = {"broken": BROKEN, "order": ORDER, "sizes": SIZES, "bombs": BOMBS, "outside": OUTSIDE}
