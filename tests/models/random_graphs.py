"""Seeded random graphs of ONNX operators, small and numerically tame, for comparison between engines.

A value is *exact* while only copies lie between it and an input; operators that jump (comparisons,
rounding, top-k) take exact values alone, so that a rounding difference cannot flip them.
"""
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, DOUBLE, BOOL = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.BOOL
INT, INT32 = TensorProto.INT64, TensorProto.INT32
REALS, INTEGERS = (FLOAT, DOUBLE), (INT, INT32)
NUMBERS = REALS + INTEGERS
ANY = NUMBERS + (BOOL,)
OPSET = 19


@dataclass
class Value:
    name: str
    type: int
    shape: tuple
    exact: bool


class RandomGraph:
    """Grow a graph with `grow`, then take `model()` and `feeds`."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.values, self.nodes, self.weights, self.feeds, self.used = [], [], [], {}, set()
        for _ in range(self.random.integers(1, 4)):
            self.add_input()

    # -- drawing ---------------------------------------------------------------------------------------

    def below(self, count):
        return int(self.random.integers(0, count))

    def one_of(self, choices):
        return choices[self.below(len(choices))]

    def chance(self, probability):
        return self.random.random() < probability

    def add_input(self):
        rank = self.below(5)
        shape = tuple(int(self.one_of([1, 2, 3, 4, 5, 8, 16, 17])) for _ in range(rank))
        name, type = f"in{len(self.feeds)}", FLOAT if not self.feeds else self.one_of(INPUT_TYPES)
        values = self.random.uniform(-2, 2, shape)
        if type not in REALS:
            values = self.random.integers(-9, 10, shape) if type in INTEGERS else values > 0
        self.feeds[name] = np.asarray(values, helper.tensor_dtype_to_np_dtype(type))
        self.values.append(Value(name, type, shape, True))

    def const(self, array):
        name = f"c{len(self.weights)}"
        array = np.asarray(array)
        self.weights.append(numpy_helper.from_array(array, name))
        return Value(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, True)

    def ints(self, *values):
        return self.const(np.array(values, np.int64))

    def weight(self, *shape, like=None):
        """A constant in -1..1 (-3..3 for integers) of the type of a value."""
        dtype = helper.tensor_dtype_to_np_dtype(like.type if like else FLOAT)
        values = self.random.integers(-3, 4, shape) if dtype.kind == "i" else self.random.uniform(-1, 1, shape)
        return self.const(np.asarray(values, dtype))

    def scalar(self, number, like):
        return self.const(np.array(number, helper.tensor_dtype_to_np_dtype(like.type)))

    def pick(self, type=FLOAT, rank=None, least=0, exact=False):
        """A value of that type (or one of those), rank (or at least `least`) and exactness; newer ones
        more often. Integers are always exact."""
        types = type if isinstance(type, tuple) else (type,)
        fit = [v for v in self.values if v.type in types and (rank is None or len(v.shape) == rank)
               and len(v.shape) >= least and (v.exact or not exact) and 0 < np.prod(v.shape) <= 4096]
        return fit[-1 - min(self.below(len(fit)), self.below(len(fit)))] if fit else None

    # -- nodes -----------------------------------------------------------------------------------------

    def node(self, op, *operands, outputs=1, exact=False, **attributes):
        """Add a node if onnx infers complete types for it; its values, or None."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        node = helper.make_node(op, [v.name if v else "" for v in operands], names, **attributes)
        known = {tensor.name: tensor for tensor in self.weights}
        operands = {v.name: v for v in operands if v}
        ports = [helper.make_tensor_value_info(v.name, v.type, v.shape) for v in operands.values()]
        graph = helper.make_graph([node], "one", ports, [helper.make_empty_tensor_value_info(n) for n in names],
                                  [known[n] for n in operands if n in known])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        try:
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError:
            return None
        made = []
        for port in inferred.graph.output:
            kind = port.type.tensor_type
            if not kind.HasField("shape") or any(not d.HasField("dim_value") for d in kind.shape.dim):
                return None
            shape = tuple(d.dim_value for d in kind.shape.dim)
            if not 0 < np.prod(shape, dtype=np.int64) <= 20000:
                return None
            made.append(Value(port.name, kind.elem_type, shape, exact))
        self.nodes.append(node)
        self.values += made
        self.used |= set(operands)
        return made[0] if outputs == 1 else made

    def grow(self, count):
        attempts = 0
        while len(self.nodes) < count and attempts < 20 * count:
            attempts += 1
            self.one_of(GROWERS)(self)

    def model(self):
        """The graph with every value that nothing uses as an output, some input sizes left unknown."""
        ends = [v for v in self.values if v.name not in self.used and v.name not in self.feeds]
        inputs = []
        for name, array in self.feeds.items():
            shape = [f"{name}_{i}" if self.chance(0.3) else d for i, d in enumerate(array.shape)]
            type = helper.np_dtype_to_tensor_dtype(array.dtype)
            inputs.append(helper.make_tensor_value_info(name, type, shape))
        outputs = [helper.make_tensor_value_info(v.name, v.type, None) for v in ends]
        graph = helper.make_graph(self.nodes, "random", inputs, outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)


