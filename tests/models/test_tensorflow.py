"""TensorFlow's files, read without TensorFlow: real models give their recorded answers."""
import json

import numpy as np
import pytest

import hone
import numerics

# model -> (folder of its recorded inputs and outputs, options of the import)
RECORDED = {
    "tf_frozen/lenet5.pb": ("tf_frozen_lenet5", {}),
    "tf_frozen/dehazenet.pb": ("tf_frozen_dehazenet", {"inputs": "input[?,?,?,1]"}),
    "savedmodel_tf1/half_plus_two_cpu": ("sm1_half_plus_two_cpu", {"inputs": "x[?]"}),
    "savedmodel_tf1/mnist_softmax": ("sm1_mnist_softmax", {"signature": "predict_images"}),
    "savedmodel_tf2/basic_pitch_nmp": ("sm2_basic_pitch", {}),
    "savedmodel_tf2/half_plus_two_tf2_cpu": ("sm2_half_plus_two_tf2_cpu", {"inputs": "x[?]"}),
    "savedmodel_tf2/kws_ref_model": ("sm2_kws_ref_model", {}),
    "savedmodel_tf2/mnist_cnn_2shard": ("sm2_mnist_cnn_2shard", {}),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_outputs(name, models_folder):
    folder, options = RECORDED[name]
    record = json.loads((models_folder / "ref" / folder / "ref.json").read_text())
    inputs, outputs = ({port: np.load(models_folder / "ref" / folder / entry[0])
                        for port, entry in record[side].items()} for side in ("inputs", "outputs"))
    engine = hone.build(models_folder / name, measure=False, **options)
    got = engine.run(inputs)
    for output, want in outputs.items():
        assert got[output].shape == want.shape and got[output].dtype == want.dtype
        error = numerics.model_error(got[output], want)
        assert error <= numerics.bound("model", "fp32"), f"{output}: error {error:.2e}"


@pytest.mark.parametrize("name", ["DNN_S", "DS_CNN_S", "CRNN_S", "LSTM_S"])
def test_words_are_heard_in_wav_files(name, models_folder):
    folder = models_folder / "ref" / f"tf_frozen_kws_{name}"
    engine = hone.build(models_folder / f"tf_frozen/kws_{name}.pb", outputs="Mfcc,labels_softmax", measure=False)
    for word in ("yes", "no", "silence"):
        wave = (models_folder / f"data/wav/{word}_1000ms.wav").read_bytes()
        got = engine.run({"wav_data": np.array(wave, object)})
        for output, file in (("Mfcc", f"out__{word}_Mfcc.npy"), ("labels_softmax", f"out__{word}.npy")):
            error = numerics.model_error(got[output], np.load(folder / file))
            assert error <= numerics.bound("model", "fp32"), f"{word}, {output}: error {error:.2e}"


def test_a_signature_that_is_not_there_is_named(models_folder):
    with pytest.raises(hone.Error, match="it has no signature 'serve_me'; it has .*'serving_default'"):
        hone.build(models_folder / "savedmodel_tf2/kws_ref_model", signature="serve_me")


def test_options_of_other_formats_are_refused(models_folder):
    with pytest.raises(hone.Error, match="takes no option 'signature'"):
        hone.build(models_folder / "onnx/mnist_cntk.onnx", signature="x")
