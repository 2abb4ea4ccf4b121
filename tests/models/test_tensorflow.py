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


# -- the face detector of OpenCV, whose file ends before the boxes ---------------------------------------

# Of each map of features: its size, step, smallest and largest box, aspect ratios beside 1.
FACE_MAPS = [(38, 8, 30, 60, [2]), (19, 16, 60, 111, [2, 3]), (10, 32, 111, 162, [2, 3]), (5, 64, 162, 213, [2, 3]),
             (5, 100, 213, 264, [2]), (5, 300, 264, 315, [2])]


def prior_boxes():
    """Centres and sizes [boxes, 4] in parts of the picture: SSD's boxes (Liu and others, 2016) as Caffe orders them."""
    rows = []
    for size, step, least, most, ratios in FACE_MAPS:
        shapes = [(least, least), (np.sqrt(least * most), np.sqrt(least * most))]
        for root in np.sqrt(ratios):
            shapes += [(least * root, least / root), (least / root, least * root)]
        for y in range(size):
            for x in range(size):
                rows += [((x + 0.5) * step, (y + 0.5) * step, w, h) for w, h in shapes]
    return np.array(rows) / 300


def overlap(a, b):
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    shared = sides.prod()
    return shared / (area(a) + area(b) - shared)


def faces(places, scores):
    """Rows (score, box) of what is kept: decoded with variances 0.1 and 0.2, overlaps above 0.45 suppressed."""
    prior = prior_boxes()
    centre = places[:, :2] * 0.1 * prior[:, 2:] + prior[:, :2]
    half = np.exp(places[:, 2:] * 0.2) * prior[:, 2:] / 2
    boxes = np.concatenate([centre - half, centre + half], 1)
    kept = []
    for i in [i for i in np.argsort(-scores, kind="stable") if scores[i] > 0.01][:400]:
        if all(overlap(boxes[i], boxes[k]) <= 0.45 for k in kept):
            kept.append(i)
    return np.array([[scores[i], *boxes[i]] for i in kept[:200]])


def test_faces_are_found(models_folder):
    folder = models_folder / "ref/tf_frozen_opencv_face"
    x = np.ascontiguousarray(np.load(folder / "in__data_nchw.npy").transpose(0, 2, 3, 1))
    engine = hone.build(models_folder / "tf_frozen/opencv_face_detector_uint8.pb", inputs="data[?,300,300,3]",
                        outputs="mbox_loc,mbox_conf_flatten", measure=False)
    got = engine.run({"data": x})
    mine = faces(got["mbox_loc"].reshape(-1, 4), got["mbox_conf_flatten"].reshape(-1, 2)[:, 1])
    theirs = np.load(folder / "out__detection_out.npy")[0, 0]
    assert (mine[:, 0] > 0.5).sum() == (theirs[:, 2] > 0.5).sum() == 6
    for want in theirs[theirs[:, 2] > 0.02]:
        assert np.abs(mine - want[2:]).max(axis=1).min() <= numerics.bound("recorded answer", "fp32")
