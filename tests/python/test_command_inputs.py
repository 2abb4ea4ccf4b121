"""Inputs of the command: .npy, .npz, raw, pictures; and what is refused."""
import subprocess
import zipfile

import numerics
import numpy as np
import pytest
from PIL import Image

from command import COMMAND, QUICK, hone, identity, outputs

RNG = np.random.default_rng(1)
A = RNG.standard_normal((2, 3)).astype(np.float32)
B = np.arange(4, dtype=np.int64)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    return identity(folder / "two.onnx", {"a:0": (["n", 3],), "b": ([4], np.int64)})


def run(model, tmp_path, *words, code=0):
    done = hone("run", model, "--export-output", tmp_path / "y.json", *words, *QUICK, code=code)
    return done.stderr if code else outputs(tmp_path / "y.json")


def expect(got):
    np.testing.assert_allclose(got["out_a:0"], A, rtol=numerics.bound("written number", "fp32"))
    assert np.array_equal(got["out_b"], B)


@pytest.mark.parametrize("between", [":", "="])
def test_npy(model, tmp_path, between):
    np.save(tmp_path / "a.npy", A)
    np.save(tmp_path / "b.npy", B)
    a, b = (f"{name}{between}{tmp_path / file}" for name, file in (("a:0", "a.npy"), ("b", "b.npy")))
    expect(run(model, tmp_path, "--input", a, "--input", b))


def test_several_in_one_flag_as_trtexec(model, tmp_path):
    np.save(tmp_path / "a.npy", A)
    np.save(tmp_path / "b.npy", B)
    expect(run(model, tmp_path, f"--loadInputs=a:0:{tmp_path / 'a.npy'},b:{tmp_path / 'b.npy'}"))


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_npz(model, tmp_path, write):
    write(tmp_path / "all.npz", **{"a:0": A, "b": B})
    expect(run(model, tmp_path, "--input", tmp_path / "all.npz"))
    write(tmp_path / "one.npz", A)
    expect(run(model, tmp_path, "--input", f"a:0:{tmp_path / 'one.npz'}", "--input", f"b:{tmp_path / 'all.npz'}"))


def test_npz_with_a_comment_and_no_zip64(model, tmp_path):
    np.save(tmp_path / "a.npy", A)
    np.save(tmp_path / "b.npy", B)
    with zipfile.ZipFile(tmp_path / "z.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a.npy", "a:0.npy")
        archive.write(tmp_path / "b.npy", "b.npy")
        archive.comment = b"PK" * 100
    expect(run(model, tmp_path, "--input", tmp_path / "z.npz"))


def test_raw(model, tmp_path):
    A.tofile(tmp_path / "a.raw")
    B.tofile(tmp_path / "b.bin")
    words = ["--input", f"a:0:{tmp_path / 'a.raw'}", "--input", f"b:{tmp_path / 'b.bin'}"]
    expect(run(model, tmp_path, *words, "--shapes", "a:0:2x3"))
    assert "bytes" in run(model, tmp_path, *words, "--shapes", "a:0:3x3", code=1)


