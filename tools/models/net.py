"""A thin builder of seeded ONNX models over onnx.helper: names, weights and the layers that recur.

Weights are He- or Xavier-scaled draws of one generator, so a model is a function of its seed; biases and
batch-norm statistics are random too, since zeros and ones hide mistakes. What a caller needs to feed a
model (upper bounds of integer inputs, usual sizes of named dimensions) travels in its metadata.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    def __init__(self, name, seed=0, opset=17, dims=None):
        """`dims`: the usual size of each named dimension, as {"n": 1}."""
        self.name, self.opset, self.dims = name, opset, dict(dims or {})
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []
        self.metadata = {f"dim:{key}": str(value) for key, value in self.dims.items()}
        self._constants, self._count = {}, 0

    # -- values ---------------------------------------------------------------------------------------

    def input(self, name, shape, dtype=TensorProto.FLOAT, high=None):
        """A graph input; integers are below `high`."""
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        if high is not None:
            self.metadata[f"high:{name}"] = str(high)
        return name

    def output(self, value, shape, dtype=TensorProto.FLOAT, name=None):
        if name:
            value = self.node("Identity", value, name=name)
        self.outputs.append(helper.make_tensor_value_info(value, dtype, shape))

    def const(self, array):
        """An initializer; equal small constants are shared."""
        array = np.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 else None
        if key in self._constants:
            return self._constants[key]
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        if key:
            self._constants[key] = name
        return name

    def ints(self, *values):
        return self.const(np.array(values, np.int64))

    def scalar(self, value):
        return self.const(np.array(value, np.float32))

    def draw(self, *shape, scale=1.0, mean=0.0):
        """A weight of normal draws."""
        return self.const((self.random.standard_normal(shape) * scale + mean).astype(np.float32))

    def node(self, op, *inputs, outputs=1, name=None, domain="", **attributes):
        """Add a node; its output's name, or a list of names where there are several."""
        self._count += 1
        names = [name] if name else [f"{op.lower()}{self._count}" + (f"_{i}" if i else "")
                                     for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{self.name}/{op}_{self._count}",
                                           domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  ir_version=8 if self.opset < 19 else 10)
        helper.set_model_props(model, self.metadata)
        return model

    # -- layers ---------------------------------------------------------------------------------------

    def conv(self, x, cin, cout, kernel, stride=1, groups=1, bias=True, gain=2.0, pads=None, dilation=1):
        """Convolution with symmetric padding that keeps the size at stride 1 (`pads` overrides)."""
        kernel = kernel if isinstance(kernel, tuple) else (kernel,) * 2
        stride = stride if isinstance(stride, tuple) else (stride,) * len(kernel)
        fan_in = cin // groups * int(np.prod(kernel))
        weight = self.draw(cout, cin // groups, *kernel, scale=(gain / fan_in) ** 0.5)
        same = [dilation * (k - 1) // 2 for k in kernel]
        operands = [x, weight] + ([self.draw(cout, scale=0.1)] if bias else [])
        return self.node("Conv", *operands, kernel_shape=kernel, strides=stride, group=groups,
                         pads=pads or same + same, dilations=[dilation] * len(kernel))

    def batch_norm(self, x, channels, gain=1.0):
        uniform = lambda low, high: self.const(  # noqa: E731
            self.random.uniform(low, high, channels).astype(np.float32))
        return self.node("BatchNormalization", x, uniform(0.8 * gain, 1.2 * gain), uniform(-0.1, 0.1),
                         uniform(-0.1, 0.1), uniform(0.7, 1.4), epsilon=1e-5)

    def conv_bn(self, x, cin, cout, kernel, stride=1, groups=1, act="Relu", gain=1.0):
        """Convolution, batch-norm and activation ("" for none), as exporters of trained CNNs spell them."""
        linear = 2.0 if act else 1.0
        x = self.conv(x, cin, cout, kernel, stride, groups, bias=False, gain=linear)
        return self.act(self.batch_norm(x, cout, gain), act)

    def act(self, x, kind):
        if kind == "":
            return x
        if kind == "relu6":
            return self.node("Clip", x, self.scalar(0.0), self.scalar(6.0))
        if kind == "silu":
            return self.node("Mul", x, self.node("Sigmoid", x))
        if kind == "hard_swish_spelled":  # the spelling of opsets before HardSwish
            gate = self.act(self.node("Add", x, self.scalar(3.0)), "relu6")
            return self.node("Div", self.node("Mul", x, gate), self.scalar(6.0))
        return self.node(kind, x)

    def squeeze_excite(self, x, channels, reduced, act="silu", gate="Sigmoid"):
        pooled = self.node("GlobalAveragePool", x)
        hidden = self.act(self.conv(pooled, channels, reduced, 1), act)
        return self.node("Mul", x, self.node(gate, self.conv(hidden, reduced, channels, 1, gain=1.0)))

    def linear(self, x, cin, cout, bias=True):
        """x @ W + b as MatMul and Add, for tensors of any rank."""
        y = self.node("MatMul", x, self.draw(cin, cout, scale=cin ** -0.5))
        return self.node("Add", self.draw(cout, scale=0.1), y) if bias else y

    def head(self, x, channels, classes):
        """Global pooling, flatten, Gemm."""
        x = self.node("Flatten", self.node("GlobalAveragePool", x))
        return self.node("Gemm", x, self.draw(classes, channels, scale=channels ** -0.5),
                         self.draw(classes, scale=0.1), transB=1)

    def layer_norm(self, x, width, spelled=False, epsilon=1e-5):
        scale, shift = self.draw(width, scale=0.1, mean=1.0), self.draw(width, scale=0.1)
        if not spelled:
            return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)
        centred = self.node("Sub", x, self.mean(x))
        variance = self.mean(self.node("Pow", centred, self.scalar(2.0)))
        deviation = self.node("Sqrt", self.node("Add", variance, self.scalar(epsilon)))
        scaled = self.node("Mul", self.node("Div", centred, deviation), scale)
        return self.node("Add", scaled, shift)

    def mean(self, x):
        if self.opset >= 18:
            return self.node("ReduceMean", x, self.ints(-1), keepdims=1)
        return self.node("ReduceMean", x, axes=[-1], keepdims=1)

    def gelu(self, x, spelled=False, tanh=False):
        if not spelled:
            return self.node("Gelu", x, approximate="tanh" if tanh else "none")
        if tanh:
            cube = self.node("Mul", self.node("Pow", x, self.scalar(3.0)), self.scalar(0.044715))
            inner = self.node("Mul", self.node("Add", x, cube), self.scalar((2 / np.pi) ** 0.5))
            gate = self.node("Add", self.node("Tanh", inner), self.scalar(1.0))
            return self.node("Mul", self.node("Mul", x, self.scalar(0.5)), gate)
        erf = self.node("Erf", self.node("Div", x, self.scalar(2 ** 0.5)))
        product = self.node("Mul", x, self.node("Add", erf, self.scalar(1.0)))
        return self.node("Mul", product, self.scalar(0.5))

    def size(self, x, axis):
        """One dimension of x at run time, i64[1], as exporters spell it."""
        return self.node("Unsqueeze", self.node("Gather", self.node("Shape", x), self.const(
            np.array(axis, np.int64)), axis=0), self.ints(0))

    def heads(self, x, count, width, order):
        """[n, t, count * width] to heads, transposed by `order`; n and t are read from the value."""
        shape = self.node("Concat", self.size(x, 0), self.size(x, 1), self.ints(count),
                          self.ints(width), axis=0)
        return self.node("Transpose", self.node("Reshape", x, shape), perm=order)

    def attention(self, x, width, count, mask=None):
        """Multi-head attention over x [n, t, width], spelled out; `mask` is added to the scores."""
        each = width // count
        q = self.heads(self.linear(x, width, width), count, each, [0, 2, 1, 3])
        k = self.heads(self.linear(x, width, width), count, each, [0, 2, 3, 1])
        v = self.heads(self.linear(x, width, width), count, each, [0, 2, 1, 3])
        scores = self.node("Div", self.node("MatMul", q, k), self.scalar(each ** 0.5))
        if mask:
            scores = self.node("Add", scores, mask)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), v)
        merged = self.node("Transpose", mixed, perm=[0, 2, 1, 3])
        shape = self.node("Concat", self.size(merged, 0), self.size(merged, 1), self.ints(width), axis=0)
        return self.linear(self.node("Reshape", merged, shape), width, width)


def sample_inputs(model, seed=1, dims=None):
    """Random feeds of a model made here; `dims` overrides the usual sizes of named dimensions."""
    random = np.random.default_rng(seed)
    facts = {p.key: p.value for p in model.metadata_props}
    sizes = {key[4:]: int(value) for key, value in facts.items() if key.startswith("dim:")}
    sizes.update(dims or {})
    feeds = {}
    for port in model.graph.input:
        kind = port.type.tensor_type
        shape = [sizes[d.dim_param] if d.dim_param else d.dim_value for d in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if dtype.kind == "i":
            feeds[port.name] = random.integers(0, int(facts[f"high:{port.name}"]), shape, dtype)
        else:
            feeds[port.name] = random.standard_normal(shape).astype(dtype)
    return feeds


def check(model):
    onnx.checker.check_model(model, full_check=True)
    return model
