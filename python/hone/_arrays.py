"""Arrays to and from the plain values of the extension."""

from __future__ import annotations

from typing import Any

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


def _numpy():
    import numpy

    return numpy


def _pack(array: Any, bits: int) -> bytes:
    """One element a byte to `bits` an element, the lowest bits first."""
    np = _numpy()
    each = 8 // bits
    flat = array.reshape(-1).view(np.uint8) & ((1 << bits) - 1)
    flat = np.concatenate([flat, np.zeros(-len(flat) % each, np.uint8)]).reshape(-1, each)
    packed = np.zeros(len(flat), np.uint8)
    for i in range(each):
        packed |= flat[:, i] << (bits * i)
    return packed.tobytes()


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


def to_plain(value: Any, port: Any) -> Any:
    """What the extension takes: see _hone.c."""
    if port is not None and port.kind == "optional":
        return None if value is None else [to_plain(value, None)]
    if isinstance(value, (list, tuple)) and (port is None or port.kind == "sequence"):
        return [to_plain(item, None) for item in value]
    if type(value) is memoryview or type(value) is bytearray:
        return value
    np = _numpy()
    if isinstance(value, np.ndarray):
        return _array_to_plain(value)
    if hasattr(value, "__dlpack__"):
        return _array_to_plain(np.from_dlpack(value))
    if port is not None and port.dtype in _NUMPY:
        return _array_to_plain(np.asarray(value, dtype=_NUMPY[port.dtype]))
    return _array_to_plain(np.asarray(value))


def from_plain(value: Any, port: Any = None) -> Any:
    """An array, a list for a sequence, None for an absent optional, what a present one holds."""
    if value is None:
        return None
    if port is not None and port.kind == "optional":
        return from_plain(value[0])
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    dtype, shape, data = value
    np = _numpy()
    if dtype == "str":
        array = np.empty(len(data), dtype=object)
        array[:] = [text.decode("utf-8", "replace") for text in data]
        return array.reshape(shape)
    if dtype in _NUMPY:
        return np.frombuffer(data, _NUMPY[dtype]).reshape(shape)
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, _ML[dtype]))
    if dtype in _PACKED:
        count = int(np.prod(shape, dtype=np.int64))
        return _unpack(data, count, _PACKED[dtype], kind).reshape(shape)
    return np.frombuffer(data, np.uint8).view(kind).reshape(shape)
