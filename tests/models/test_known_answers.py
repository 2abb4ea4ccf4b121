"""Real trained models give their known answers: recorded outputs, and accuracy on real data."""
import gzip
import json

import numpy as np
import pytest

import numerics

# model file -> folder of its recorded inputs and outputs
RECORDED = {
    "basic_pitch_nmp.onnx": "onnx_basic_pitch",
    "mnist_cnn_dynamo.onnx": "onnx_mnist_cnn_dynamo",
    "mnist_cntk.onnx": "onnx_mnist_cntk",
    "stories260K_ext.onnx": "stories260K",
    "super_resolution.onnx": "onnx_super_resolution",
    "version-RFB-320.onnx": "onnx_RFB-320",
}
# The recorder's name of an output where the model has another.
RENAMED = {"stories260K_ext.onnx": {"logits": "linear_35"}}


def recorded(folder):
    """({input: array}, {output: array}) as recorded in a folder."""
    description = json.loads((folder / "ref.json").read_text())
    return tuple({name: np.load(folder / entry[0]) for name, entry in description[side].items()}
                 for side in ("inputs", "outputs"))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_outputs(name, models_folder, open_engine):
    inputs, outputs = recorded(models_folder / "ref" / RECORDED[name])
    got = open_engine(models_folder / "onnx" / name).run(inputs)
    for output, want in outputs.items():
        value = got[RENAMED.get(name, {}).get(output, output)]
        assert value.shape == want.shape and value.dtype == want.dtype
        error = numerics.model_error(value, want)
        assert error <= numerics.bound("model", "fp32"), f"{output}: error {error:.2e}"


def test_faces_are_found(models_folder, open_engine):
    inputs, _ = recorded(models_folder / "ref" / "onnx_RFB-320")
    scores = open_engine(models_folder / "onnx" / "version-RFB-320.onnx").run(inputs)["scores"]
    assert int((scores[0, :, 1] > 0.7).sum()) == 93


@pytest.fixture(scope="module")
def mnist(models_folder):
    """MNIST's 10,000 test pictures (f32 [n, 1, 28, 28], 0..255) and labels."""
    def read(name, offset):
        data = gzip.decompress((models_folder / "data" / "mnist" / name).read_bytes())
        return np.frombuffer(data, np.uint8, offset=offset)

    pictures = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype(np.float32)
    return pictures, read("t10k-labels-idx1-ubyte.gz", 8)


def test_mnist_accuracy_dynamic_batch(models_folder, open_engine, mnist):
    pictures, labels = mnist
    pictures = ((pictures / 255 - 0.1307) / 0.3081).astype(np.float32)
    runner = open_engine(models_folder / "onnx" / "mnist_cnn_dynamo.onnx")
    cuts = [0, 1, 18, 500, 2500, 5000, 10000]  # several batch sizes on one engine
    answers = [runner.run({"x": pictures[a:b]})["log_softmax"] for a, b in zip(cuts, cuts[1:])]
    accuracy = (np.concatenate(answers).argmax(1) == labels).mean()
    assert accuracy == pytest.approx(0.9915, abs=numerics.bound("recorded answer", "fp32"))


def test_mnist_accuracy_cntk(models_folder, open_engine, mnist):
    pictures, labels = mnist
    runner = open_engine(models_folder / "onnx" / "mnist_cntk.onnx", threads=1)
    answers = [runner.run({"Input3": p[None]})["Plus214_Output_0"].argmax() for p in pictures]
    assert (np.array(answers) == labels).mean() == pytest.approx(0.9891, abs=numerics.bound("recorded answer", "fp32"))


def test_imagenet_top1_of_quantised_shufflenet(models_folder, open_engine):
    image = pytest.importorskip("PIL.Image")
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    deviation = np.array([0.229, 0.224, 0.225], np.float32)
    runner = open_engine(models_folder / "onnx" / "shufflenet-v2-12-int8.onnx")
    first, fifth, files = 0, 0, sorted((models_folder / "data" / "imagenet_sample").glob("*.JPEG"))
    assert len(files) == 200
    for file in files:
        picture = image.open(file).convert("RGB")
        scale = 256 / min(picture.size)
        picture = picture.resize([round(s * scale) for s in picture.size], image.Resampling.BILINEAR)
        left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
        pixels = np.asarray(picture.crop((left, top, left + 224, top + 224)), np.float32)
        x = ((pixels / 255 - mean) / deviation).transpose(2, 0, 1)[None]
        order = runner.run({"input": x.astype(np.float32)})["output"][0].argsort()[::-1]
        label = int(file.name[:3])
        first += order[0] == label
        fifth += label in order[:5]
    # 85.0 % and 97.5 % recorded; other kernels, decoders and resizers differ by a few pictures.
    assert first >= 167 and fifth >= 193, f"top-1 {first / 2} %, top-5 {fifth / 2} %"


def test_speech_probabilities(models_folder, open_engine):
    """Voice activity chunk by chunk, the state carried: an If-free LSTM model against recorded values."""
    inputs, outputs = recorded(models_folder / "ref" / "silero_vad")
    runner = open_engine(models_folder / "onnx" / "silero_vad_16k_op15.onnx", threads=1)
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    got = []
    for chunk in inputs["audio"].reshape(-1, 1, 512):
        x = np.concatenate([context, chunk], 1)
        answer = runner.run({"input": x, "state": state, "sr": np.array(16000, np.int64)})
        got.append(answer["output"].item())
        state, context = answer["stateN"], chunk[:, -64:]
    assert np.abs(np.array(got) - outputs["prob"]).max() < numerics.bound("recorded answer", "fp32")
