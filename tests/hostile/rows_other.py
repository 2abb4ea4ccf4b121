"""Hostile files of every other kind: {name: (maker, exit code, fragment)}; a maker fills the folder and gives
the words after `hone`. See rows_onnx.py.
"""
import numpy as np

from models import bmp, jpeg, jpeg2000, model, node, npy, one, png, port, tiff, webp, zipped

NPY = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"


def graph_def(text, outputs="y"):
    def made(folder):
        (folder / "m.pbtxt").write_text(text)
        return ["build", folder / "m.pbtxt", "-o", folder / "m.hone", "--outputs", outputs]
    return made


def tf_node(name, op, inputs="", attributes=""):
    lines = "".join(f'input: "{i}" ' for i in inputs.split())
    return f'node {{ name: "{name}" op: "{op}" {lines}{attributes} }}\n'


FLOAT = 'attr { key: "%s" value { type: DT_FLOAT } } '
X = tf_node("x", "Placeholder", "", FLOAT % "dtype" + 'attr { key: "shape" value { shape { dim { size: -1 } } } }')
T = FLOAT % "T"


def tf_const(name, sizes, values="float_val: 1"):
    dims = "".join("dim { size: %d } " % s for s in sizes)
    return tf_node(name, "Const", "", FLOAT % "dtype" + 'attr { key: "value" value { tensor { dtype: DT_FLOAT '
                   f'tensor_shape {{ {dims}}} {values} }} }} }}')


def calls(count, ring):
    """A library of functions, each of which calls the next twice."""
    text = X + tf_node("y", "PartitionedCall", "x", 'attr { key: "f" value { func { name: "f0" } } } '
                       'attr { key: "Tin" value { list { type: DT_FLOAT } } } '
                       'attr { key: "Tout" value { list { type: DT_FLOAT } } }')
    body = ""
    for i in range(count):
        to = (i + 1) % count if ring else i + 1
        call = (f'node_def {{ name: "%s" op: "PartitionedCall" input: "%s" attr {{ key: "f" value {{ func {{ name: '
                f'"f{to}" }} }} }} attr {{ key: "Tin" value {{ list {{ type: DT_FLOAT }} }} }} attr {{ key: "Tout" '
                'value { list { type: DT_FLOAT } } } } ')
        nodes = call % ("a", "v") + call % ("b", "a:output:0")
        if to == count:
            nodes = 'node_def { name: "b" op: "Abs" input: "v" ' + T + "} "
        out = "b:y:0" if to == count else "b:output:0"
        body += (f'function {{ signature {{ name: "f{i}" input_arg {{ name: "v" type: DT_FLOAT }} output_arg '
                 f'{{ name: "w" type: DT_FLOAT }} }} {nodes} ret {{ key: "w" value: "{out}" }} }}\n')
    return text + "library {\n" + body + "}\n"


