"""A model of more than 2 GB, its weights beside it: imported, built, saved, loaded and run.

The weights lie in a sparse file, zeros but for seeded rows, and are looked up by Gather. What memory of its
own a process has tells copies from maps: importing makes none, building packs the weights once, loading
maps what was packed.
"""
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

ROWS, WIDTH = (1 << 20) + (1 << 14), 512  # 2 GiB and 32 MiB of f32
TABLE_BYTES = ROWS * WIDTH * 4
ROOM = 7 << 30       # on the disk: the engine has the weights packed and as they were; the table is sparse
SMALL = 64 << 20     # bytes that are no copy of the weights

PROGRAM = """
import json, sys
import numpy as np
import hone

def own():  # bytes of memory that is no file's
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(fields["RssAnon"].split()[0]) * 1024

step, source, places, result, engine_file = sys.argv[1:]
places = np.load(places)
before = own()
engine = hone.build(source, measure=False) if step == "build" else hone.load(engine_file)
answer = engine.run({"places": places})
np.save(result, answer["y"] if isinstance(answer, dict) else answer)
print(own() - before)
if step == "build":
    engine.save(engine_file)
"""


def make_model(folder):
    """Writes large.onnx and its table; {row: its values} of the rows that are not zeros."""
    random = np.random.default_rng(0)
    rows = {int(row): random.standard_normal(WIDTH).astype(np.float32)
            for row in (0, 1, ROWS // 3, (1 << 31) // (WIDTH * 4) + 5, ROWS - 1)}
    with open(folder / "table.bin", "wb") as file:
        file.truncate(TABLE_BYTES)
        for row, values in rows.items():
            file.seek(row * WIDTH * 4)
            file.write(values.tobytes())
    table = TensorProto(name="table", data_type=TensorProto.FLOAT, dims=[ROWS, WIDTH],
                        data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "table.bin"), ("offset", "0"), ("length", str(TABLE_BYTES))):
        table.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "places"], ["rows"]),
         helper.make_node("Mul", ["rows", "rows"], ["y"])], "large",
        [helper.make_tensor_value_info("places", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])], [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "large.onnx").write_bytes(model.SerializeToString())
    return rows


def run(step, folder):
    """What the process says its own memory grew by, and the answer."""
    names = [folder / name for name in ("large.onnx", "places.npy", "y.npy", "large.hone")]
    done = subprocess.run([sys.executable, "-c", PROGRAM, step, *map(str, names)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout), np.load(names[2])


def test_more_than_two_gigabytes(tmp_path):
    if shutil.disk_usage(tmp_path).free < ROOM:
        pytest.skip(f"less than {ROOM >> 30} GiB free at {tmp_path}")
    rows = make_model(tmp_path)
    places = np.array([*rows, 2, ROWS - 2, -1], np.int64)
    np.save(tmp_path / "places.npy", places)
    want = np.stack([rows.get(int(place % ROWS), np.zeros(WIDTH, np.float32)) for place in places])
    try:
        for step, most in (("build", TABLE_BYTES + SMALL), ("load", SMALL)):
            grown, answer = run(step, tmp_path)
            np.testing.assert_array_equal(answer, want * want)
            assert grown < most, f"{step}: {grown >> 20} MiB"
    finally:
        (tmp_path / "large.hone").unlink(missing_ok=True)
