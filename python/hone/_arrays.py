"""Arrays to and from the plain values of the extension.

NumPy arrays where NumPy is installed; without it any object with a buffer or `__dlpack__` goes in and
`hone.Tensor` comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence

if TYPE_CHECKING:
    from . import Port

# Element types that NumPy has no letter for: Hone's name to ml_dtypes' name.
_ML = {
    "bf16": "bfloat16",
    "f8e4m3": "float8_e4m3fn",
    "f8e4m3fnuz": "float8_e4m3fnuz",
    "f8e5m2": "float8_e5m2",
    "f8e5m2fnuz": "float8_e5m2fnuz",
    "f8e8m0": "float8_e8m0fnu",
    "f4e2m1": "float4_e2m1fn",
    "s4": "int4",
    "u4": "uint4",
    "s2": "int2",
    "u2": "uint2",
}
_ML_BACK = {name: dtype for dtype, name in _ML.items()}
# What ml_dtypes keeps in a byte each and Hone packs: bits an element.
_PACKED = {"f4e2m1": 4, "s4": 4, "u4": 4, "s2": 2, "u2": 2}
_NUMPY = {
    "f32": "float32", "f64": "float64", "f16": "float16", "s64": "int64", "s32": "int32",
    "s16": "int16", "s8": "int8", "u64": "uint64", "u32": "uint32", "u16": "uint16", "u8": "uint8",
    "bool": "bool", "c64": "complex64", "c128": "complex128",
}


def _numpy() -> Any:
    import numpy

    return numpy


def numpy_or_none() -> Any:
    """NumPy, or None where it is not installed."""
    try:
        return _numpy()
    except ImportError:
        return None


def _pack(array: Any, bits: int) -> bytes:
    """One element a byte to `bits` an element, the lowest bits first."""
    np = _numpy()
    each = 8 // bits
    flat = array.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    flat = np.concatenate([flat, np.zeros(-len(flat) % each, np.uint8)]).reshape(-1, each)
    packed = np.zeros(len(flat), np.uint8)
    for i in range(each):
        packed |= flat[:, i] << (bits * i)
    data: bytes = packed.tobytes()
    return data


def _unpack(data: Any, count: int, bits: int, dtype: Any) -> Any:
    np = _numpy()
    packed = np.frombuffer(data, np.uint8)
    each = 8 // bits
    parts = [(packed >> (bits * i)) & ((1 << bits) - 1) for i in range(each)]
    flat = np.stack(parts, axis=1).reshape(-1)[:count].astype(np.uint8)
    return flat.view(dtype)


def _array_to_plain(array: Any) -> Any:
    np = _numpy()
    if array.dtype == object or array.dtype.kind in "US":
        strings = [s if isinstance(s, bytes) else str(s).encode() for s in array.reshape(-1)]
        return ("str", array.shape, strings)
    array = np.ascontiguousarray(array) if array.ndim else array
    name = array.dtype.name
    if name not in _ML_BACK:
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("="))
        return array
    dtype = _ML_BACK[name]
    if dtype in _PACKED:
        return (dtype, array.shape, _pack(array, _PACKED[dtype]))
    return (dtype, array.shape, array.reshape(-1).view(np.uint8))


def _strings_to_plain(value: Any) -> Optional[tuple[str, tuple[int, ...], list[bytes]]]:
    """Nested lists of str or bytes; None when it is something else."""
    shape: list[int] = []
    flat = [value]
    while flat and all(isinstance(item, (list, tuple)) for item in flat):
        sizes = {len(item) for item in flat}
        if len(sizes) != 1:
            return None
        shape.append(sizes.pop())
        flat = [part for item in flat for part in item]
    if not all(isinstance(item, (str, bytes)) for item in flat):
        return None
    return "str", tuple(shape), [s if isinstance(s, bytes) else s.encode() for s in flat]


def _strided(value: Any) -> Any:
    """A DLPack tensor that is not contiguous, copied to rows: by itself where it can, else by NumPy."""
    if hasattr(value, "contiguous"):
        return value.contiguous()
    np = numpy_or_none()
    return value if np is None else np.ascontiguousarray(np.from_dlpack(value))


def to_plain(value: Any, port: Optional[Port]) -> Any:
    """What the extension takes: see extension.h."""
    if port is not None and port.kind == "optional":
        return None if value is None else [to_plain(value, None)]
    if isinstance(value, (list, tuple)) and (port is None or port.kind == "sequence"):
        return [to_plain(item, None) for item in value]
    if type(value) is memoryview or type(value) is bytearray:
        return value
    if port is not None and port.dtype == "str":
        strings = _strings_to_plain(value)
        if strings is not None:
            return strings
    np = numpy_or_none()
    if np is not None and isinstance(value, np.ndarray):
        return _array_to_plain(value)
    if hasattr(value, "__dlpack__"):
        contiguous = getattr(value, "is_contiguous", None)
        return value if contiguous is None or contiguous() else _strided(value)
    if np is None:
        return value  # a buffer, or the extension says that it is none
    if port is not None and port.dtype in _NUMPY:
        return _array_to_plain(np.asarray(value, dtype=_NUMPY[port.dtype]))
    return _array_to_plain(np.asarray(value))


class Direct:
    """The way of NumPy's own types through a run, where nothing has to be looked at twice: of models
    whose inputs and outputs are tensors of such types."""

    def __init__(self, inputs: Sequence[Port], outputs: Sequence[Port]):
        np = numpy_or_none()
        every = [*inputs, *outputs]
        self.fits = np is not None and all(p.kind == "tensor" and p.dtype in _NUMPY for p in every)
        self._inputs = [port.name for port in inputs]
        self._outputs = [port.name for port in outputs]
        if self.fits:
            self._asarray, self._ndarray = np.asarray, np.ndarray
            self._types = {np.dtype(name) for name in _NUMPY.values()}

    def _is_plain(self, value: Any) -> bool:
        return type(value) is self._ndarray and value.dtype in self._types and value.flags.c_contiguous

    def inputs(self, given: Any) -> Optional[list[Any]]:
        """What the extension takes of {name: array}, or of the one array; None: go the long way."""
        if type(given) is not dict:
            return [given] if len(self._inputs) == 1 and self._is_plain(given) else None
        if len(given) != len(self._inputs):
            return None
        values = [given.get(name) for name in self._inputs]
        return values if all(map(self._is_plain, values)) else None

    def outputs(self, results: list[Any]) -> dict[str, Any]:
        return dict(zip(self._outputs, map(self._asarray, results)))


def to_writable(array: Any, port: Port) -> Any:
    """Memory for output `port`, for the extension to write to."""
    np = numpy_or_none()
    if port.dtype in _PACKED:
        raise TypeError(f"output '{port.name}' is packed ({port.dtype}): it cannot be written to an array")
    if np is not None and isinstance(array, np.ndarray) and array.dtype.name in _ML_BACK:
        if not array.flags.c_contiguous:
            raise BufferError("the array is not contiguous")
        return (_ML_BACK[array.dtype.name], array.shape, array.reshape(-1).view(np.uint8))
    return array


def _nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    """A flat list as lists in lists."""
    if not shape:
        return flat[0]
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)] if size else [[] for _ in range(shape[0])]
    return flat


def _strings_from_plain(shape: tuple[int, ...], strings: list[bytes], np: Any) -> Any:
    texts = [text.decode("utf-8", "replace") for text in strings]
    if np is None:
        return _nested(texts, shape)
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array.reshape(shape)


def from_plain(value: Any, port: Optional[Port], np: Any) -> Any:
    """An array, a list for a sequence, None for an absent optional, what a present one holds. `np` is
    NumPy; None: tensors stay hone.Tensor and strings are lists."""
    if value is None:
        return None
    if port is not None and port.kind == "optional":
        return from_plain(value[0], None, np)
    if isinstance(value, list):
        return [from_plain(item, None, np) for item in value]
    if isinstance(value, tuple):
        return _strings_from_plain(value[1], value[2], np)
    if np is None:
        return value
    dtype, shape = value.dtype, value.shape
    if dtype in _NUMPY:
        return np.asarray(value)
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, _ML[dtype]))
    if dtype in _PACKED:
        count = int(np.prod(shape, dtype=np.int64))
        return _unpack(value, count, _PACKED[dtype], kind).reshape(shape)
    return np.frombuffer(value, np.uint8).view(kind).reshape(shape)
