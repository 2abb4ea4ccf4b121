"""Seeded models of text, speech and other sequences, and the vision transformer."""
import numpy as np
from onnx import TensorProto, numpy_helper

from net import Net


def transformer_layer(net, x, width, count, hidden, mask, spelled, before, tanh=False):
    """One encoder layer; the norm stands before (ViT, GPT) or after (BERT) each half."""
    norm = lambda v: net.layer_norm(v, width, spelled)  # noqa: E731
    y = net.attention(norm(x) if before else x, width, count, mask)
    x = net.node("Add", x, y)
    x = x if before else norm(x)
    y = net.linear(net.gelu(net.linear(norm(x) if before else x, width, hidden), spelled, tanh),
                   hidden, width)
    x = net.node("Add", x, y)
    return x if before else norm(x)


def bert(seed, tiny, name="bert_base", opset=17, spelled=True):
    width, layers, count, vocabulary = (32, 2, 4, 100) if tiny else (768, 12, 12, 30522)
    net = Net(name, seed, opset, {"n": 1, "t": 12 if tiny else 128})
    ids = net.input("input_ids", ["n", "t"], TensorProto.INT64, vocabulary)
    attend = net.input("attention_mask", ["n", "t"], TensorProto.INT64, 2)
    kinds = net.input("token_type_ids", ["n", "t"], TensorProto.INT64, 2)
    positions = net.const(np.arange(512, dtype=np.int64)[None])
    positions = net.node("Slice", positions, net.ints(0), net.size(ids, 1), net.ints(1))
    x = net.node("Gather", net.draw(vocabulary, width), ids)
    x = net.node("Add", x, net.node("Gather", net.draw(2, width), kinds))
    x = net.node("Add", x, net.node("Gather", net.draw(512, width), positions))
    x = net.layer_norm(x, width, spelled, 1e-12)
    mask = net.node("Unsqueeze", net.node("Unsqueeze", attend, net.ints(1)), net.ints(2))
    mask = net.node("Sub", net.scalar(1.0), net.node("Cast", mask, to=TensorProto.FLOAT))
    mask = net.node("Mul", mask, net.scalar(-10000.0))
    for _ in range(layers):
        x = transformer_layer(net, x, width, count, 4 * width, mask, spelled, before=False)
    first = net.node("Gather", x, net.const(np.array(0, np.int64)), axis=1)
    pooled = net.node("Tanh", net.node("Gemm", first, net.draw(width, width, scale=width ** -0.5),
                                       net.draw(width, scale=0.1), transB=1))
    net.output(x, ["n", "t", width], name="last_hidden_state")
    net.output(pooled, ["n", width], name="pooler_output")
    return net.model()


def bert_op20(seed, tiny):
    """BERT with Gelu and LayerNormalization as operators."""
    return bert(seed, tiny, "bert_base_op20", 20, spelled=False)


