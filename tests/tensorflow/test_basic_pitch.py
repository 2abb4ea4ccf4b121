"""The SavedModel inside the PyPI package basic-pitch gives what TensorFlow gives. Skipped without the package."""
import importlib.util
import pathlib

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics


def test_notes_of_a_chord():
    spec = importlib.util.find_spec("basic_pitch")
    if spec is None:
        pytest.skip("package basic-pitch is not installed")
    folder = pathlib.Path(spec.submodule_search_locations[0]) / "saved_models/icassp_2022/nmp"
    time = np.arange(43844) / 22050
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277.18, 329.63)) / 4
    x = chord.astype(np.float32).reshape(1, -1, 1)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        signature = loaded.signature_def["serving_default"]
        ((name, port),) = signature.inputs.items()
        want = session.run({key: info.name for key, info in signature.outputs.items()}, {port.name: x})
    got = native.hone.build(folder, measure=False).run({name: x})
    assert set(got) == set(want)
    for output, theirs in want.items():
        error = numerics.model_error(got[output], theirs)
        assert error <= numerics.bound("model", "fp32"), f"{output}: error {error:.2e}"
