"""PyTorch as a peer: an ONNX model as a module (onnx2torch), eager or compiled, in its best layout.

Lives in the environment of the peers (requirements-peers.txt). Convolutional nets run channels-last, bf16
through autocast; compiled nets are frozen, which folds their weights.
"""
import contextlib

import onnx
import onnx2torch
import torch
import torch._inductor.config as inductor
from onnx2torch.node_converters.registry import add_converter
from onnx2torch.utils.common import (OnnxMapping, OnnxToTorchModule, OperationConverterResult, get_const_value,
                                     onnx_mapping_from_node)


class _Lstm(torch.nn.Module, OnnxToTorchModule):
    """ONNX's LSTM (gates i, o, f, c) on PyTorch's (i, f, g, o), one layer."""

    def __init__(self, weights, recurrent, bias):
        super().__init__()
        directions, hidden = weights.shape[0], recurrent.shape[2]
        self.inner = torch.nn.LSTM(weights.shape[2], hidden, bidirectional=directions == 2)
        order = torch.cat([torch.arange(hidden) + gate * hidden for gate in (0, 2, 3, 1)])
        for d in range(directions):
            end = "_l0_reverse" if d else "_l0"
            getattr(self.inner, "weight_ih" + end).data = weights[d][order]
            getattr(self.inner, "weight_hh" + end).data = recurrent[d][order]
            getattr(self.inner, "bias_ih" + end).data = bias[d][:4 * hidden][order]
            getattr(self.inner, "bias_hh" + end).data = bias[d][4 * hidden:][order]
        self.directions, self.hidden = directions, hidden

    def forward(self, x, *_):
        y, (h, c) = self.inner(x)
        steps, batch = y.shape[:2]
        return y.reshape(steps, batch, self.directions, self.hidden).transpose(1, 2), h, c


class _Gelu(torch.nn.GELU, OnnxToTorchModule):
    """ONNX's Gelu of opset 20."""


@add_converter("LSTM", version=7)
@add_converter("LSTM", version=14)
def _convert_lstm(node, graph):
    module = _Lstm(*(get_const_value(name, graph) for name in node.input_values[1:4]))
    return OperationConverterResult(module, OnnxMapping(node.input_values[:1], node.output_values))


@add_converter("Gelu", version=20)
def _convert_gelu(node, graph):
    return OperationConverterResult(_Gelu(node.attributes.get("approximate", "none")),
                                    onnx_mapping_from_node(node))


class TorchRunner:
    compiled = False

    def __init__(self, model, threads, tuned, shapes, precision):
        if threads:
            torch.set_num_threads(threads)
        proto = model if isinstance(model, onnx.ModelProto) else onnx.load(model)
        self.inputs = [port.name for port in proto.graph.input]
        self.outputs = [port.name for port in proto.graph.output]
        self.module = onnx2torch.convert(proto).eval()
        self.channels_last = any(node.op_type == "Conv" for node in proto.graph.node)
        if self.channels_last:
            self.module = self.module.to(memory_format=torch.channels_last)
        self.lowered = precision == "bf16"
        if self.compiled:
            inductor.freezing = True
            self.module = torch.compile(self.module)

    def run(self, feeds):
        tensors = [torch.from_numpy(feeds[name]) for name in self.inputs]
        if self.channels_last:
            tensors = [t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
        lower = torch.autocast("cpu", torch.bfloat16) if self.lowered else contextlib.nullcontext()
        with torch.inference_mode(not self.compiled), torch.no_grad(), lower:
            results = self.module(*tensors)
        results = results if isinstance(results, (tuple, list)) else [results]
        return {name: value.float().numpy() if value.is_floating_point() else value.numpy()
                for name, value in zip(self.outputs, results)}


class CompiledTorchRunner(TorchRunner):
    compiled = True