# -- growers: each tries to add one operator, or a short idiom, to a graph ------------------------------


def unary(g):
    if x := g.pick():
        g.node(g.one_of(["Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Erf", "HardSigmoid", "HardSwish", "Sin",
                         "Cos", "Softplus", "Softsign", "Elu", "Selu", "LeakyRelu", "Atan", "Mish",
                         "Identity", "Sinh", "ThresholdedRelu"]), x)


def unary_of_any_number(g):
    if x := g.pick(NUMBERS):
        g.node(g.one_of(["Abs", "Neg", "Identity"]), x, exact=x.type in INTEGERS)
    if x := g.pick(DOUBLE):
        g.node(g.one_of(["Sigmoid", "Tanh", "Sin", "Erf"]), x)


def guarded_unary(g):
    """Functions with an edge, kept away from it."""
    if not (x := g.pick(REALS)):
        return
    if g.chance(0.6):
        if (safe := g.node("Abs", x)) and (safe := g.node("Add", safe, g.scalar(0.5, x))):
            g.node(g.one_of(["Sqrt", "Log", "Reciprocal"]), safe)
    elif x.type == FLOAT and (safe := g.node("Clip", x, g.scalar(-0.8, x), g.scalar(0.8, x))):
        g.node(g.one_of(["Asin", "Acos", "Tan", "Atanh"]), safe)


def power(g):
    if x := g.pick(REALS):
        if g.chance(0.5):
            g.node("Pow", x, g.scalar(g.one_of([2, 3]), x))
        elif (safe := g.node("Abs", x)) and (safe := g.node("Add", safe, g.scalar(0.5, x))):
            g.node("Pow", safe, g.scalar(g.one_of([0.5, -1, 1.7]), x))


def exponential(g):
    if (x := g.pick(REALS)) and (small := g.node("Tanh", x)):
        g.node("Exp", small)


def rounding(g):
    if x := g.pick(REALS, exact=True):
        g.node(g.one_of(["Floor", "Ceil", "Round", "Sign"]), x, exact=True)


def binary(g):
    x = g.pick(NUMBERS)
    y = x and g.pick(x.type)
    if x and y:
        if g.chance(0.4):  # against a constant that spreads over some axes
            y = g.weight(*[d if g.chance(0.6) else 1 for d in x.shape[g.below(len(x.shape) + 1):]], like=x)
        exact = x.type in INTEGERS
        g.node(g.one_of(["Add", "Sub", "Mul", "Max", "Min"]), *g.one_of([(x, y), (y, x)]), exact=exact)


def division(g):
    x = g.pick(REALS)
    y = x and g.pick(x.type)
    if x and y and (safe := g.node("Abs", y)) and (safe := g.node("Add", safe, g.scalar(0.5, y))):
        g.node("Div", x, safe)


def variadic(g):
    if x := g.pick():
        g.node(g.one_of(["Sum", "Mean", "Max", "Min"]), x, g.pick(), g.pick())


