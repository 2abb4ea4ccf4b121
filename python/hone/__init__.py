"""Hone: trained models in, fast engines out.

    import hone
    engine = hone.build("net.onnx")            # seconds: optimises, measures, packs
    engine.save("net.hone")
    engine = hone.load("net.hone")             # milliseconds
    scores = engine.run({"input": picture})    # {name: array}, or a bare array for one input

Arrays go in and out without a copy through the buffer protocol or DLPack. NumPy is not needed:
without it outputs are `hone.Tensor`, which any library takes that knows one of the two.
"""

from __future__ import annotations

import json
import operator
import os
import tempfile
import threading
from typing import Any, Callable, Mapping, Optional, Sequence, Union, cast

from . import _hone
from ._arrays import Direct, from_plain, numpy_or_none, to_plain, to_writable
from ._errors import (
    CancelledError,
    CorruptError,
    DeviceError,
    Error,
    InvalidArgumentError,
    InvalidModelError,
    IOFailure,
    LimitError,
    MismatchError,
    NotFoundError,
    OutOfMemoryError,
    UnsupportedError,
)
from ._hone import Tensor

__version__ = _hone.version
__all__ = [
    "build", "load", "check", "options", "Engine", "Context", "Port", "Tensor", "Error", "UnsupportedError",
    "InvalidArgumentError", "InvalidModelError", "OutOfMemoryError", "LimitError", "IOFailure",
    "NotFoundError", "MismatchError", "CorruptError", "CancelledError", "DeviceError",
]

_hone.set_error_type(Error)

Progress = Callable[[str, int, int, float], Optional[bool]]


class Port:
    """An input or an output: `name`, `dtype` (as "f32"), `shape` (a tuple of sizes, names of unknown
    sizes, or None; None where the rank is unknown), `kind` ("tensor", "sequence", "optional")."""

    __slots__ = ("name", "dtype", "shape", "kind")

    def __init__(self, name: str, kind: int, dtype: str, dims: Optional[list[Union[int, str, None]]]):
        self.name = name
        self.kind = ("tensor", "sequence", "optional")[kind]
        self.dtype = dtype
        self.shape = None if dims is None else tuple(dims)

    def __repr__(self) -> str:
        kind = "" if self.kind == "tensor" else f"{self.kind} of "
        return f"<{self.name}: {kind}{self.dtype}{list(self.shape) if self.shape is not None else '[...]'}>"


def _option_texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Keywords as the options' names and texts: timing_cache=x becomes "timing-cache"."""
    texts = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif name == "shapes" and isinstance(value, Mapping):
            value = ",".join(f"{k}:{'x'.join(str(d) for d in v)}" for k, v in value.items())
        elif isinstance(value, os.PathLike):
            value = os.fspath(value)
        texts[name.replace("_", "-")] = str(value)
    return texts


def options() -> list[dict[str, str]]:
    """Every option: name, kind, default, range, phase and help."""
    keys = ("name", "kind", "default", "range", "phase", "help")
    return [dict(zip(keys, row)) for row in _hone.options()]


def _model(source: Any) -> Union[str, bytes]:
    """A path, the bytes of a file, or an `onnx.ModelProto`, as a path or bytes."""
    if hasattr(source, "SerializeToString"):
        source = source.SerializeToString()
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, Mapping) or hasattr(source, "state_dict"):
        what = "a state_dict holds weights and no graph" if isinstance(source, Mapping) else \
            f"{type(source).__name__} is a program, not yet a graph"
        raise InvalidArgumentError(
            1, f"{what}: export the model, as torch.onnx.export(model, example, 'net.onnx', dynamo=True) does, and "
               "build from the file. Weights alone go into an engine that is there: Engine.refit", "")
    path: str = os.fspath(source)
    return path


