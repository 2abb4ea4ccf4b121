"""Files that are broken, absurd or malicious, each through the command in a process of its own: it says what
is wrong and where, with the right exit code, in bounded time and memory.
"""
import json
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rows_onnx  # noqa: E402
import rows_other  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = HERE.parents[1] / "build" / "apps" / "hone" / "hone"
MEMORY = 128 << 20     # bytes at the peak, beside a small multiple of the files; folding may take half
MEMORY_PER_BYTE = 8
SECONDS = 5            # of the processor, beside two a megabyte
SECONDS_PER_BYTE = 2 / 1e6
ADDRESSES = 4 << 30    # past this the machine would suffer; a row that needs it fails by its exit code


def measure(words):
    done = subprocess.run([sys.executable, "-I", "-S", str(HERE / "meter.py"), "60", str(ADDRESSES), str(COMMAND),
                           *map(str, words)], capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout)


def words_of_onnx(folder, maker, command="build"):
    made = maker(folder)
    (folder / "m.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return ["run", folder / "m.onnx"] if command == "run" else ["build", folder / "m.onnx", "-o", folder / "m.hone"]


def rows():
    for kind, group in rows_onnx.ROWS.items():
        for name, (maker, code, said, *command) in group.items():
            yield f"ONNX, {kind}: {name}", (lambda folder, m=maker, c=command: words_of_onnx(folder, m, *c)), code, said
    for kind, group in rows_other.ROWS.items():
        for name, (maker, code, said) in group.items():
            yield f"{kind}: {name}", maker, code, said


ROWS = list(rows())


def size_of(folder):
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file() and path.suffix != ".hone")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """What a small sound model takes."""
    folder = tmp_path_factory.mktemp("calm")
    done = measure([*words_of_onnx(folder, lambda f: rows_onnx.whole()), "--measure", "false", "--quiet"])
    assert done["code"] == 0, done["said"]
    return done


@pytest.mark.parametrize("make, code, said", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_row(make, code, said, calm, tmp_path):
    done = measure([*make(tmp_path), "--measure", "false", "--quiet"])
    size = size_of(tmp_path)
    assert done["code"] == code and said in done["said"], done["said"][-2000:]
    assert done["peak"] - calm["peak"] <= MEMORY + MEMORY_PER_BYTE * size, f"{done['peak'] >> 20} MiB for {size} bytes"
    assert done["cpu"] - calm["cpu"] <= SECONDS + SECONDS_PER_BYTE * size, f"{done['cpu']:.1f} s for {size} bytes"