@pytest.mark.parametrize("name", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_types_in_and_out(tmp_path, name):
    x = np.array([[0, 1, 2], [3, 5, 1]]).astype(name)
    model = identity(tmp_path / "m.onnx", {"x": ([2, 3], x.dtype)})
    np.save(tmp_path / "x.npy", x)
    hone("run", model, "--input", tmp_path / "x.npy", "-o", tmp_path / "out", *QUICK)
    y = np.load(tmp_path / "out" / "out_x.npy")
    assert y.dtype == x.dtype and np.array_equal(x, y)


def test_scalars(tmp_path):
    model = identity(tmp_path / "m.onnx", {"x": ([],)})
    np.save(tmp_path / "x.npy", np.float32(2.5))
    hone("run", model, "--input", tmp_path / "x.npy", "-o", tmp_path / "out", *QUICK)
    y = np.load(tmp_path / "out" / "out_x.npy")
    assert y.shape == () and y == 2.5


def test_inputs_that_are_refused(model, tmp_path):
    np.save(tmp_path / "f.npy", np.asfortranarray(RNG.standard_normal((5, 3)).astype(np.float32)))
    np.save(tmp_path / "big.npy", A.astype(">f4"))
    np.save(tmp_path / "c.npy", np.array(["2026-01-01"], "datetime64[D]"))
    np.save(tmp_path / "a.npy", A)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    np.savez(tmp_path / "z.npz", q=A)
    for name, hint in [("f.npy", "C order"), ("big.npy", "little-endian"), ("c.npy", "type"), ("cut.npy", "cut"),
                       ("none.npy", "opened"), ("z.npz", "no array")]:
        words = ["--input", tmp_path / name] if name == "z.npz" else ["--input", f"a:0:{tmp_path / name}"]
        assert hint in run(model, tmp_path, *words, code=1)
    assert "no such input" in run(model, tmp_path, "--input", f"q:{tmp_path / 'a.npy'}", code=1)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_archives_never_crash(model, tmp_path, seed):
    np.savez_compressed(tmp_path / "z.npz", **{"a:0": A, "b": B})
    data = bytearray((tmp_path / "z.npz").read_bytes())
    rng = np.random.default_rng(seed)
    for _ in range(1 + seed % 4):
        data[rng.integers(len(data))] = rng.integers(256)
    if seed % 5 == 0:
        data = data[: rng.integers(len(data))]
    (tmp_path / "bad.npz").write_bytes(data)
    words = [COMMAND, "run", str(model), "--input", str(tmp_path / "bad.npz"), *QUICK]
    done = subprocess.run(words, capture_output=True)
    assert done.returncode in (0, 1, 2)


# ---- Pictures ---------------------------------------------------------------------------------

PICTURE = RNG.integers(0, 256, (10, 14, 3), np.uint8)


def bilinear(picture, height, width):
    """Pixel centres at halves, edges held: what the command says it does."""
    def axis(to, size):
        at = np.clip((np.arange(to) + 0.5) * size / to - 0.5, 0, size - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, size - 1), at - low

    y0, y1, fy = axis(height, picture.shape[0])
    x0, x1, fx = axis(width, picture.shape[1])
    p = picture.astype(np.float64)
    fy, fx = fy[:, None, None], fx[None, :, None]
    top = p[y0][:, x0] * (1 - fx) + p[y0][:, x1] * fx
    return top * (1 - fy) + (p[y1][:, x0] * (1 - fx) + p[y1][:, x1] * fx) * fy


@pytest.mark.parametrize("kind", ["png", "bmp", "ppm", "tiff"])
@pytest.mark.parametrize("size", [(10, 14), (5, 7), (16, 9)])
def test_pictures_are_resized_and_normalised(tmp_path, kind, size):
    Image.fromarray(PICTURE).save(tmp_path / f"p.{kind}")
    model = identity(tmp_path / "m.onnx", {"x": ([1, 3, *size],)})
    got = run(model, tmp_path, "--input", f"x:{tmp_path / f'p.{kind}'}", "--mean", "100,110,120", "--scale", "0.5")
    want = ((bilinear(PICTURE, *size) - [100, 110, 120]) * 0.5).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(got["out_x"], want, atol=numerics.bound("picture", "fp32"))


def test_a_jpeg_is_as_pillow_decodes_it(tmp_path):
    smooth = np.stack([np.add.outer(np.arange(32), np.arange(48)) * k for k in (1, 2, 3)], -1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "p.jpg", quality=95)
    model = identity(tmp_path / "m.onnx", {"x": ([1, 3, "h", "w"],)})
    got = run(model, tmp_path, "--input", tmp_path / "p.jpg")["out_x"]
    want = np.asarray(Image.open(tmp_path / "p.jpg")).transpose(2, 0, 1)[None].astype(float)
    assert got.shape == want.shape and np.abs(got - want).max() <= 3


@pytest.mark.parametrize("name, kind, options, most", [
    ("p.webp", "RGB", {"lossless": True}, 0), ("p.webp", "RGB", {"quality": 80}, 1), ("p.webp", "RGBA", {}, 1),
    ("p.jp2", "RGB", {}, 0), ("p.j2k", "RGB", {"irreversible": True, "quality_layers": [20]}, 1), ("p.jp2", "L", {}, 0),
    ("p.jp2", "LA", {}, 0), ("p.jp2", "RGBA", {}, 0), ("p.jp2", "RGB", {"tile_size": (16, 16)}, 0)])
def test_webp_and_jpeg_2000_are_as_pillow_decodes_them(tmp_path, name, kind, options, most):
    picture = Image.fromarray(RNG.integers(0, 256, (37, 51, 4), np.uint8), "RGBA").convert(kind)
    picture.save(tmp_path / name, **options)
    model = identity(tmp_path / "m.onnx", {"x": ([1, 3, "h", "w"],)})
    got = run(model, tmp_path, "--input", tmp_path / name)["out_x"]
    want = np.asarray(Image.open(tmp_path / name).convert("RGB")).transpose(2, 0, 1)[None].astype(float)
    assert got.shape == want.shape and np.abs(got - want).max() <= most


def test_layouts_channels_and_bytes(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "p.png")
    file = tmp_path / "p.png"
    last = identity(tmp_path / "last.onnx", {"x": ([1, 10, 14, 3],)})
    np.testing.assert_allclose(run(last, tmp_path, "--input", file)["out_x"], PICTURE[None])
    bgr = run(last, tmp_path, "--input", file, "--pixels", "bgr")["out_x"]
    np.testing.assert_allclose(bgr, PICTURE[None, ..., ::-1])
    gray = identity(tmp_path / "gray.onnx", {"x": ([1, 1, 10, 14],)})
    got = run(gray, tmp_path, "--input", file)["out_x"][0, 0]
    assert np.abs(got - np.asarray(Image.open(file).convert("L"))).max() <= 1
    small = identity(tmp_path / "u8.onnx", {"x": (["h", "w", 3], np.uint8)})
    np.testing.assert_allclose(run(small, tmp_path, "--input", file, "--layout", "nhwc")["out_x"], PICTURE)


def test_pictures_that_are_refused(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "p.png")
    file = tmp_path / "p.png"
    (tmp_path / "cut.png").write_bytes(file.read_bytes()[:100])
    ints = identity(tmp_path / "i.onnx", {"x": ([1, 3, 8, 8], np.int64)})
    flat = identity(tmp_path / "f.onnx", {"x": ([1, 192],)})
    good = identity(tmp_path / "g.onnx", {"x": ([1, 3, 8, 8],)})
    assert "f32 or u8" in run(ints, tmp_path, "--input", file, code=1)
    assert "rank" in run(flat, tmp_path, "--input", file, code=1)
    assert "--mean" in run(good, tmp_path, "--input", file, "--mean", "red", code=1)
    assert "channels" in run(good, tmp_path, "--input", file, "--pixels", "gray", code=1)
    run(good, tmp_path, "--input", tmp_path / "cut.png", code=1)