def vit_b16(seed, tiny):
    size, patch, width, layers, count, classes = (32, 8, 32, 2, 4, 10) if tiny else \
        (224, 16, 768, 12, 12, 1000)
    net = Net("vit_b16", seed, 17, {"n": 1})
    tokens = (size // patch) ** 2
    x = net.conv(net.input("x", ["n", 3, size, size]), 3, width, patch, patch, gain=1.0, pads=[0] * 4)
    x = net.node("Transpose", net.node("Reshape", x, net.ints(0, width, tokens)), perm=[0, 2, 1])
    batch = net.node("Concat", net.size(x, 0), net.ints(-1), net.ints(-1), axis=0)
    ones = net.node("ConstantOfShape", net.ints(3), value=numpy_helper.from_array(np.ones(1, np.int64)))
    batch = net.node("Where", net.node("Equal", batch, net.ints(-1)), ones, batch)
    x = net.node("Concat", net.node("Expand", net.draw(1, 1, width), batch), x, axis=1)
    x = net.node("Add", x, net.draw(1, tokens + 1, width, scale=0.5))
    for _ in range(layers):
        x = transformer_layer(net, x, width, count, 4 * width, None, True, before=True)
    x = net.layer_norm(x, width, True)
    x = net.node("Gather", x, net.const(np.array(0, np.int64)), axis=1)
    net.output(net.linear(x, width, classes), ["n", classes], name="logits")
    return net.model()


def sdpa(net, q, k, v, width, mask=None):
    """F.scaled_dot_product_attention as torch.onnx writes it from 2.9 on: half of the scale on either operand,
    keys transposed as matrices of one long batch; with a mask of truths its guard, which gives zeros to
    queries that see no key. Heads are [n, heads, tokens, width]."""
    scale = net.const(np.array([width ** -0.25], np.float32))
    shape = net.node("Shape", k)
    part = lambda begin, end: net.node("Slice", shape, net.ints(begin), net.ints(end))  # noqa: E731
    tokens, features = part(-2, -1), part(-1, 2 ** 31)
    flat = net.node("Reshape", k, net.node("Concat", net.ints(-1), tokens, features, axis=0))
    turned = net.node("Transpose", flat, perm=[0, 2, 1])
    turned = net.node("Reshape", turned, net.node("Concat", part(0, -2), features, tokens, axis=0))
    scores = net.node("MatMul", net.node("Mul", q, scale), net.node("Mul", turned, scale))
    if mask:
        zero, low = net.scalar(0.0), net.scalar(-np.inf)
        scores = net.node("Add", scores, net.node("Where", mask, zero, low))
    weights = net.node("Softmax", scores, axis=-1)
    if mask:
        weights = net.node("Where", net.node("IsNaN", weights), zero, weights)
    return net.node("MatMul", weights, v)


def vit_torch(seed, tiny):
    """A vision transformer as torch.onnx writes torchvision's: nn.MultiheadAttention puts tokens before images,
    packs queries, keys and values into one product and parts them by transposes and gathers."""
    size, patch, width, layers, count, classes = (32, 8, 32, 2, 4, 10) if tiny else \
        (224, 16, 768, 12, 12, 1000)
    net = Net("vit_torch", seed, 20, {"n": 1})
    tokens, each = (size // patch) ** 2, width // count
    x = net.conv(net.input("x", ["n", 3, size, size]), 3, width, patch, patch, gain=1.0, pads=[0] * 4)
    x = net.node("Transpose", net.node("Reshape", x, net.ints(-1, width, tokens)), perm=[0, 2, 1])
    x = net.node("Add", x, net.draw(1, tokens, width, scale=0.5))
    for _ in range(layers):
        y = net.node("Transpose", net.layer_norm(x, width), perm=[1, 0, 2])
        y = net.node("Reshape", net.linear(y, width, 3 * width), net.ints(tokens, -1, 3, width))
        y = net.node("Transpose", net.node("Unsqueeze", y, net.ints(0)), perm=[3, 1, 2, 0, 4])
        y, heads = net.node("Squeeze", y, net.ints(-2)), []
        for i in range(3):
            part = net.node("Gather", y, net.const(np.array(i, np.int64)), axis=0)
            part = net.node("Reshape", part, net.ints(tokens, -1, each))
            part = net.node("Transpose", part, perm=[1, 0, 2])
            heads.append(net.node("Reshape", part, net.ints(-1, count, tokens, each)))
        y = net.node("Transpose", sdpa(net, *heads, each), perm=[2, 0, 1, 3])
        y = net.node("Gemm", net.node("Reshape", y, net.ints(-1, width)),
                     net.draw(width, width, scale=width ** -0.5), net.draw(width, scale=0.1), transB=1)
        y = net.node("Reshape", y, net.ints(tokens, -1, width))
        x = net.node("Add", net.node("Transpose", y, perm=[1, 0, 2]), x)
        y = net.gelu(net.linear(net.layer_norm(x, width), width, 4 * width))
        x = net.node("Add", x, net.linear(y, 4 * width, width))
    x = net.node("Gather", net.layer_norm(x, width), net.const(np.array(0, np.int64)), axis=1)
    net.output(net.linear(x, width, classes), ["n", classes], name="logits")
    return net.model()


def bert_torch(seed, tiny):
    """BERT as torch.onnx writes it of F.scaled_dot_product_attention; what is padded neither sees nor is seen."""
    width, layers, count, tokens, vocabulary = (32, 2, 4, 12, 100) if tiny else (768, 12, 12, 128, 30522)
    net, each = Net("bert_torch", seed, 20, {"n": 1}), width // count
    ids = net.input("input_ids", ["n", tokens], TensorProto.INT64, vocabulary)
    attend = net.input("attention_mask", ["n", tokens], TensorProto.INT64, 2)
    x = net.node("Gather", net.draw(vocabulary, width), ids)
    x = net.layer_norm(net.node("Add", x, net.draw(1, tokens, width)), width, epsilon=1e-12)
    attend = net.node("Cast", attend, to=TensorProto.BOOL)
    mask = net.node("And", *(net.node("Unsqueeze", attend, net.ints(1, axis)) for axis in (2, 3)))
    mask = net.node("Expand", mask, net.node("Concat", net.size(ids, 0), net.ints(1, tokens, tokens), axis=0))
    for _ in range(layers):
        q, k, v = (net.node("Transpose", net.node("Reshape", net.linear(x, width, width), net.ints(
            -1, tokens, count, each)), perm=[0, 2, 1, 3]) for _ in range(3))
        y = net.node("Transpose", sdpa(net, q, k, v, each, mask), perm=[0, 2, 1, 3])
        y = net.linear(net.node("Reshape", y, net.ints(-1, tokens, width)), width, width)
        x = net.layer_norm(net.node("Add", y, x), width, epsilon=1e-12)
        y = net.linear(net.gelu(net.linear(x, width, 4 * width)), 4 * width, width)
        x = net.layer_norm(net.node("Add", y, x), width, epsilon=1e-12)
    net.output(x, ["n", tokens, width], name="last_hidden_state")
    return net.model()


def gpt2_small(seed, tiny):
    """A decoder with a causal mask made of the sequence length, and the embedding as output weight."""
    width, layers, count, vocabulary = (32, 2, 4, 100) if tiny else (768, 12, 12, 50257)
    net = Net("gpt2_small", seed, 17, {"n": 1, "t": 9 if tiny else 64})
    ids = net.input("input_ids", ["n", "t"], TensorProto.INT64, vocabulary)
    table, length = net.draw(vocabulary, width, scale=0.1), net.size(ids, 1)
    end = net.node("Squeeze", length, net.ints(0))
    positions = net.node("Range", net.const(np.array(0, np.int64)), end, net.const(np.array(1, np.int64)))
    x = net.node("Add", net.node("Gather", table, ids),
                 net.node("Gather", net.draw(1024, width, scale=0.1), positions))
    rows, columns = (net.node("Unsqueeze", positions, net.ints(axis)) for axis in (1, 0))
    mask = net.node("Where", net.node("Less", rows, columns), net.scalar(-3.4e38), net.scalar(0.0))
    for _ in range(layers):
        x = transformer_layer(net, x, width, count, 4 * width, mask, True, before=True, tanh=True)
    x = net.layer_norm(x, width, True)
    logits = net.node("MatMul", x, net.node("Transpose", table, perm=[1, 0]))
    net.output(logits, ["n", "t", vocabulary], name="logits")
    return net.model()


def ds_cnn(seed, tiny):
    """Keyword spotting on 49 x 10 MFCC: a depthwise separable CNN."""
    net = Net("ds_cnn", seed, 13, {"n": 1})
    width, blocks = (8, 2) if tiny else (64, 4)
    x = net.conv_bn(net.input("mfcc", ["n", 1, 49, 10]), 1, width, (10, 4), (2, 2))
    for _ in range(blocks):
        x = net.conv_bn(x, width, width, 3, groups=width)
        x = net.conv_bn(x, width, width, 1)
    net.output(net.node("Softmax", net.head(x, width, 12), axis=1), ["n", 12], name="probabilities")
    return net.model()


def recurrent(net, op, x, cin, hidden, gates, both=True):
    """An LSTM or GRU over [t, n, cin] [t, n, directions * hidden]."""
    ways = 2 if both else 1
    w = net.draw(ways, gates * hidden, cin, scale=cin ** -0.5)
    r = net.draw(ways, gates * hidden, hidden, scale=hidden ** -0.5)
    b = net.draw(ways, 2 * gates * hidden, scale=0.1)
    y = net.node(op, x, w, r, b, hidden_size=hidden, direction="bidirectional" if both else "forward")
    y = net.node("Transpose", y, perm=[0, 2, 1, 3])
    return net.node("Reshape", y, net.ints(0, 0, ways * hidden))


def lstm(seed, tiny):
    """Two layers, the first bidirectional, then a GRU; any length and batch."""
    hidden, features = (8, 5) if tiny else (128, 40)
    net = Net("lstm", seed, 14, {"t": 7 if tiny else 100, "n": 1})
    x = recurrent(net, "LSTM", net.input("x", ["t", "n", features]), features, hidden, 4)
    x = recurrent(net, "LSTM", x, 2 * hidden, hidden, 4, both=False)
    x = recurrent(net, "GRU", x, hidden, hidden, 3)
    net.output(net.linear(x, 2 * hidden, 20), ["t", "n", 20], name="y")
    return net.model()


def crnn(seed, tiny):
    """Text lines of height 32 and any width: convolutions, columns to steps, bidirectional LSTMs."""
    width, hidden, classes = (4, 8, 12) if tiny else (64, 256, 96)
    net = Net("crnn", seed, 14, {"n": 1, "w": 40 if tiny else 160})
    x, cin = net.input("line", ["n", 1, 32, "w"]), 1
    for cout, pool in ((width, [2, 2]), (2 * width, [2, 2]), (4 * width, [2, 1]), (8 * width, [2, 1])):
        x = net.conv_bn(x, cin, cout, 3)
        x, cin = net.node("MaxPool", x, kernel_shape=pool, strides=pool), cout
    x = net.act(net.conv(x, cin, cin, (2, 1), pads=[0, 0, 0, 0]), "Relu")
    x = net.node("Transpose", net.node("Squeeze", x, net.ints(2)), perm=[2, 0, 1])
    x = recurrent(net, "LSTM", x, cin, hidden, 4)
    x = net.linear(recurrent(net, "LSTM", x, 2 * hidden, hidden, 4), 2 * hidden, classes)
    net.output(net.node("LogSoftmax", x, axis=2), ["steps", "n", classes], name="characters")
    return net.model()