def compare_and_choose(g):
    x = g.pick(NUMBERS, exact=True)
    y, a = x and g.pick(x.type, exact=True), g.pick(NUMBERS)
    if x and y and (flag := g.node(g.one_of(["Less", "Greater", "LessOrEqual", "Equal"]), x, y, exact=True)):
        if g.chance(0.3):
            flag = g.node("Not", flag, exact=True)
        b = g.pick(a.type)
        g.node("Where", flag, a, b, exact=a.exact and b.exact)


def logic(g):
    x, y = g.pick(BOOL), g.pick(BOOL)
    if x and y:
        g.node(g.one_of(["And", "Or", "Xor", "Equal"]), x, y, exact=True)
        g.node("Not", x, exact=True)


def triangle(g):
    if x := g.pick(NUMBERS, least=2):
        g.node("Trilu", x, g.const(np.array(g.below(5) - 2, np.int64)), upper=g.below(2), exact=x.exact)


def leaky(g):
    if x := g.pick(least=2):
        g.node("PRelu", x, g.weight(x.shape[1], *[1] * (len(x.shape) - 2)))


def clip(g):
    if x := g.pick(REALS):
        low, high = sorted(g.random.uniform(-1.5, 1.5, 2))
        g.node("Clip", x, g.scalar(low, x) if g.chance(0.8) else None, g.scalar(high, x))


def matrices(g):
    if x := g.pick(REALS, least=2):
        g.node("MatMul", x, g.weight(x.shape[-1], g.one_of([1, 3, 8, 17]), like=x))
        if len(x.shape) == 2:
            g.node("Gemm", x, g.weight(5, x.shape[1], like=x), g.weight(5, like=x), transB=1, alpha=0.5)


def products_of_values(g):
    if x := g.pick(least=2):
        order = [*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2]
        if turned := g.node("Transpose", x, perm=order, exact=x.exact):
            g.node("MatMul", x, turned)


