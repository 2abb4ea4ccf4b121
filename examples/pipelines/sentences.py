"""Sentence embeddings with all-MiniLM-L6-v2: its weights, stored without a graph, become an ONNX model.

The graph is BERT's encoder (Devlin et al., 2018) as its config.json describes it, then the mean over the
tokens that are not padding, scaled to length one: what the package's modules.json asks for.
"""
import json
import unicodedata

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def read_safetensors(path):
    """{name: array}: a header of JSON behind its length (u64), then the arrays' bytes."""
    data = np.memmap(path, np.uint8, "r")
    start = 8 + int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8:start]))
    types = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
    return {name: data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]]
            .view(types[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items() if name != "__metadata__"}


class _Graph:
    """Collects nodes and weights; values are names."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def const(self, array, name=None):
        name = name or f"const_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def __call__(self, op, *inputs, name=None, **attributes):
        output = name or f"{op.lower()}_{len(self.nodes)}"
        inputs = [i if isinstance(i, str) else self.const(np.asarray(i)) for i in inputs]
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output


def build_model(folder):
    """The ONNX model: i64 [n, t] input_ids and attention_mask to f32 [n, width] embedding."""
    config = json.loads((folder / "config.json").read_text())
    weights = read_safetensors(folder / "model.safetensors")
    count, width = config["num_attention_heads"], config["hidden_size"]
    epsilon, g = config["layer_norm_eps"], _Graph()
    f32, i64 = np.float32, np.int64

    def linear(x, name):
        y = g("MatMul", x, g.const(weights[name + ".weight"].T, name + ".weight"))
        return g("Add", y, g.const(weights[name + ".bias"], name + ".bias"))

    def norm(x, name):
        return g("LayerNormalization", x, g.const(weights[name + ".weight"], name + ".weight"),
                 g.const(weights[name + ".bias"], name + ".bias"), axis=-1, epsilon=epsilon)

    def heads(x, order):
        return g("Transpose", g("Reshape", x, i64([0, 0, count, width // count])), perm=order)

    def attention(x, mask, prefix):
        q = heads(linear(x, prefix + "self.query"), [0, 2, 1, 3])
        k = heads(linear(x, prefix + "self.key"), [0, 2, 3, 1])
        v = heads(linear(x, prefix + "self.value"), [0, 2, 1, 3])
        scores = g("Add", g("Div", g("MatMul", q, k), f32((width // count) ** 0.5)), mask)
        mixed = g("Transpose", g("MatMul", g("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        return linear(g("Reshape", mixed, i64([0, 0, width])), prefix + "output.dense")

    length = g("Gather", g("Shape", "input_ids"), i64([1]), axis=0)
    place = g("Slice", weights["embeddings.position_embeddings.weight"], i64([0]), length, i64([0]))
    x = g("Gather", g.const(weights["embeddings.word_embeddings.weight"]), "input_ids")
    x = g("Add", g("Add", x, weights["embeddings.token_type_embeddings.weight"][0]), place)
    x = norm(x, "embeddings.LayerNorm")
    seen = g("Cast", g("Unsqueeze", "attention_mask", i64([1, 2])), to=TensorProto.FLOAT)
    mask = g("Mul", g("Sub", f32(1), seen), f32(-10000))
    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        y = attention(x, mask, prefix + "attention.")
        x = norm(g("Add", x, y), prefix + "attention.output.LayerNorm")
        y = g("Gelu", linear(x, prefix + "intermediate.dense"))
        x = norm(g("Add", x, linear(y, prefix + "output.dense")), prefix + "output.LayerNorm")
    weight = g("Cast", g("Unsqueeze", "attention_mask", i64([2])), to=TensorProto.FLOAT)
    total = g("ReduceSum", g("Mul", x, weight), i64([1]), keepdims=0)
    mean = g("Div", total, g("ReduceSum", weight, i64([1]), keepdims=0))
    g("LpNormalization", mean, axis=-1, p=2, name="embedding")

    ports = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"])
             for name in ("input_ids", "attention_mask")]
    result = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", width])
    graph = helper.make_graph(g.nodes, "all-MiniLM-L6-v2", ports, [result], g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    return model


class Tokenizer:
    """BERT's lower-case WordPiece: words and marks, then the longest known pieces from the left."""

    def __init__(self, folder):
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self.number = {piece: i for i, piece in enumerate(lines)}

    @staticmethod
    def words(text):
        text = unicodedata.normalize("NFD", text.lower())
        word = ""
        for c in text:
            kind = unicodedata.category(c)
            if kind == "Mn":  # an accent, parted from its letter by the normalisation
                continue
            alone = kind[0] == "P" or (c.isascii() and kind[0] == "S") or "\u4e00" <= c <= "\u9fff"
            if (alone or c.isspace()) and word:
                yield word
                word = ""
            if alone:
                yield c
            elif not c.isspace():
                word += c
        if word:
            yield word

    def pieces(self, word):
        found, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            end = next((e for e in range(len(word), start, -1) if prefix + word[start:e] in self.number), 0)
            if not end:
                return [self.number["[UNK]"]]
            found.append(self.number[prefix + word[start:end]])
            start = end
        return found

    def __call__(self, sentences, most=256):
        """(input_ids, attention_mask), i64 [sentences, longest]."""
        rows = []
        for text in sentences:
            body = [number for word in self.words(text) for number in self.pieces(word)][:most - 2]
            rows.append([self.number["[CLS]"], *body, self.number["[SEP]"]])
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, :len(row)], mask[i, :len(row)] = row, 1
        return ids, mask
