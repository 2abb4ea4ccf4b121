"""Operators and element types that must run on a kernel, not on the reference: add a row for each
that gets one."""
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import hone

ALL = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint64")
AXIS = np.array(0, np.int64)
THREE = np.array([3], np.int64)

# operator, element types, shapes of inputs (a name's type follows x), constants, attributes
ROWS = [
    ("TopK", ALL, [(6, 9)], [THREE], {"axis": 1}),
    ("CumSum", ("float32", "float64", "float16", "int32", "int64"), [(6, 9)], [AXIS], {}),
    ("Trilu", ALL + ("bool",), [(6, 9)], [], {}),
    ("NonZero", ("float32", "int64", "uint8", "bool"), [(6, 9)], [], {}),
    ("Compress", ALL, [(6, 9)], [np.array([True, False, True])], {"axis": 0}),
    ("ReverseSequence", ALL, [(4, 3)], [np.array([1, 4, 2], np.int64)], {}),
    ("Gather", ALL, [(6, 9)], [THREE], {}),
    ("GatherND", ALL, [(6, 9)], [np.array([[1, 2]], np.int64)], {}),
    ("Tile", ALL, [(6, 9)], [np.array([2, 3], np.int64)], {}),
    ("Expand", ALL, [(6, 1)], [np.array([6, 5], np.int64)], {}),
    ("DepthToSpace", ("float32", "float64"), [(1, 8, 3, 5)], [], {"blocksize": 2}),
    ("SpaceToDepth", ("float32", "float64"), [(1, 2, 4, 6)], [], {"blocksize": 2}),
]
CASES = [(row, dtype) for row in ROWS for dtype in row[1]]


@pytest.mark.parametrize("row, dtype", CASES, ids=[f"{row[0]}-{dtype}" for row, dtype in CASES])
def test_runs_on_a_kernel(row, dtype):
    op, _, shapes, constants, attributes = row
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    inputs = [helper.make_tensor_value_info(f"x{i}", kind, s) for i, s in enumerate(shapes)]
    weights = [numpy_helper.from_array(c, f"c{i}") for i, c in enumerate(constants)]
    outputs = ["y", "p"] if op == "TopK" else ["y"]
    types = {"NonZero": TensorProto.INT64}
    names = [v.name for v in inputs] + [w.name for w in weights]
    graph = helper.make_graph(
        [helper.make_node(op, names, outputs, **attributes)], "g", inputs,
        [helper.make_tensor_value_info(n, TensorProto.INT64 if n == "p" else types.get(op, kind),
                                       None) for n in outputs], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    kernels = {unit["kernel"] for unit in hone.build(model).report()["units"]}
    assert kernels and "reference" not in kernels, kernels