def build(
    source: Union[str, os.PathLike[str], bytes, Any],
    precision: str = "fp32",
    device: str = "auto",
    threads: Optional[int] = None,
    shapes: Optional[Union[str, Mapping[str, Sequence[int]]]] = None,
    timing_cache: Optional[Union[str, os.PathLike[str]]] = None,
    progress: Optional[Progress] = None,
    **more: Any,
) -> "Engine":
    """Builds an engine from a model: a path, the bytes of a file, or an `onnx.ModelProto`.

    `shapes` are typical sizes to measure kernels with, as {"input": (1, 3, 224, 224)}; other sizes
    run all the same. `progress(phase, done, total, seconds_left)` is called at each step; returning
    False stops measuring and keeps the best so far. Further keywords are options (hone.options()),
    with _ for -; `folder` is where a model given as bytes has its external data. Raises hone.Error;
    Ctrl-C stops it.
    """
    folder = more.pop("folder", None)
    texts = _option_texts(dict(more, precision=precision, device=device, threads=threads,
                               shapes=shapes, timing_cache=timing_cache))
    return Engine(_hone.build(_model(source), None if folder is None else os.fspath(folder), texts, progress))


def load(source: Union[str, os.PathLike[str], bytes], **more: Any) -> "Engine":
    """Opens an engine file, or the bytes of one. Raises MismatchError or CorruptError with the reason
    where it cannot."""
    if isinstance(source, (bytearray, memoryview)):
        source = bytes(source)
    if not isinstance(source, bytes):
        source = os.fspath(source)
    return Engine(_hone.load(source, _option_texts(more)))


def check(path: Union[str, os.PathLike[str]]) -> dict[str, Any]:
    """What an engine file is and whether it fits here, without loading it."""
    code, message, report = _hone.check(os.fspath(path))
    result: dict[str, Any] = json.loads(report)
    result.setdefault("verdict", "fits" if code == 0 else message)
    return result


class Engine:
    """A model made ready for this machine. Any number of threads may run it at once."""

    def __init__(self, handle: _hone.Engine):
        self._handle = handle
        self.inputs: list[Port] = [Port(*row) for row in handle.inputs()]
        self.outputs: list[Port] = [Port(*row) for row in handle.outputs()]
        self._local = threading.local()

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the engine file, atomically."""
        self._handle.save(os.fspath(path))

    def serialize(self) -> bytes:
        """The content of the engine file: hone.load takes it."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "engine.hone")
            self.save(path)
            with open(path, "rb") as file:
                return file.read()

    @property
    def weights(self) -> list[Port]:
        """The weights that refit can replace. An engine from a file has them if it was built with
        refit=True; else UnsupportedError."""
        return [Port(*row) for row in self._handle.weights()]

    def refit(
        self,
        weights: Optional[Mapping[str, Any]] = None,
        model: Optional[Any] = None,
        folder: Optional[Union[str, os.PathLike[str]]] = None,
    ) -> "Engine":
        """A new engine with other weights, {name: array}, and the kernels of this one: nothing is
        measured. `model` is another file of the same net (a path, bytes, an `onnx.ModelProto`; `folder`
        as for build) to take the weights from first."""
        source = None if model is None else _model(model)
        place = None if folder is None else os.fspath(folder)
        ports = {port.name: port for port in self.weights} if weights and model is None else {}
        plain = {name: to_plain(array, ports.get(name)) for name, array in (weights or {}).items()}
        return Engine(self._handle.refit(source, place, plain))

    def context(self, **more: Any) -> "Context":
        """A context of its own: options `threads`, `memory_limit` (bytes), `deadline` (seconds)."""
        return Context(self, self._handle.context(_option_texts(more)))

    def run(self, inputs: Any, outputs: Optional[Mapping[str, Any]] = None, numpy: Optional[bool] = None) -> Any:
        """Runs in this thread's own context: see Context.run."""
        context: Optional[Context] = getattr(self._local, "context", None)
        if context is None:
            context = self._local.context = self.context()
        return context.run(inputs, outputs, numpy)

    def report(self) -> dict[str, Any]:
        """What was built and why: units with sources, kernels and times, what fused, and so on."""
        return cast("dict[str, Any]", json.loads(self._handle.report()))

    def profile(self, inputs: Any, runs: int = 10) -> list[dict[str, Any]]:
        """Runs `runs` times with every step timed; steps with sources, kernel, nanoseconds of all runs, and the `least`
        of one: what else the machine does strikes single runs."""
        context = self.context()
        context.run(inputs)
        context._handle.profile(True)
        steps: list[dict[str, Any]] = []
        for _ in range(runs):
            context.run(inputs)
            now = cast("list[dict[str, Any]]", json.loads(context._handle.profile_report())["steps"])
            for i, step in enumerate(now):
                before = steps[i] if i < len(steps) else {"nanoseconds": 0}
                spent = step["nanoseconds"] - before["nanoseconds"]
                step["least"] = min(spent, before.get("least", spent))
            steps = now
        return steps

    def text(self) -> str:
        """The optimised graph in the text form."""
        return self._handle.text()

    def __repr__(self) -> str:
        return f"<hone.Engine {self.inputs} -> {self.outputs}>"


