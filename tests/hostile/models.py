"""What the hostile rows are made of: ONNX models that no exporter writes, wire format by hand, archives."""
import struct
import zlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

F32, S64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node = helper.make_node


def port(name, shape=("n",), dtype=F32):
    return helper.make_tensor_value_info(name, dtype, shape)


def const(name, values, dtype=None):
    return numpy_helper.from_array(np.array(values, dtype), name)


def model(nodes, weights=(), inputs=None, outputs=None, functions=(), opset=21):
    """x: f32[n] goes in, y: f32[n] comes out, unless told otherwise."""
    graph = helper.make_graph(list(nodes), "g", inputs or [port("x")], outputs or [port("y", None)], list(weights))
    domains = [helper.make_opsetid(d, v) for d, v in (("", opset), ("own", 1), ("ai.onnx.ml", 3))]
    return helper.make_model(graph, opset_imports=domains, functions=list(functions), ir_version=10)


def one(op, *inputs, outputs=("y",), opset=21, domain="", results=None, **attributes):
    """A model of one node; inputs that are arrays become its constants."""
    names, weights = [], []
    for i, value in enumerate(inputs):
        names.append(value if isinstance(value, str) else f"c{i}")
        if not isinstance(value, str):
            weights.append(numpy_helper.from_array(np.asarray(value), f"c{i}"))
    return model([node(op, names, list(outputs), domain=domain, **attributes)], weights, opset=opset,
                 outputs=results or [port(outputs[0], None)])


def raw_tensor(name="w", dims=(1,), dtype=F32, raw=b"\0\0\0\0"):
    tensor = TensorProto(name=name, data_type=dtype, raw_data=raw)
    tensor.dims.extend(dims)
    return tensor


def with_tensor(**more):
    return model([node("Add", ["x", "w"], ["y"])], [raw_tensor(**more)])


def external(location, **more):
    tensor = TensorProto(name="w", data_type=F32, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model([node("Add", ["x", "w"], ["y"])], [tensor])


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def nested(depth, numbers, heart=b""):
    """Messages inside each other: one of each of `numbers` a level, outermost first."""
    for _ in range(depth):
        for number in reversed(numbers):
            heart = field(number, heart)
    return heart


def chain(op, count, start, *more, **attributes):
    """`count` nodes one after the other on a constant or an input, y at the end."""
    names = [start] + [f"t{i}" for i in range(count - 1)] + ["y"]
    return [node(op, [a, *more] if more != ("itself",) else [a, a], [b], **attributes)
            for a, b in zip(names, names[1:])]


def function(name, calls, times):
    names = [f"v{i}" for i in range(times + 1)]
    nodes = [node(calls, [a], [b], domain="own" if calls.startswith("f") else "") for a, b in zip(names, names[1:])]
    return helper.make_function("own", name, ["v0"], [f"v{times}"], nodes,
                                [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)])


def png(width, height, data=b"", depth=8):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)) +
            chunk(b"IDAT", data) + chunk(b"IEND", b""))


def jpeg(width, height):
    return (b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) +
            b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00\xff\xd9")


def bmp(width, height):
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0,
                                                                   0, 0, 0)


def tiff(width, height):
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
            (278, 4, height), (279, 4, 1 << 30)]
    rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + rows + b"\0\0\0\0"


def webp(width, height):
    """A lossless picture without data: sizes of 14 bits, less one each."""
    bits = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14)
    return b"RIFF" + struct.pack("<I", 4 + 8 + 6) + b"WEBPVP8L" + struct.pack("<I", 5) + bits + b"\0"


def jpeg2000(width, height, components=3):
    """The main header of a codestream of one tile, and no data."""
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, width, height, 0, 0, components)
    size += b"\x07\x01\x01" * components
    coding = b"\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01"
    steps = b"\x40" + b"\x40" * 16
    return (b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size +
            b"\xff\x52" + struct.pack(">H", len(coding) + 2) + coding +
            b"\xff\x5c" + struct.pack(">H", len(steps) + 2) + steps +
            b"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x01\xff\x93")


def npy(header, data=b""):
    header = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def zipped(content, size=None, packed=None, method=8, name=b"x.npy"):
    """One member of a zip file, whose directory may lie."""
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(content) + packer.flush() if method == 8 else content
    numbers = struct.pack("<III", zlib.crc32(content), len(body) if packed is None else packed,
                          len(content) if size is None else size)
    head = struct.pack("<HHHHH", 20, 0, method, 0, 0) + numbers + struct.pack("<HH", len(name), 0)
    local = b"PK\x03\x04" + head + name + body
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return local + entry + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
