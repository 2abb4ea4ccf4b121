"""Conversion: what becomes an engine, what stays native, names, nothing slower, graphs of every form."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

import hone.tensorflow

rng = np.random.default_rng(3)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


WEIGHTS = [f32(6, 6) * 0.5 for _ in range(3)]


def concrete(function, *specs):
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def assert_same(got, want):
    got, want = tf.nest.flatten(got), tf.nest.flatten(want)
    for mine, theirs in zip(got, want, strict=True):
        assert native.error(mine.numpy(), theirs.numpy()) <= numerics.bound("model", "fp32")


def two_parts(x):
    """A part, an operator that stays native, a part, and a way round it."""
    y = tf.nn.relu(x @ WEIGHTS[0])
    z = tf.math.igamma(tf.abs(y) + 1.0, tf.abs(y) + 0.5)
    return {"after": tf.tanh(z @ WEIGHTS[1]) + y @ WEIGHTS[2], "middle": z}


def convert(function, **options):
    return hone.tensorflow.convert(function, measure=False, **options)


def test_what_no_engine_takes_stays_native_and_says_why():
    function = concrete(two_parts, tf.TensorSpec([None, 6]))
    converted = convert(function, minimum_segment_size=1)
    assert len(converted.segments) == 2
    reasons = {row["op"]: row["reason"] for row in converted.native}
    assert "not supported" in reasons["Igamma"]
    for batch in (1, 5):
        x = tf.constant(f32(batch, 6))
        assert_same(converted(x), function(x))


def test_segments_do_not_wait_for_themselves():
    """y goes round the native operator: it cannot be in one engine with what comes after it."""
    function = concrete(two_parts, tf.TensorSpec([None, 6]))
    for segment in convert(function, minimum_segment_size=1).segments:
        names = " ".join(segment.nodes)
        assert not ("Relu" in names and "Tanh" in names)


def test_least_size():
    function = concrete(two_parts, tf.TensorSpec([None, 6]))
    assert len(convert(function, minimum_segment_size=5).segments) == 1
    assert len(convert(function, minimum_segment_size=100).segments) == 0


def test_denied_operators_stay_native():
    function = concrete(lambda x: tf.nn.relu(x @ WEIGHTS[0]) @ WEIGHTS[1], tf.TensorSpec([None, 6]))
    converted = convert(function, minimum_segment_size=1, denied=["Relu"])
    assert {row["op"]: row["reason"] for row in converted.native}["Relu"] == "it is denied"
    x = tf.constant(f32(2, 6))
    assert_same(converted(x), function(x))


def test_strings_pass_by():
    function = concrete(lambda text, x: (tf.strings.length(text), x @ WEIGHTS[0]),
                        tf.TensorSpec([None], tf.string), tf.TensorSpec([None, 6]))
    converted = convert(function, minimum_segment_size=1)
    assert len(converted.segments) == 1
    text, x = tf.constant(["a", "bcd"]), tf.constant(f32(2, 6))
    assert_same(converted(text, x), function(text, x))


def test_control_flow_goes_in_whole():
    def loop(x):
        return tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(y @ WEIGHTS[0])), (0, x))[1]

    function = concrete(loop, tf.TensorSpec([None, 6]))
    converted = convert(function, minimum_segment_size=1)
    assert len(converted.segments) == 1
    x = tf.constant(f32(3, 6))
    assert_same(converted(x), function(x))


def keras_model():
    k = tf.keras
    model = k.Sequential([k.Input((12, 12, 3)), k.layers.Conv2D(8, 3, activation="relu"), k.layers.BatchNormalization(),
                          k.layers.GlobalAveragePooling2D(), k.layers.Dense(4, activation="softmax")])
    for w in model.weights:
        w.assign(rng.uniform(0.2, 1, w.shape))
    return model


def test_a_keras_model_saved_and_served(tmp_path):
    model = keras_model()
    converted = convert(model, minimum_segment_size=1)
    x = tf.constant(f32(3, 12, 12, 3))
    assert_same(converted(x), model(x, training=False))
    converted.save(tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert_same(served(x), model(x, training=False))


def test_a_saved_model_keeps_its_names(tmp_path):
    model = keras_model()
    model.export(str(tmp_path / "native"), verbose=False)
    converted = convert(tmp_path / "native", minimum_segment_size=1)
    converted.save(tmp_path / "model")
    before, after = (tf.saved_model.load(str(tmp_path / name)).signatures["serving_default"]
                     for name in ("native", "model"))
    assert before.structured_input_signature[1].keys() == after.structured_input_signature[1].keys()
    assert before.structured_outputs.keys() == after.structured_outputs.keys()
    name, = before.structured_input_signature[1]
    x = tf.constant(f32(2, 12, 12, 3))
    assert_same(after(**{name: x}), before(**{name: x}))


def test_a_graph_keeps_the_names_of_its_outputs():
    graph_def, inputs, outputs, want = native.frozen(lambda x: tf.nn.top_k(x @ WEIGHTS[0], 2), [f32(3, 6)])
    graph = tf.compat.v1.GraphDef.FromString(graph_def)
    made = hone.tensorflow.convert_graph_def(graph, outputs, minimum_segment_size=1, measure=False)
    assert sum(node.op == "HoneEngine" for node in made.node) == 1
    x = f32(3, 6)
    with tf.Graph().as_default() as before:
        tf.import_graph_def(graph, name="")
    with tf.Graph().as_default() as after:
        tf.import_graph_def(made, name="")
    results = []
    for each in (before, after):
        with tf.compat.v1.Session(graph=each) as session:
            results.append(session.run([f"{o}:0" for o in outputs], {f"{inputs[0]}:0": x}))
    for mine, theirs in zip(*results):
        assert native.error(mine, theirs) <= numerics.bound("model", "fp32")


def test_what_is_not_faster_stays_native():
    """One addition of a few numbers: crossing into an engine cannot pay."""
    function = concrete(lambda x: x + 1.0, tf.TensorSpec([4]))
    converted = convert(function, input_fn=lambda: [tf.constant(f32(4))])
    x = tf.constant(f32(4))
    assert_same(converted(x), function(x))


@pytest.fixture
def raced(monkeypatch):
    """Makes engines whose segment has a Tanh lose, and counts what is measured."""
    from hone.tensorflow import _whole, _worth
    measured = []

    def measure(surgery, segment, values):
        measured.append(segment.name)
        return [0.001, 0.002 if "Tanh" in segment.ops.values() else 0.0005]

    monkeypatch.setattr(_worth, "_measure", measure)
    monkeypatch.setattr(_whole, "race", lambda calls, inputs: [0.001, 0.0009])
    return measured


def test_each_segment_is_judged_by_its_own_time(raced):
    function = concrete(two_parts, tf.TensorSpec([None, 6]))
    converted = hone.tensorflow.convert(function)
    assert ["Tanh" in s.ops.values() for s in converted.segments] == [False]
    reasons = {row["op"]: row["reason"] for row in converted.native}
    assert reasons["Tanh"] == "its engine took 2000 us, TensorFlow 1000 us"
    x = tf.constant(f32(3, 6))
    assert_same(converted(x), function(x))


def test_a_frozen_graph_is_judged_as_a_whole_too(raced, monkeypatch, tmp_path):
    """As a graph, and as a file that becomes a function."""
    from hone.tensorflow import _whole
    x = f32(3, 6)
    graph, (source,), outputs, wanted = native.frozen(two_parts, [x])
    graph_def = tf.compat.v1.GraphDef.FromString(graph)
    (tmp_path / "frozen.pb").write_bytes(graph)
    (tmp_path / "frozen.pbtxt").write_text(str(graph_def))
    files = [tmp_path / "frozen.pb", str(tmp_path / "frozen.pbtxt"), graph_def]
    for whole, engines in ((0.0009, 1), (0.0011, 0)):
        monkeypatch.setattr(_whole, "race", lambda calls, inputs: [0.001, whole])
        made = hone.tensorflow.convert_graph_def(graph_def, outputs, feeds={source: x})
        assert sum(node.op == "HoneEngine" for node in made.node) == engines
        for model in files:
            converted = hone.tensorflow.convert(model)
            assert len(converted.segments) == engines
            got = converted(tf.constant(x))
            assert_same([got[name] for name in outputs], [tf.constant(want) for want in wanted])
    assert "the model with engines took 1.10 of native's time" in {row["reason"] for row in converted.native}
    inside = hone.tensorflow.convert(files[0], outputs=["Relu"])(tf.constant(x))
    assert_same(inside["Relu"], tf.nn.relu(x @ WEIGHTS[0]))


def test_times_that_are_written_down_decide_again(raced, tmp_path):
    function = concrete(two_parts, tf.TensorSpec([None, 6]))
    cache = tmp_path / "times.txt"
    kept = [sorted(hone.tensorflow.convert(function, timing_cache=cache).segments[0].ops)]
    count, lines = len(raced), cache.read_text()
    assert count
    kept.append(sorted(hone.tensorflow.convert(function, timing_cache=cache).segments[0].ops))
    assert kept[0] == kept[1] and len(raced) == count and cache.read_text() == lines


def test_a_frozen_cache_answers_or_is_an_error(raced, tmp_path):
    cache = tmp_path / "times.txt"
    def wide(columns):
        weights = tf.constant(f32(6, columns))
        return concrete(lambda x: tf.matmul(x, weights), tf.TensorSpec([None, 6]))
    function = wide(4)
    hone.tensorflow.convert(function, timing_cache=cache)
    count = len(raced)
    hone.tensorflow.convert(function, timing_cache=cache, frozen_cache=True)
    with pytest.raises(hone.NotFoundError, match="times of a segment"):
        hone.tensorflow.convert(wide(5), timing_cache=cache, frozen_cache=True)
    assert len(raced) == count


def test_a_recurrent_layer_goes_in_whole():
    """Its loop is over lists, which do not cross into an engine."""
    tf.keras.utils.set_random_seed(4)
    model = tf.keras.Sequential([tf.keras.Input((5, 3)), tf.keras.layers.LSTM(4, return_sequences=True),
                                 tf.keras.layers.LSTM(4)])
    converted = hone.tensorflow.convert(model, minimum_segment_size=1)
    assert len(converted.segments) == 1 and "While" in converted.segments[0].ops.values()
    x = f32(2, 5, 3)
    assert_same(converted(x), model(x))


def test_what_is_computed_from_constants_goes_with_who_uses_it():
    """Behind a native node a weight is a weight still, also in two engines at once."""
    scale = tf.constant(WEIGHTS[0])
    def run(x):
        weights = tf.exp(scale) * 0.1
        y = tf.math.igamma(tf.abs(x @ weights) + 1.0, 0.5)
        return y @ weights

    function = concrete(run, tf.TensorSpec([None, 6]))
    converted = hone.tensorflow.convert(function, minimum_segment_size=1)
    assert [len(s.inputs) for s in converted.segments] == [1, 1]
    x = tf.constant(f32(3, 6))
    assert_same(converted(x), function(x))


def test_functions_with_gradients_of_their_own_are_saved(tmp_path):
    """EfficientNet's swish is one; the operator beside it stays native and keeps its mark."""
    function = concrete(lambda x: tf.nn.silu(tf.math.igamma(tf.abs(x) + 1.0, tf.nn.silu(x) + 1.0)),
                        tf.TensorSpec([None, 6]))
    converted = convert(function, minimum_segment_size=1)
    converted.save(tmp_path / "model")
    served = tf.saved_model.load(str(tmp_path / "model"))
    x = tf.constant(f32(3, 6))
    assert_same(served.run(x), function(x))


def test_tables_stay_native_and_are_saved(raced, tmp_path):
    """Words are looked up in a table, which no engine takes and no constant replaces."""
    class Model(tf.Module):
        def __init__(self):
            keys = tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], [1, 2, 3], value_dtype=tf.int64)
            self.table = tf.lookup.StaticHashTable(keys, 0)
            self.weight = tf.Variable(f32(4, 6))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")], autograph=False)
        def run(self, words):
            return {"y": tf.nn.relu(tf.one_hot(self.table.lookup(words), 4) @ self.weight)}

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "native"), signatures=model.run)
    words = tf.constant(["c", "a", "who"])
    converted = hone.tensorflow.convert(tmp_path / "native", input_fn=lambda: [words])
    assert len(converted.segments) == 1 and "MatMul" in converted.segments[0].ops.values()
    assert_same(converted(words)["y"], model.run(words)["y"])
    assert "MatMul" in {row.op for row in converted.report([words]).rows}
    converted.save(tmp_path / "converted")
    del converted
    served = tf.saved_model.load(str(tmp_path / "converted")).signatures["serving_default"]
    assert_same(served(words=words)["y"], model.run(words)["y"])