def _refuse_unknown(what: str, given: Mapping[str, Any], ports: Sequence[Port]) -> None:
    known = {port.name for port in ports}
    for name in given:
        if name not in known:
            raise InvalidArgumentError(1, f"there is no {what} '{name}'; there are {sorted(known)}", "")


def _written(array: Any, shape: tuple[int, ...], port: Port) -> Any:
    """The caller's array, after the output of this shape was written to it."""
    own = getattr(array, "shape", None)
    if own is not None and tuple(own) != shape:
        raise InvalidArgumentError(1, f"output '{port.name}' has shape {shape} and was given {tuple(own)}", "")
    return array


def _stream_handle(stream: Any) -> int:
    """A cudaStream_t as an int: of an object with `__cuda_stream__`, PyTorch's with `cuda_stream`, or itself. 0 is
    CUDA's legacy default stream, whose other name is 1."""
    if hasattr(stream, "__cuda_stream__"):
        version, stream = stream.__cuda_stream__()
        if version != 0:
            raise UnsupportedError(3, f"__cuda_stream__ of version {version} is not known", "")
    return operator.index(getattr(stream, "cuda_stream", stream)) or 1


class Context:
    """One request at a time on an engine. Made by Engine.context()."""

    def __init__(self, engine: Engine, handle: _hone.Context):
        self._engine = engine
        self._handle = handle
        self._direct = Direct(engine.inputs, engine.outputs)
        self._input_names = {port.name for port in engine.inputs}
        self._output_names = {port.name for port in engine.outputs}

    def run(self, inputs: Any, outputs: Optional[Mapping[str, Any]] = None, numpy: Optional[bool] = None) -> Any:
        """Runs on {name: array} and returns {name: array}; a bare array for a model's one input,
        then a bare array comes back if it has one output. A sequence is a list, an absent optional
        None, strings are object arrays, bf16, f8 and 4-bit types `ml_dtypes` arrays.

        An array goes in without a copy if it has a C-contiguous buffer or `__dlpack__`. `outputs`
        are arrays to write to, {name: array}, of the output's type and shape: they come back
        themselves. `numpy` False gives every tensor as hone.Tensor; by default NumPy is used where it is.
        """
        values = self._direct.inputs(inputs) if self._direct.fits and not outputs and numpy is None else None
        if values is not None:
            named = self._direct.outputs(self._handle.run(values, None))
            return named.popitem()[1] if type(inputs) is not dict and len(named) == 1 else named
        return self._run_any(inputs, outputs, numpy)

    def _run_any(self, inputs: Any, outputs: Optional[Mapping[str, Any]], numpy: Optional[bool]) -> Any:
        ports = self._engine.inputs
        bare = not isinstance(inputs, Mapping)
        if bare:
            if len(ports) != 1:
                raise InvalidArgumentError(1, f"the model has {len(ports)} inputs: pass them by name", "")
            values = [to_plain(inputs, ports[0])]
        else:
            values = [self._value(inputs, port) for port in ports]
            _refuse_unknown("input", inputs, ports)
        arrays = self._run(values, outputs or {}, numpy)
        if bare and len(arrays) == 1:
            return arrays[0]
        return {port.name: array for port, array in zip(self._engine.outputs, arrays)}

    def _run(self, values: list[Any], outputs: Mapping[str, Any], numpy: Optional[bool]) -> list[Any]:
        ports = self._engine.outputs
        _refuse_unknown("output", outputs, ports)
        given = None
        if outputs:
            given = [to_writable(outputs[port.name], port) if port.name in outputs else None for port in ports]
        results = self._handle.run(values, given)
        np = None if numpy is False else numpy_or_none()
        if np is None and numpy:
            raise ImportError("numpy=True, and NumPy is not installed")
        return [
            _written(outputs[port.name], result, port) if port.name in outputs else from_plain(result, port, np)
            for result, port in zip(results, ports)
        ]

    def _value(self, inputs: Mapping[str, Any], port: Port) -> Any:
        if port.name not in inputs:
            if port.kind == "optional":
                return None
            raise InvalidArgumentError(1, f"input '{port.name}' was not given", "")
        return to_plain(inputs[port.name], port)

    def enqueue(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Asks a GPU for a run on {name: array} and returns; `outputs` has an array to write to for every output,
        of its type and shape. Returns at once where all arrays are on the GPU or pinned (`__dlpack__` says so) and
        the whole model runs there; else when the run is over, as `run` does.

        The run comes after what was asked for before on the stream (`set_stream`), and before what is asked for there
        later: by default, and for arrays on the GPU, CUDA's legacy default stream, which is PyTorch's and CuPy's own.
        Who uses another stream, or the host, calls `wait` or synchronises first; nobody else writes to the arrays
        until then. The context holds them until `wait`, `run` or `set_stream`; runs on the same arrays take one place
        of 16, and one that finds no place waits for those before it.

        An array that is refused raises before the run is asked for. What goes wrong later is raised by `wait`, or by
        the call of this context that meets it first; then that call did nothing.
        """
        if self._handle.enqueue_again(inputs, outputs):
            return
        if not (inputs.keys() <= self._input_names and outputs.keys() <= self._output_names):
            _refuse_unknown("input", inputs, self._engine.inputs)
            _refuse_unknown("output", outputs, self._engine.outputs)
        values = [self._value(inputs, port) for port in self._engine.inputs]
        given = [to_writable(outputs.get(port.name), port) for port in self._engine.outputs]
        self._handle.enqueue(values, given)

    def wait(self) -> None:
        """Returns when the runs that were asked for are over, and lets go of their arrays. Raises the error of one that
        failed."""
        self._handle.wait()

    def set_stream(self, stream: Any) -> None:
        """Has runs done on `stream`: a cudaStream_t as an int, as `torch.cuda.current_stream().cuda_stream` and
        `ptr` of CuPy's are (0: the legacy default stream), or an object with `__cuda_stream__` or `cuda_stream`,
        which the context keeps. Arrays on the GPU are ordered with it by `__dlpack__(stream=…)`. None: as at first,
        a stream of the context's own, or the legacy default one from the first arrays on the GPU on. Waits for what
        was asked for before. UnsupportedError where the engine runs on the CPU.
        """
        self._handle.set_stream(None if stream is None else _stream_handle(stream), stream)

    def cancel(self) -> None:
        """Stops the run under way, from any thread."""
        self._handle.cancel()

    @property
    def memory(self) -> int:
        """Bytes that the context holds."""
        return self._handle.memory()