GRAPH_DEFS = {
    "empty": (graph_def(""), 2, ""),
    "no text form": (graph_def("node { name: 'x' op"), 2, ""),
    "10,000 braces": (graph_def("node { attr { value { list " * 10000), 2, ""),
    "no such output": (graph_def(X, "nowhere"), 2, "nowhere"),
    "a ring": (graph_def(X + tf_node("y", "AddV2", "x b", T) + tf_node("b", "Abs", "y", T)), 2, ""),
    "nothing gives it": (graph_def(X + tf_node("y", "AddV2", "x nowhere", T)), 2, "nowhere"),
    "unknown operator": (graph_def(X + tf_node("y", "Frobnicate", "x", T)), 3, "Frobnicate"),
    "one value for 2^40": (graph_def(X + tf_const("c", [1 << 20, 1 << 20]) + tf_node("y", "AddV2", "x c", T)), 3, ""),
    "one value for 2^80": (graph_def(X + tf_const("c", [1 << 40, 1 << 40]) + tf_node("y", "AddV2", "x c", T)), 2, ""),
    "negative constant": (graph_def(X + tf_const("c", [-3]) + tf_node("y", "AddV2", "x c", T)), 2, ""),
    "more values than room": (graph_def(X + tf_const("c", [1], "float_val: 1 " * 9) +
                                        tf_node("y", "AddV2", "x c", T)), 2, ""),
    "an engine's function by a number": (graph_def(X + tf_node(
        "y", "TRTEngineOp", "x", 'attr { key: "segment_funcdef_name" value { i: 3 } }')), 2, "segment_funcdef_name"),
    "a weight's file by a number": (graph_def(X + tf_node(
        "y", "HoneWeight", "", 'attr { key: "file" value { i: 3 } }')), 2, "attribute file"),
    "2^40 calls": (graph_def(calls(40, False)), 3, ""),
    "calls in a ring": (graph_def(calls(5, True)), 3, ""),
    "a chain of 10,000": (graph_def(X + "".join(
        tf_node(f"t{i}" if i < 9999 else "y", "Abs", f"t{i - 1}" if i else "x", T) for i in range(10000))), 0, ""),
}


def engine(bytes_of):
    def made(folder):
        (folder / "m.hone").write_bytes(bytes_of)
        return ["run", folder / "m.hone"]
    return made


ENGINES = {
    "empty": (engine(b""), 2, ""),
    "zeros": (engine(bytes(1 << 16)), 2, ""),
    "noise": (engine(np.random.default_rng(2).bytes(1 << 16)), 2, ""),
    "only a name": (engine(b"HONE"), 2, ""),
}


def identity(folder, shape, dtype=1):
    (folder / "id.onnx").write_bytes(model([node("Identity", ["x"], ["y"])], inputs=[port("x", shape, dtype)],
                                           outputs=[port("y", None, dtype)]).SerializeToString())
    return ["run", folder / "id.onnx"]


def given(name, content, shape=(1, 3, "h", "w")):
    """Runs a copy of its input on a file."""
    def made(folder):
        (folder / name).write_bytes(content)
        return [*identity(folder, shape), "--input", f"x:{folder / name}"]
    return made


PICTURES = {
    "png of 2^31": (given("p.png", png((1 << 31) - 1, (1 << 31) - 1)), 1, ""),
    "png of 60,000": (given("p.png", png(60000, 60000)), 1, ""),
    "png of nothing": (given("p.png", png(0, 0)), 1, ""),
    "png cut": (given("p.png", png(100, 100)[:40]), 1, ""),
    "png of 20,000 without data": (given("p.png", png(20000, 20000)), 1, ""),
    "jpeg of 65,535": (given("p.jpg", jpeg(65535, 65535)), 1, ""),
    "jpeg of 20,000 without data": (given("p.jpg", jpeg(20000, 20000)), 1, ""),
    "jpeg cut": (given("p.jpg", jpeg(100, 100)[:20]), 1, ""),
    "bmp of 2^31": (given("p.bmp", bmp((1 << 31) - 1, (1 << 31) - 1)), 1, ""),
    "bmp of -2^31": (given("p.bmp", bmp(-(1 << 31), -(1 << 31))), 1, ""),
    "bmp without data": (given("p.bmp", bmp(10000, 10000)), 1, ""),
    "tiff of 2^32": (given("p.tiff", tiff((1 << 32) - 1, (1 << 32) - 1)), 1, ""),
    "tiff without data": (given("p.tiff", tiff(10000, 10000)), 1, ""),
    "webp of 16,384 without data": (given("p.webp", webp(1 << 14, 1 << 14) + bytes(64)), 1, ""),
    "jpeg 2000 of 2^31": (given("p.j2k", jpeg2000((1 << 31) - 1, (1 << 31) - 1)), 1, ""),
    "jpeg 2000 of 8,000 without data": (given("p.j2k", jpeg2000(8000, 8000)), 1, ""),
    "jpeg 2000 of 16,384 components": (given("p.j2k", jpeg2000(8000, 8000, 1 << 14)), 1, ""),
    "ppm of a billion": (given("p.ppm", b"P6 999999999 999999999 255\n"), 1, ""),
    "ppm of 30 digits": (given("p.ppm", b"P6 " + b"9" * 30 + b" 1 255\n"), 1, ""),
    "ppm without data": (given("p.ppm", b"P6 20000 20000 255\n"), 1, ""),
}

