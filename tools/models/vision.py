"""Seeded picture models: classifiers, detectors, segmenters. `tiny` is the same shape of net, small."""
import numpy as np
from onnx import TensorProto

from net import Net


def picture(name, seed, tiny, size=224, small=32, opset=17):
    """(net, input) with a dynamic batch and pictures of `size`, or `small` where tiny."""
    net = Net(name, seed, opset, {"n": 1})
    edge = small if tiny else size
    return net, net.input("x", ["n", 3, edge, edge])


def digits(seed, tiny):
    """The small net of the MNIST tutorials: two convolutions, two pools, one product. It has no tiny form."""
    net = Net("digits", seed, 17, {"n": 1})
    x = net.input("x", ["n", 1, 28, 28])
    x = net.act(net.conv(x, 1, 8, 5), "Relu")
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.act(net.conv(x, 8, 16, 5), "Relu")
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[3, 3])
    net.output(net.linear(net.node("Flatten", x), 256, 10), ["n", 10], name="scores")
    return net.model()


def resnet50(seed, tiny):
    net, x = picture("resnet50", seed, tiny)
    width, repeats, classes = (8, (1, 2, 1, 1), 10) if tiny else (64, (3, 4, 6, 3), 1000)
    x = net.conv_bn(x, 3, width, 7, 2)
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    cin = width
    for stage, count in enumerate(repeats):
        middle, cout = width << stage, width << (stage + 2)
        for block in range(count):
            stride = 2 if stage and not block else 1
            y = net.conv_bn(x, cin, middle, 1)
            y = net.conv_bn(y, middle, middle, 3, stride)
            y = net.conv_bn(y, middle, cout, 1, act="", gain=0.5)
            short = x if block else net.conv_bn(x, cin, cout, 1, stride, act="")
            x, cin = net.node("Relu", net.node("Add", y, short)), cout
    net.output(net.head(x, cin, classes), ["n", classes], name="logits")
    return net.model()


def inverted_residual(net, x, cin, cout, kernel, stride, hidden, act, squeeze=0, gate="Sigmoid",
                      squeeze_act="silu"):
    """The mobile block: expand, depthwise, squeeze-and-excite, project, shortcut."""
    y = net.conv_bn(x, cin, hidden, 1, act=act) if hidden != cin else x
    y = net.conv_bn(y, hidden, hidden, kernel, stride, groups=hidden, act=act)
    if squeeze:
        y = net.squeeze_excite(y, hidden, squeeze, squeeze_act, gate)
    y = net.conv_bn(y, hidden, cout, 1, act="", gain=0.7)
    return net.node("Add", x, y) if stride == 1 and cin == cout else y


def mobilenetv2(seed, tiny):
    net, x = picture("mobilenetv2", seed, tiny)
    table = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
             (6, 320, 1, 1)]
    last, classes, cin = 1280, 1000, 32
    if tiny:
        table, last, classes, cin = [(1, 8, 1, 1), (6, 12, 2, 2), (6, 16, 2, 2)], 64, 10, 8
    x = net.conv_bn(x, 3, cin, 3, 2, act="relu6")
    for expand, cout, count, stride in table:
        for block in range(count):
            x = inverted_residual(net, x, cin, cout, 3, 1 if block else stride, cin * expand, "relu6")
            cin = cout
    x = net.conv_bn(x, cin, last, 1, act="relu6")
    net.output(net.head(x, last, classes), ["n", classes], name="logits")
    return net.model()