def convolution(g):
    if x := g.pick(rank=4):
        channels, kernel = x.shape[1], g.one_of([1, 2, 3])
        groups = channels if g.chance(0.3) else 1
        cout = groups * g.one_of([1, 2]) if groups > 1 else g.one_of([1, 4, 9])
        g.node("Conv", x, g.weight(cout, channels // groups, kernel, kernel), g.weight(cout), group=groups,
               pads=[g.below(2) for _ in range(4)], strides=[g.one_of([1, 2])] * 2,
               dilations=[g.one_of([1, 1, 2])] * 2)


def convolution_of_lines(g):
    if x := g.pick(rank=3):
        g.node("Conv", x, g.weight(6, x.shape[1], g.one_of([1, 3])), g.weight(6), pads=[1, g.below(2)],
               strides=[g.one_of([1, 2])])


def transposed_convolution(g):
    if x := g.pick(rank=4):
        g.node("ConvTranspose", x, g.weight(x.shape[1], 3, 2, 2), strides=[g.one_of([1, 2])] * 2)


def pooling(g):
    if x := g.pick(rank=4):
        op = g.one_of(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
        attributes = {} if op.startswith("Global") else {
            "kernel_shape": [g.one_of([1, 2, 3])] * 2, "strides": [g.one_of([1, 2])] * 2,
            "ceil_mode": g.below(2)}
        g.node(op, x, exact=x.exact and op == "MaxPool", **attributes)


def normalisation(g):
    if (x := g.pick(rank=4)) and g.chance(0.5):
        c = x.shape[1]
        positive = g.const(g.random.uniform(0.5, 2, c).astype(np.float32))
        g.node("BatchNormalization", x, g.weight(c), g.weight(c), g.weight(c), positive)
        g.node("InstanceNormalization", x, g.weight(c), g.weight(c), epsilon=0.1)
    elif x := g.pick(least=1):
        g.node("LayerNormalization", x, g.weight(x.shape[-1]), g.weight(x.shape[-1]), epsilon=0.1)


def softmax(g):
    if x := g.pick(least=1):
        g.node(g.one_of(["Softmax", "LogSoftmax"]), x, axis=g.below(len(x.shape)))


def reduction(g):
    if x := g.pick(NUMBERS, least=1):
        axes = sorted({g.below(len(x.shape)) for _ in range(g.one_of([1, 2]))})
        ops = ["ReduceSum", "ReduceMax", "ReduceMin"]
        if x.type == FLOAT:
            ops += ["ReduceMean", "ReduceL2", "ReduceL1", "ReduceProd", "ReduceSumSquare", "ReduceLogSumExp"]
        g.node(g.one_of(ops), x, g.ints(*axes), keepdims=g.below(2), exact=x.type in INTEGERS)


def transpose(g):
    if x := g.pick(ANY, least=2):
        g.node("Transpose", x, perm=[int(i) for i in g.random.permutation(len(x.shape))], exact=x.exact)


def reshape(g):
    if x := g.pick(ANY):
        count = int(np.prod(x.shape))
        divisors = [d for d in range(1, count + 1) if count % d == 0]
        first = g.one_of(divisors)
        g.node("Reshape", x, g.ints(*g.one_of([(-1,), (first, -1), (first, 1, count // first), (1, -1)])),
               exact=x.exact)


def rank_change(g):
    if x := g.pick(ANY):
        if g.chance(0.5) and len(x.shape) < 5:
            g.node("Unsqueeze", x, g.ints(g.below(len(x.shape) + 1)), exact=x.exact)
        elif 1 in x.shape:
            g.node("Squeeze", x, g.ints(x.shape.index(1)), exact=x.exact)
        elif len(x.shape) >= 1:
            g.node("Flatten", x, axis=g.below(len(x.shape) + 1), exact=x.exact)


def slicing(g):
    if x := g.pick(ANY, least=1):
        axis = g.below(len(x.shape))
        start, step = g.below(x.shape[axis]), g.one_of([1, 1, 2, -1])
        end = -(2 ** 40) if step < 0 else g.one_of([2 ** 40, x.shape[axis]])
        g.node("Slice", x, g.ints(start), g.ints(end), g.ints(axis), g.ints(step), exact=x.exact)


def split_and_join(g):
    if x := g.pick(ANY, least=1):
        axis = g.below(len(x.shape))
        if x.shape[axis] > 1:
            cut = 1 + g.below(x.shape[axis] - 1)
            parts = g.node("Split", x, g.ints(cut, x.shape[axis] - cut), outputs=2, axis=axis, exact=x.exact)
            if parts and g.chance(0.6):
                g.node("Concat", parts[1], parts[0], *([x] if g.chance(0.3) else []), axis=axis, exact=x.exact)


def gathering(g):
    if x := g.pick(ANY, least=1):
        axis = g.below(len(x.shape))
        index = g.random.integers(-x.shape[axis], x.shape[axis], g.one_of([(), (1,), (3,), (2, 2)]))
        g.node("Gather", x, g.const(np.array(index, np.int64)), axis=axis, exact=x.exact)


def padding(g):
    if x := g.pick(NUMBERS, least=1):
        pads = [g.below(3) for _ in range(2 * len(x.shape))]
        mode = g.one_of(["constant", "edge", "reflect"])
        if mode == "reflect":
            pads = [min(p, d - 1) for p, d in zip(pads, x.shape * 2)]
        g.node("Pad", x, g.ints(*pads), g.scalar(2, x) if mode == "constant" else None, mode=mode,
               exact=x.exact)


def expanding(g):
    if x := g.pick(NUMBERS):
        if g.chance(0.5):
            g.node("Expand", x, g.ints(g.one_of([1, 2]), *[1] * len(x.shape)), exact=x.exact)
        elif len(x.shape):
            g.node("Tile", x, g.ints(*[g.one_of([1, 1, 2]) for _ in x.shape]), exact=x.exact)


def resizing(g):
    if x := g.pick(rank=4):
        scales = np.array([1, 1, g.one_of([1, 2]), g.one_of([1, 2])], np.float32)
        mode = g.one_of(["nearest", "linear", "cubic"])
        g.node("Resize", x, None, g.const(scales), mode=mode,
               coordinate_transformation_mode=g.one_of(["half_pixel", "asymmetric", "align_corners"]))


def selecting(g):
    if x := g.pick(least=1, exact=True):
        axis = g.below(len(x.shape))
        if g.chance(0.5):
            g.node("TopK", x, g.ints(1 + g.below(x.shape[axis])), outputs=2, axis=axis, exact=True)
        else:
            g.node(g.one_of(["ArgMax", "ArgMin"]), x, axis=axis, keepdims=g.below(2), exact=True)


def casting(g):
    if x := g.pick(ANY, exact=True):
        g.node("Cast", x, to=g.one_of(ANY), exact=True)
    if x := g.pick((DOUBLE, INT, INT32, BOOL)):
        g.node("Cast", x, to=FLOAT, exact=x.exact)


def integers(g):
    if x := g.pick(INTEGERS):
        g.node(g.one_of(["Div", "Mod", "Max"]), x, g.scalar(g.one_of([2, 3, 7]), x), exact=True)


def shape_arithmetic(g):
    """Flatten all but the last axis, as exporters spell it: Shape, Gather, Concat, Reshape."""
    if x := g.pick(ANY, least=2):
        shape = g.node("Shape", x, exact=True)
        last = shape and g.node("Gather", shape, g.ints(len(x.shape) - 1), axis=0, exact=True)
        target = last and g.node("Concat", g.ints(-1), last, axis=0, exact=True)
        if target:
            g.node("Reshape", x, target, exact=x.exact)


def cumulative(g):
    if x := g.pick(least=1):
        g.node("CumSum", x, g.const(np.array(g.below(len(x.shape)), np.int64)), reverse=g.below(2),
               exclusive=g.below(2))


def quantised(g):
    if x := g.pick(exact=True):
        scale, zero = g.const(np.float32(0.0173)), g.const(np.uint8(121))
        if q := g.node("QuantizeLinear", x, scale, zero, exact=True):
            g.node("DequantizeLinear", q, scale, zero, exact=True)


def branching(g):
    """If over a flag of an input; the branches capture values of the outer graph."""
    x = g.pick(exact=True)
    if not x or not (total := g.node("ReduceMax", x, keepdims=0, exact=True)):
        return
    flag = g.node("Greater", total, g.const(np.float32(1.0)), exact=True)
    if flag:
        branches = []
        for op in ("Neg", "Abs"):
            name = f"{op.lower()}{len(g.nodes)}"
            branches.append(helper.make_graph(
                [helper.make_node(op, [x.name], [name])], name, [],
                [helper.make_tensor_value_info(name, FLOAT, x.shape)]))
        output = f"v{len(g.nodes)}_0"
        g.nodes.append(helper.make_node("If", [flag.name], [output], then_branch=branches[0],
                                        else_branch=branches[1]))
        g.used |= {flag.name, x.name}
        g.values.append(Value(output, FLOAT, x.shape, True))


# -- idioms that engines fuse or cancel, whole and with a neighbour that reads their middle --------------


def seen_from_outside(g, value):
    """Sometimes another reader of a value inside an idiom, which a fusion must not lose."""
    if value and g.chance(0.25):
        g.node("Abs", value)
    return value


def spelled_gelu(g):
    if x := g.pick():
        inner = g.node("Div", x, g.const(np.float32(2 ** 0.5)))
        gate = inner and g.node("Add", g.node("Erf", inner), g.const(np.float32(1)))
        if seen_from_outside(g, gate):
            product = g.node("Mul", *g.one_of([(x, gate), (gate, x)]))
            g.node("Mul", product, g.const(np.float32(0.5)))


def spelled_hard_swish(g):
    if x := g.pick():
        gate = g.node("Clip", g.node("Add", x, g.const(np.float32(3))), g.const(np.float32(0)),
                      g.const(np.float32(6)))
        g.node("Mul", x, g.node("Div", seen_from_outside(g, gate), g.const(np.float32(6))))


def spelled_layer_norm(g):
    if x := g.pick(least=2):
        mean = g.node("ReduceMean", x, g.ints(-1), keepdims=1)
        centred = mean and g.node("Sub", x, mean)
        square = centred and g.node("Pow", centred, g.const(np.float32(2)))
        variance = square and g.node("ReduceMean", square, g.ints(-1), keepdims=1)
        if variance:
            deviation = g.node("Sqrt", g.node("Add", variance, g.const(np.float32(0.1))))
            scaled = g.node("Div", seen_from_outside(g, centred), deviation)
            g.node("Add", g.node("Mul", scaled, g.weight(x.shape[-1])), g.weight(x.shape[-1]))


def spelled_attention(g):
    if (x := g.pick(rank=3)) and x.shape[2] > 1:
        width = x.shape[2]
        q, k, v = (g.node("MatMul", x, g.weight(width, width)) for _ in range(3))
        scores = k and g.node("MatMul", q, g.node("Transpose", k, perm=[0, 2, 1]))
        if scores:
            scaled = g.node("Mul", scores, g.const(np.float32(width ** -0.5)))
            if g.chance(0.5):
                scaled = g.node("Add", scaled, g.weight(x.shape[1], x.shape[1]))
            g.node("MatMul", seen_from_outside(g, g.node("Softmax", scaled, axis=-1)), v)


def convolution_block(g):
    """Pad, convolution, batch-norm, activation, residual: each but the convolution by chance."""
    if x := g.pick(rank=4):
        c, y = x.shape[1], x
        kernel = g.one_of([1, 3])
        if g.chance(0.3):
            y = g.node("Pad", y, g.ints(0, 0, 1, 1, 0, 0, 1, 1), exact=x.exact)
        y = y and g.node("Conv", y, g.weight(c, c, kernel, kernel), g.weight(c), pads=[kernel // 2] * 4)
        if y and g.chance(0.5):
            positive = g.const(g.random.uniform(0.5, 2, c).astype(np.float32))
            y = g.node("BatchNormalization", y, g.weight(c), g.weight(c), g.weight(c), positive)
        y = seen_from_outside(g, y)
        if y and y.shape == x.shape and g.chance(0.6):
            y = g.node("Add", *g.one_of([(x, y), (y, x)]))
        if y and g.chance(0.7):
            g.node(g.one_of(["Relu", "Sigmoid", "HardSwish"]), y)


def siblings(g):
    """Several products of one tensor, joined or split afterwards."""
    if x := g.pick(least=2):
        parts = [g.node("MatMul", x, g.weight(x.shape[-1], size)) for size in (4, 4, 3)]
        if all(parts):
            g.node("Concat", *parts, axis=-1)


def turned_and_back(g):
    """Transposes that cancel around pointwise work."""
    if x := g.pick(rank=4):
        y = g.node("Transpose", x, perm=[0, 2, 3, 1], exact=x.exact)
        if y and (y := g.node("Add", y, g.weight(y.shape[-1]))):
            y = g.node(g.one_of(["Relu", "Tanh"]), seen_from_outside(g, y))
            g.node("Transpose", y, perm=[0, 3, 1, 2])


GROWERS = [unary, unary, unary_of_any_number, binary, binary, division, power, variadic, guarded_unary,
           exponential, rounding, compare_and_choose, logic, triangle, leaky, clip, matrices,
           products_of_values, convolution, convolution, convolution_of_lines, transposed_convolution,
           pooling, normalisation, softmax, reduction, transpose, reshape, rank_change, slicing,
           split_and_join, gathering, padding, expanding, resizing, selecting, casting, integers,
           shape_arithmetic, cumulative, quantised, branching, spelled_gelu, spelled_hard_swish,
           spelled_layer_norm, spelled_attention, convolution_block, convolution_block, siblings,
           turned_and_back]
INPUT_TYPES = [FLOAT, FLOAT, FLOAT, DOUBLE, INT, INT32, BOOL]


def make(seed):
    """(model, feeds) of a seed: three to twenty-five operators."""
    graph = RandomGraph(seed)
    graph.grow(3 + graph.below(23))
    return graph.model(), graph.feeds
