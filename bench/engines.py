"""One way to run a model on every engine that is installed: Hone and its peers.

`open_engine(name, model, threads)` gives a runner: `runner.inputs` and `runner.outputs` are lists of
names, `runner.run({name: value})` gives `{name: value}`. Values are NumPy arrays, lists (sequences) or
None (an absent optional); bf16, f8, 4-bit and 2-bit tensors are `ml_dtypes` arrays, strings object
arrays. A model is a path, bytes or an onnx.ModelProto.
"""
import ctypes
import os
import sys

import numpy as np
import onnx


class Unsupported(Exception):
    """The engine says that it lacks an operator or a type; anything else that it raises is an error."""


def _proto(model):
    if isinstance(model, onnx.ModelProto):
        return model
    if isinstance(model, bytes):
        return onnx.load_model_from_string(model)
    return onnx.load(os.fspath(model), load_external_data=False)


def _io_names(model):
    graph = _proto(model).graph
    weights = {tensor.name for tensor in graph.initializer}
    weights |= {tensor.values.name for tensor in graph.sparse_initializer}
    return [v.name for v in graph.input if v.name not in weights], [v.name for v in graph.output]


class HoneRunner:
    def __init__(self, model, threads, tuned, shapes, precision):
        import hone

        self._unsupported = hone.UnsupportedError
        try:
            self.engine = hone.build(model, threads=threads, measure=tuned, shapes=shapes,
                                     precision=precision)
        except self._unsupported as error:
            raise Unsupported(str(error)) from error
        self.inputs = [port.name for port in self.engine.inputs]
        self.outputs = [port.name for port in self.engine.outputs]

    def run(self, feeds):
        try:
            result = self.engine.run(feeds)
        except self._unsupported as error:
            raise Unsupported(str(error)) from error
        return result if isinstance(result, dict) else {self.outputs[0]: result}


# Element types that ONNX Runtime's Python binding does not turn into arrays by itself: values a byte.
_EXOTIC = {
    onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT8E4M3FN, onnx.TensorProto.FLOAT8E4M3FNUZ,
    onnx.TensorProto.FLOAT8E5M2, onnx.TensorProto.FLOAT8E5M2FNUZ, onnx.TensorProto.UINT4,
    onnx.TensorProto.INT4, onnx.TensorProto.FLOAT4E2M1,
} | {getattr(onnx.TensorProto, name) for name in ("FLOAT8E8M0", "UINT2", "INT2")
     if hasattr(onnx.TensorProto, name)}


def _element_bits(dtype):
    digits = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}
    return digits.get(np.dtype(dtype).name, 8 * np.dtype(dtype).itemsize)


def _pack(array):
    """The bytes of a tensor as ONNX stores them: sub-byte values lowest bits first."""
    bits = _element_bits(array.dtype)
    if bits >= 8:
        return array.tobytes()
    per_byte = 8 // bits
    values = array.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    values = np.pad(values, (0, -values.size % per_byte)).reshape(-1, per_byte)
    return (values << (np.arange(per_byte, dtype=np.uint8) * bits)).sum(1).astype(np.uint8).tobytes()


def _unpack(data, dtype, shape):
    bits = _element_bits(dtype)
    if bits >= 8:
        return np.frombuffer(data, dtype).reshape(shape).copy()
    per_byte = 8 // bits
    count = int(np.prod(shape, dtype=np.int64))
    values = np.frombuffer(data, np.uint8)[:, None] >> (np.arange(per_byte, dtype=np.uint8) * bits)
    values = (values & ((1 << bits) - 1)).reshape(-1)[:count].astype(np.uint8)
    return values.view(dtype).reshape(shape).copy()


