"""Control flow, lists and recurrent layers of TensorFlow against TensorFlow itself."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

rng = np.random.default_rng(7)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def check(function, *arrays, subject="model", open_sizes=False):
    got, want, engine = native.on_hone(function, arrays, open_sizes=open_sizes)
    for mine, theirs in zip(got, want, strict=True):
        assert native.error(mine, theirs) <= numerics.bound(subject, "fp32")
    return engine


@pytest.mark.parametrize("value", [-1.0, 2.0])
def test_if(value):
    def function(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1)

    check(function, np.array([value, value], np.float32))


def test_if_with_weights():
    weights = tf.Variable(f32(4, 3))
    check(lambda x: tf.cond(x[0, 0] > 0, lambda: x @ weights, lambda: x[:, :3]), f32(2, 4))


@pytest.mark.parametrize("index", [0, 1, 2, 7, -1])
def test_case(index):
    def function(i, x):
        return tf.switch_case(i, [lambda: x + 1, lambda: x * 3, lambda: -x])

    check(function, np.array(index, np.int32), f32(3))


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_while(turns):
    def function(n, x):
        return tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 1.5 + x), (0, x))

    check(function, np.array(turns, np.int32), f32(2, 3))


def test_while_that_grows():
    def function(x):
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.concat([y, x], 0)), (0, x),
                             shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3])))

    check(function, f32(2, 3))


def test_while_inside_while():
    def inner(x, n):
        return tf.while_loop(lambda j, y: j < n, lambda j, y: (j + 1, y + tf.cast(j, tf.float32)), (0, x))[1]

    check(lambda x: tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, inner(y, i)), (0, x)), f32(3))


def test_map_stacks_what_its_turns_give():
    check(lambda x: tf.map_fn(lambda row: tf.cumsum(row) * 2, x), f32(5, 4))


@pytest.mark.parametrize("open_sizes", [False, True])
def test_scan(open_sizes):
    check(lambda x: tf.scan(lambda a, row: a * 0.5 + row, x), f32(6, 3), open_sizes=open_sizes)


def test_list_longer_than_the_loop():
    def function(x):
        items = tf.TensorArray(tf.float32, 6, element_shape=[3])
        _, items = tf.while_loop(lambda i, _: i < 4, lambda i, t: (i + 1, t.write(i, x[i])), (0, items))
        return items.stack()

    check(function, f32(5, 3))


LAYERS = {
    "LSTM": lambda k: k.layers.LSTM(8),
    "LSTM sequences": lambda k: k.layers.LSTM(8, return_sequences=True),
    "LSTM backwards": lambda k: k.layers.LSTM(8, go_backwards=True, return_state=True),
    "GRU": lambda k: k.layers.GRU(8, return_sequences=True),
    "GRU before reset": lambda k: k.layers.GRU(8, reset_after=False),
    "SimpleRNN": lambda k: k.layers.SimpleRNN(8, return_sequences=True),
    "Bidirectional": lambda k: k.layers.Bidirectional(k.layers.LSTM(8, return_sequences=True)),
    "unrolled": lambda k: k.layers.LSTM(8, unroll=True),
}


def keras_function(make, shape):
    """A layer with every weight random, as a function of a batch."""
    layer = make(tf.keras)
    layer.build((None, *shape))
    layer.set_weights([f32(*w.shape) * 0.5 for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize("open_sizes", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_recurrent_layer(name, open_sizes):
    layer = keras_function(LAYERS[name], (7, 5))

    def function(x):
        return layer(tf.ensure_shape(x, [None, 7, 5]))

    engine = check(function, f32(3, 7, 5), open_sizes=open_sizes)
    op = {"SimpleRNN": "rnn", "Bidirectional": "lstm", "unrolled": None}.get(name, name.split()[0].lower())
    assert op is None or op in engine.report()["fired"]


@pytest.mark.parametrize("open_sizes", [False, True])
def test_time_known_only_when_running(open_sizes):
    layer = keras_function(LAYERS["LSTM sequences"], (7, 5))
    engine = check(layer, f32(3, 7, 5), open_sizes=open_sizes)
    assert "lstm" in engine.report()["fired"]


def first_generation(build, *arrays):
    """A graph of Switch and Merge, Enter and Exit, on Hone and in TensorFlow."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.compat.v1.disable_control_flow_v2()
        try:
            inputs = [tf.compat.v1.placeholder(a.dtype, a.shape, name=f"x{i}") for i, a in enumerate(arrays)]
            outputs = [tf.identity(t, name=f"y{i}") for i, t in enumerate(tf.nest.flatten(build(*inputs)))]
        finally:
            tf.compat.v1.enable_control_flow_v2()
        want = session.run(outputs, dict(zip(inputs, arrays)))
        ops = {node.op for node in graph.as_graph_def().node}
        assert ops & {"Switch", "Enter"}
        engine = native.hone.build(graph.as_graph_def().SerializeToString(), format="graph_def",
                                   outputs=",".join(t.op.name for t in outputs), measure=False)
    got = engine.run({t.op.name: a for t, a in zip(inputs, arrays)})
    for t, theirs in zip(outputs, want):
        assert native.error(got[t.op.name], np.asarray(theirs)) <= numerics.bound("model", "fp32")


v1 = tf.compat.v1


@pytest.mark.parametrize("value", [-1.0, 2.0])
def test_switch_and_merge(value):
    first_generation(lambda x: v1.cond(tf.reduce_sum(x) > 0, lambda: (x * 2, x + 1), lambda: (x - 1, x * x)),
                     np.array([value, 1], np.float32))


@pytest.mark.parametrize("value", [-1.0, 0.5, 2.0])
def test_cond_inside_cond_with_a_constant_branch(value):
    def inner(x):
        return v1.cond(x[0] > 1, lambda: x * 3, lambda: x + 5)

    first_generation(lambda x: v1.cond(x[0] > 0, lambda: inner(x), lambda: tf.constant([7.0, 8.0])),
                     np.array([value, 1], np.float32))


@pytest.mark.parametrize("turns", [0, 1, 4])
def test_enter_and_exit(turns):
    def build(n, x):
        return v1.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.tanh(y) + x), (0, x))

    first_generation(build, np.array(turns, np.int32), f32(2, 3))


def test_loop_inside_loop_with_cond():
    def inner(i, y):
        return v1.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z * 1.1), (0, y))[1]

    def body(i, y):
        return i + 1, v1.cond(tf.equal(i % 2, 0), lambda: inner(i, y), lambda: y - 1)

    first_generation(lambda x: v1.while_loop(lambda i, y: i < 5, body, (0, x)), f32(3))


def test_tensor_arrays():
    def build(x):
        rows = tf.TensorArray(tf.float32, 5).unstack(x)
        made = tf.TensorArray(tf.float32, 5)

        def body(i, made, sum_so_far):
            sum_so_far += rows.read(i)
            return i + 1, made.write(i, sum_so_far), sum_so_far

        _, made, last = v1.while_loop(lambda i, *_: i < 5, body, (0, made, tf.zeros([3])))
        return made.stack(), last

    first_generation(build, f32(5, 3))
