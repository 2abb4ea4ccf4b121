"""hone.tensorflow.convert in one line, from whatever a user of Keras has; saved and served."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

import hone.tensorflow

rng = np.random.default_rng(8)
FP32 = numerics.bound("model", "fp32")


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def residual_net():
    """Convolutions with batch norms whose numbers are not those of a fresh layer, a residual sum, a dense end."""
    inputs = tf.keras.Input((24, 24, 3), name="pictures")
    y = tf.keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs)
    y = tf.keras.layers.ReLU()(tf.keras.layers.BatchNormalization()(y))
    z = tf.keras.layers.DepthwiseConv2D(3, padding="same")(y)
    y = tf.keras.layers.Add()([y, tf.keras.layers.BatchNormalization()(z)])
    y = tf.keras.layers.GlobalAveragePooling2D()(y)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(5, activation="softmax")(y))
    model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def model():
    return residual_net()


def of_file(suffix):
    def make(model, folder):
        model.save(folder / f"model{suffix}")
        return folder / f"model{suffix}"
    return make


def of_folder(model, folder):
    model.export(folder / "exported")
    return str(folder / "exported")


def of_function(model, folder):
    spec = tf.TensorSpec([None, 24, 24, 3], name="pictures")
    return tf.function(lambda x: model(x, training=False), input_signature=[spec], autograph=False)


SOURCES = {"model": lambda model, folder: model, ".keras": of_file(".keras"), ".h5": of_file(".h5"),
           "folder": of_folder, "tf.function": of_function,
           "ConcreteFunction": lambda model, folder: of_function(model, folder).get_concrete_function()}


@pytest.mark.parametrize("source", SOURCES)
def test_one_line(source, model, tmp_path):
    converted = hone.tensorflow.convert(SOURCES[source](model, tmp_path), minimum_segment_size=1, measure=False)
    assert len(converted.segments) == 1
    for batch in (1, 5):
        x = f32(batch, 24, 24, 3)
        want = model(x, training=False).numpy()
        got, = tf.nest.flatten(converted(tf.constant(x)))
        assert native.error(got.numpy(), want) <= FP32
    converted.save(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    name, = served.structured_input_signature[1]
    got, = served(**{name: tf.constant(x)}).values()
    assert native.error(got.numpy(), want) <= FP32


def test_several_inputs_and_outputs(tmp_path):
    """By the order of the model's inputs; outputs in the structure that the model gives."""
    left, right = tf.keras.Input((6,), name="left"), tf.keras.Input((4,), name="right")
    joined = tf.keras.layers.Concatenate()([tf.keras.layers.Dense(6, activation="relu")(left), right])
    model = tf.keras.Model([left, right], {"sum": tf.keras.layers.Dense(3)(joined),
                                           "gate": tf.keras.layers.Dense(1, activation="sigmoid")(joined)})
    model.save(tmp_path / "two.keras")
    converted = hone.tensorflow.convert(tmp_path / "two.keras", minimum_segment_size=1, measure=False)
    a, b = f32(3, 6), f32(3, 4)
    want, got = model([a, b], training=False), converted(tf.constant(a), tf.constant(b))
    assert sorted(got) == ["gate", "sum"]
    for name in got:
        assert native.error(got[name].numpy(), want[name].numpy()) <= FP32


def test_layers_that_keras_calls_differently_when_it_trains():
    model = tf.keras.Sequential([tf.keras.Input((10,)), tf.keras.layers.Dropout(0.5), tf.keras.layers.Dense(4),
                                 tf.keras.layers.GaussianNoise(0.3), tf.keras.layers.LayerNormalization()])
    converted = hone.tensorflow.convert(model, minimum_segment_size=1, measure=False)
    x = f32(2, 10)
    assert native.error(converted(tf.constant(x)).numpy(), model(x, training=False).numpy()) <= FP32


def test_what_is_no_model_is_told():
    with pytest.raises(TypeError, match="Keras file or model.*not dict"):
        hone.tensorflow.convert({})


@pytest.mark.parametrize("hold", (lambda model: model, lambda model: [model]), ids=("attribute", "list"))
def test_a_module_around_layers_is_read_without_tensorflow(hold, tmp_path):
    """Its restore function fills copies; which tensor a variable is only the checkpoint's graph of objects says."""
    class Served(tf.Module):
        def __init__(self, model):
            super().__init__()
            self.held = hold(model)
            self.run = tf.function(lambda x: model(x, training=False), autograph=False,
                                   input_signature=[tf.TensorSpec([None, 24, 24, 3], name="pictures")])

    served, x = Served(residual_net()), f32(2, 24, 24, 3)
    tf.saved_model.save(served, str(tmp_path), signatures=served.run)
    got = hone.build(str(tmp_path), measure=False).run(x)
    assert native.error(got, served.run(tf.constant(x)).numpy()) <= FP32