class OrtRunner:
    """ONNX Runtime on the CPU, all optimisations on, with the types its binding lacks passed as bytes."""

    def __init__(self, model, threads, tuned, shapes, precision):
        os.environ.setdefault("ALLOW_RELEASED_ONNX_OPSET_ONLY", "0")
        import onnxruntime as ort

        if precision != "fp32":
            raise Unsupported(f"no {precision} on this device")
        ort.set_default_logger_severity(4)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        if threads:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        source = self._source(model)
        self._ort = ort
        try:
            self.session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise self._translate(error) from error
        self.inputs = [port.name for port in self.session.get_inputs()]
        self.outputs = [port.name for port in self.session.get_outputs()]
        graph = _proto(model).graph
        self._types = {v.name: v.type.tensor_type.elem_type for v in list(graph.input) + list(graph.output)}

    @staticmethod
    def _source(model):
        if isinstance(model, onnx.ModelProto):
            return model.SerializeToString()
        return os.fspath(model) if isinstance(model, os.PathLike) else model

    @staticmethod
    def _translate(error):
        kind = type(error).__name__
        return Unsupported(str(error)) if kind == "NotImplemented" else RuntimeError(f"{kind}: {error}")

    def run(self, feeds):
        known = [n for n in self.inputs + self.outputs if n in self._types]
        try:
            if any(self._types[n] in _EXOTIC for n in known) and \
                    all(isinstance(v, np.ndarray) for v in feeds.values()):
                return self._run_raw(feeds)
            return dict(zip(self.outputs, self.session.run(None, feeds)))
        except Exception as error:
            raise self._translate(error) from error

    def _run_raw(self, feeds):
        values = {name: self._to_value(name, array) for name, array in feeds.items()}
        results = self.session.run_with_ort_values(self.outputs, values)
        return {name: self._to_array(value) for name, value in zip(self.outputs, results)}

    def _to_value(self, name, array):
        if self._types[name] not in _EXOTIC:
            return self._ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))
        value = self._ort.OrtValue.ortvalue_from_shape_and_type(list(array.shape), self._types[name])
        data = _pack(np.ascontiguousarray(array))
        ctypes.memmove(value.data_ptr(), data, len(data))
        return value

    @staticmethod
    def _to_array(value):
        if value.element_type() not in _EXOTIC:
            return value.numpy()
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.element_type())
        shape = list(value.shape())
        size = -(-int(np.prod(shape, dtype=np.int64)) * _element_bits(dtype) // 8)
        return _unpack(ctypes.string_at(value.data_ptr(), size) if size else b"", dtype, shape)


class OnnxReferenceRunner:
    """The standard's own evaluator in NumPy: slow, an oracle."""

    def __init__(self, model, threads, tuned, shapes, precision):
        from onnx.reference import ReferenceEvaluator

        self.evaluator = ReferenceEvaluator(model if isinstance(model, onnx.ModelProto) else _proto(model))
        self.inputs, self.outputs = _io_names(model)

    def run(self, feeds):
        return dict(zip(self.outputs, self.evaluator.run(None, feeds)))


class OpenvinoRunner:
    def __init__(self, model, threads, tuned, shapes, precision):
        import openvino

        source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": {"fp32": "f32"}.get(precision, precision)}
        if threads:
            config["INFERENCE_NUM_THREADS"] = threads
        core = openvino.Core()
        self.request = core.compile_model(core.read_model(source), "CPU", config).create_infer_request()
        self.inputs, self.outputs = _io_names(model)

    def run(self, feeds):
        results = self.request.infer(feeds, share_inputs=True)
        return {name: results[i] for i, name in enumerate(self.outputs)}


def _torch(kind):
    def make(*arguments):
        import torch_peer  # which only the peers' environment can import

        return getattr(torch_peer, kind)(*arguments)
    return make


ENGINES = {
    "hone": (HoneRunner, "hone"),
    "ort": (OrtRunner, "onnxruntime"),
    "reference": (OnnxReferenceRunner, "onnx.reference"),
    "openvino": (OpenvinoRunner, "openvino"),
    "torch": (_torch("TorchRunner"), "torch"),
    "torch_compiled": (_torch("CompiledTorchRunner"), "torch"),
}


def installed(name):
    import importlib.util

    return importlib.util.find_spec(ENGINES[name][1]) is not None


def version(name):
    module = sys.modules.get(ENGINES[name][1]) or __import__(ENGINES[name][1])
    return getattr(module, "__version__", "?").split("-")[0].split("+")[0]


def open_engine(name, model, threads=None, tuned=False, shapes=None, precision="fp32"):
    """A runner. `tuned`: an engine that measures its kernels may do so, for these {input: shape}; tests
    leave it, so that they choose alike on every machine and day."""
    return ENGINES[name][0](model, threads, tuned, shapes, precision)