def efficientnet_b0(seed, tiny):
    net, x = picture("efficientnet_b0", seed, tiny)
    table = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
             (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
    last, classes, cin = 1280, 1000, 32
    if tiny:
        table, last, classes, cin = [(1, 8, 1, 1, 3), (6, 12, 2, 2, 5), (6, 20, 2, 2, 3)], 64, 10, 8
    x = net.conv_bn(x, 3, cin, 3, 2, act="silu")
    for expand, cout, count, stride, kernel in table:
        for block in range(count):
            x = inverted_residual(net, x, cin, cout, kernel, 1 if block else stride, cin * expand, "silu",
                                  squeeze=max(1, cin // 4))
            cin = cout
    x = net.conv_bn(x, cin, last, 1, act="silu")
    net.output(net.head(x, last, classes), ["n", classes], name="logits")
    return net.model()


def mobilenetv3(seed, tiny):
    """MobileNetV3-large: hard-swish spelled out in the stem, as an op in the blocks."""
    net, x = picture("mobilenetv3", seed, tiny)
    table = [(3, 16, 16, 0, "Relu", 1), (3, 64, 24, 0, "Relu", 2), (3, 72, 24, 0, "Relu", 1),
             (5, 72, 40, 1, "Relu", 2), (5, 120, 40, 1, "Relu", 1), (5, 120, 40, 1, "Relu", 1),
             (3, 240, 80, 0, "HardSwish", 2), (3, 200, 80, 0, "HardSwish", 1),
             (3, 184, 80, 0, "HardSwish", 1), (3, 184, 80, 0, "HardSwish", 1),
             (3, 480, 112, 1, "HardSwish", 1), (3, 672, 112, 1, "HardSwish", 1),
             (5, 672, 160, 1, "HardSwish", 2), (5, 960, 160, 1, "HardSwish", 1),
             (5, 960, 160, 1, "HardSwish", 1)]
    hidden, classes, cin = 1280, 1000, 16
    if tiny:
        table, hidden, classes, cin = [(3, 8, 8, 0, "Relu", 1), (5, 24, 12, 1, "HardSwish", 2),
                                       (3, 32, 12, 1, "HardSwish", 1)], 32, 10, 8
    x = net.conv_bn(x, 3, cin, 3, 2, act="hard_swish_spelled")
    for kernel, expand, cout, squeeze, act, stride in table:
        x = inverted_residual(net, x, cin, cout, kernel, stride, expand, act,
                              squeeze=expand // 4 * squeeze, gate="HardSigmoid", squeeze_act="Relu")
        cin = cout
    x = net.conv_bn(x, cin, 6 * cin, 1, act="HardSwish")
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    x = net.act(net.linear(x, 6 * cin, hidden), "HardSwish")
    net.output(net.linear(x, hidden, classes), ["n", classes], name="logits")
    return net.model()


def convnext_tiny(seed, tiny):
    """Depthwise 7x7, then LayerNormalization and an MLP in channels-last between two transposes."""
    net, x = picture("convnext_tiny", seed, tiny, opset=20)
    widths, repeats, classes = ((8, 12, 16, 24), (1, 1, 2, 1), 10) if tiny else \
        ((96, 192, 384, 768), (3, 3, 9, 3), 1000)

    def normalised(x, width):
        x = net.layer_norm(net.node("Transpose", x, perm=[0, 2, 3, 1]), width, epsilon=1e-6)
        return net.node("Transpose", x, perm=[0, 3, 1, 2])

    x = normalised(net.conv(x, 3, widths[0], 4, 4, gain=1.0, pads=[0] * 4), widths[0])
    for stage, (width, count) in enumerate(zip(widths, repeats)):
        if stage:
            x = net.conv(normalised(x, widths[stage - 1]), widths[stage - 1], width, 2, 2, gain=1.0,
                         pads=[0] * 4)
        for _ in range(count):
            y = net.conv(x, width, width, 7, groups=width, gain=1.0)
            y = net.layer_norm(net.node("Transpose", y, perm=[0, 2, 3, 1]), width, epsilon=1e-6)
            y = net.linear(net.gelu(net.linear(y, width, 4 * width)), 4 * width, width)
            y = net.node("Mul", y, net.draw(width, scale=0.1, mean=0.3))
            x = net.node("Add", x, net.node("Transpose", y, perm=[0, 3, 1, 2]))
    x = net.node("GlobalAveragePool", x)
    x = net.layer_norm(net.node("Flatten", x), widths[-1], epsilon=1e-6)
    net.output(net.linear(x, widths[-1], classes), ["n", classes], name="logits")
    return net.model()


def unet(seed, tiny):
    """Encoder and decoder with skip concatenations, transposed convolutions; any size divisible by 8."""
    net = Net("unet", seed, 17, {"n": 1, "h": 16 if tiny else 128, "w": 24 if tiny else 192})
    width = 4 if tiny else 32
    x = net.input("x", ["n", 3, "h", "w"])
    skips, cin = [], 3
    for level in range(3):
        cout = width << level
        x = net.conv_bn(net.conv_bn(x, cin, cout, 3), cout, cout, 3)
        skips.append((x, cout))
        x, cin = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), cout
    x, cin = net.conv_bn(x, cin, width << 3, 3), width << 3
    for skip, cout in reversed(skips):
        weight = net.draw(cin, cout, 2, 2, scale=(1 / cin) ** 0.5)
        x = net.node("ConvTranspose", x, weight, net.draw(cout, scale=0.1), kernel_shape=[2, 2],
                     strides=[2, 2])
        x = net.node("Concat", skip, x, axis=1)
        x, cin = net.conv_bn(net.conv_bn(x, 2 * cout, cout, 3), cout, cout, 3), cout
    net.output(net.node("Sigmoid", net.conv(x, cin, 1, 1, gain=1.0)), ["n", 1, "h", "w"], name="mask")
    return net.model()


def yolo(seed, tiny):
    """A detector of YOLOv5's kind: CSP blocks, SPPF, an upsampling neck, decoded boxes."""
    size, width = (64, 4) if tiny else (320, 16)
    net = Net("yolo", seed, 17, {"n": 1})
    x = net.input("images", ["n", 3, size, size])

    def block(x, cin, cout, short=True):
        left = net.conv_bn(x, cin, cout // 2, 1, act="silu")
        y = net.conv_bn(net.conv_bn(left, cout // 2, cout // 2, 1, act="silu"), cout // 2, cout // 2, 3,
                        act="silu", gain=0.5)
        left = net.node("Add", left, y) if short else y
        right = net.conv_bn(x, cin, cout // 2, 1, act="silu")
        return net.conv_bn(net.node("Concat", left, right, axis=1), cout, cout, 1, act="silu")

    def upsample(x):
        return net.node("Resize", x, "", net.const(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
                        coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    x, cin, taps = net.conv_bn(x, 3, width, 6, 2, act="silu"), width, []
    for _ in range(4):
        x = block(net.conv_bn(x, cin, 2 * cin, 3, 2, act="silu"), 2 * cin, 2 * cin)
        cin *= 2
        taps.append(x)
    pools = [net.conv_bn(x, cin, cin // 2, 1, act="silu")]
    for _ in range(3):
        pools.append(net.node("MaxPool", pools[-1], kernel_shape=[5, 5], pads=[2, 2, 2, 2]))
    x = net.conv_bn(net.node("Concat", *pools, axis=1), 2 * cin, cin // 2, 1, act="silu")
    deep = x
    x = block(net.node("Concat", upsample(x), taps[2], axis=1), cin, cin // 2, short=False)
    heads = [decoded(net, x, cin // 2, size // 16, 16), decoded(net, deep, cin // 2, size // 32, 32)]
    boxes = 3 * ((size // 16) ** 2 + (size // 32) ** 2)
    net.output(net.node("Concat", *heads, axis=1), ["n", boxes, 15], name="boxes")
    return net.model()


def decoded(net, x, channels, edge, stride, classes=10):
    """One YOLO head: [n, c, edge, edge] to [n, 3 * edge * edge, 5 + classes], boxes in pixels."""
    fields = 5 + classes
    x = net.conv(x, channels, 3 * fields, 1, gain=1.0)
    x = net.node("Reshape", x, net.ints(0, 3, fields, edge, edge))
    x = net.node("Sigmoid", net.node("Transpose", x, perm=[0, 1, 3, 4, 2]))
    xy, wh, rest = net.node("Split", x, net.ints(2, 2, fields - 4), outputs=3, axis=4)
    rows, columns = np.meshgrid(np.arange(edge), np.arange(edge), indexing="ij")
    grid = np.stack([columns, rows], -1).reshape(1, 1, edge, edge, 2).astype(np.float32) - 0.5
    xy = net.node("Mul", net.node("Add", net.node("Mul", xy, net.scalar(2.0)), net.const(grid)),
                  net.scalar(float(stride)))
    anchors = net.const(net.random.uniform(stride, 4 * stride, (1, 3, 1, 1, 2)).astype(np.float32))
    wh = net.node("Mul", net.node("Pow", net.node("Mul", wh, net.scalar(2.0)), net.scalar(2.0)), anchors)
    return net.node("Reshape", net.node("Concat", xy, wh, rest, axis=4), net.ints(0, -1, fields))


def ssd_nms(seed, tiny):
    """Two feature maps, box and class heads, NonMaxSuppression, the chosen boxes gathered."""
    size, width, classes = (32, 8, 3) if tiny else (300, 32, 20)
    net = Net("ssd_nms", seed, 17)
    x = net.input("x", [1, 3, size, size])
    for cin, cout in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
        x = net.conv_bn(x, cin, cout, 3, 2)
    scores, boxes, channels, edge = [], [], 4 * width, -(-size // 8)
    for level in range(2):
        if level:
            x, edge = net.conv_bn(x, channels, channels, 3, 2), -(-edge // 2)
        score = net.node("Transpose", net.conv(x, channels, 2 * classes, 3, gain=4.0), perm=[0, 2, 3, 1])
        scores.append(net.node("Reshape", score, net.ints(1, -1, classes)))
        shift = net.node("Transpose", net.conv(x, channels, 8, 3, gain=0.02), perm=[0, 2, 3, 1])
        boxes.append(net.node("Add", net.node("Reshape", shift, net.ints(1, -1, 4)),
                              net.const(prior_boxes(edge))))
    score = net.node("Softmax", net.node("Concat", *scores, axis=1), axis=-1)
    score = net.node("Transpose", score, perm=[0, 2, 1])
    box = net.node("Concat", *boxes, axis=1)
    chosen = net.node("NonMaxSuppression", box, score, net.ints(10), net.const(np.array([0.5], np.float32)),
                      net.const(np.array([0.3], np.float32)))
    index = net.node("Gather", chosen, net.const(np.array(2, np.int64)), axis=1)
    kept = net.node("Gather", net.node("Squeeze", box, net.ints(0)), index, axis=0)
    net.output(chosen, ["kept", 3], TensorProto.INT64, name="chosen")
    net.output(kept, ["kept", 4], name="boxes")
    return net.model()


def prior_boxes(edge):
    """[1, 2 * edge * edge, 4] corners of a square and a wide box at every cell, in 0..1."""
    centre = (np.arange(edge) + 0.5) / edge
    y, x = np.meshgrid(centre, centre, indexing="ij")
    half = np.array([[0.8, 0.8], [0.6, 1.2]]) / edge
    boxes = [np.stack([y - h, x - w, y + h, x + w], -1) for h, w in half]
    return np.stack(boxes, 2).reshape(1, -1, 4).astype(np.float32)