ARRAYS = {
    "npy cut": (given("x.npy", b"\x93NUMPY\x01"), 1, ""),
    "npy header beyond": (given("x.npy", b"\x93NUMPY\x01\x00\xff\xff{"), 1, ""),
    "npy of 2^80": (given("x.npy", npy(NPY % ("<f4", "(1099511627776, 1099511627776)"))), 1, ""),
    "npy of -1": (given("x.npy", npy(NPY % ("<f4", "(-1,)"))), 1, ""),
    "npy of objects": (given("x.npy", npy(NPY % ("|O", "(1,)"), b"\x80\x04\x95")), 1, ""),
    "npy of 10,000 dimensions": (given("x.npy", npy(NPY % ("<f4", "(" + "1," * 10000 + ")"))), 1, ""),
    "npy without data": (given("x.npy", npy(NPY % ("<f4", "(1, 3, 20000, 20000)"))), 1, ""),
    "npz: a bomb": (given("x.npz", zipped(bytes(1 << 28))), 1, ""),
    "npz: a bomb with a sound header": (given("x.npz", zipped(npy(NPY % ("<f4", "(1, 3, 4096, 4096)"),
                                                                  bytes(3 << 26)))), 1, "save it without compression"),
    "npz: a size that lies": (given("x.npz", zipped(b"abc", size=(1 << 32) - 2)), 1, ""),
    "npz: packed that lies": (given("x.npz", zipped(b"abc", packed=(1 << 32) - 2)), 1, ""),
    "npz: stored that lies": (given("x.npz", zipped(b"abc", size=1 << 30, packed=1 << 30, method=0)), 1, ""),
    "npz: unknown method": (given("x.npz", zipped(b"abc", method=0).replace(b"\x14\0\0\0\0\0", b"\x14\0\0\0\x63\0")),
                            1, ""),
    "npz: cut": (given("x.npz", zipped(b"abc")[:-9]), 1, ""),
    "raw too short": (given("x.raw", b"abc"), 1, ""),
}


def timing_cache(content):
    def made(folder):
        (folder / "times").write_bytes(content)
        (folder / "m.onnx").write_bytes(one("Softmax", "x").SerializeToString())
        return ["build", folder / "m.onnx", "-o", folder / "m.hone", "--timing-cache", folder / "times"]
    return made


CACHES = {
    "noise": (timing_cache(np.random.default_rng(3).bytes(4096)), 2, "line 1"),
    "no time": (timing_cache(b"# remark\nkey\tkernel\t0\n"), 2, "line 2"),
    "time of NaN": (timing_cache(b"key\tkernel\t0\tnan\n"), 2, "line 1"),
    "negative time": (timing_cache(b"key\tkernel\t0\t-5\n"), 2, "line 1"),
    "a line of 16 MB": (timing_cache(b"k" * (1 << 24) + b"\tkernel\t0\t5\n"), 2, "line 1"),
    "300,000 lines": (timing_cache(b"".join(b"key%d\tkernel\t0\t5\n" % i for i in range(300000))), 0, ""),
    "65 MB": (timing_cache(b"# \n" * (65 << 20 >> 2) + b"#" * (17 << 20)), 3, "more than"),
}

ROWS = {"GraphDef": GRAPH_DEFS, "engine": ENGINES, "picture": PICTURES, "array": ARRAYS, "timing cache": CACHES}
