"""Loops and conditionals of TensorFlow 1 go into an engine whole, or stay whole."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

from hone.tensorflow import trt_convert as trt

v1 = tf.compat.v1
rng = np.random.default_rng(91)
BOUND = numerics.bound("model", "fp32")
FLOW = {"Enter", "Exit", "Switch", "Merge", "NextIteration", "LoopCond"}


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


W, U = f32(6, 6), f32(6, 4)


def first_generation(build, *arrays):
    """The graph of `build`, its results under y0, y1, …"""
    with tf.Graph().as_default() as graph:
        v2, _ = v1.control_flow_v2_enabled(), v1.disable_control_flow_v2()
        inputs = [v1.placeholder(a.dtype, [None] * a.ndim, name=f"x{i}") for i, a in enumerate(arrays)]
        results = tf.nest.flatten(build(*inputs))
        if v2:
            v1.enable_control_flow_v2()
        names = [tf.identity(t, name=f"y{i}").op.name for i, t in enumerate(results)]
    return graph.as_graph_def(), names


def run(graph_def, names, arrays):
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run([f"{name}:0" for name in names], {f"x{i}:0": a for i, a in enumerate(arrays)})


def check(build, *cases, engines=1, left=frozenset(), monkeypatch=None, **options):
    """Converts the graph, with so many engines and no control flow but `left`; TensorFlow's answers on each of the
    cases, from the engine and, with `monkeypatch`, from the native segment."""
    graph_def, names = first_generation(build, *cases[0])
    assert {node.op for node in graph_def.node} & FLOW
    converted = trt.create_inference_graph(graph_def, names, minimum_segment_size=1, **options)
    found = [node.op for node in converted.node]
    assert found.count("TRTEngineOp") == engines and FLOW & set(found) == left
    for disabled in ("0", "1") if monkeypatch else ("0",):
        if monkeypatch:
            monkeypatch.setenv("HONE_DISABLE", disabled)
        for arrays in cases:
            for mine, theirs in zip(run(converted, names, arrays), run(graph_def, names, arrays)):
                assert mine.shape == theirs.shape and native.error(mine, theirs) <= BOUND


def loop(n, x):
    return v1.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.tanh(y @ W) + 0.1), (0, x))


def test_loop(monkeypatch):
    cases = [(np.array(turns, np.int32), f32(rows, 6)) for turns, rows in ((3, 2), (0, 5))]
    check(lambda n, x: loop(n, tf.nn.relu(x))[1] @ U, *cases, monkeypatch=monkeypatch)


def test_two_results_of_a_loop():
    check(loop, (np.array(4, np.int32), f32(2, 6)))


def test_loop_in_a_loop(monkeypatch):
    def build(n, x):
        return v1.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, loop(i, y)[1] * 0.9), (0, x))[1]

    check(build, (np.array(3, np.int32), f32(2, 6)), monkeypatch=monkeypatch)


def recurrence(x):
    """Over the first axis, as dynamic_rnn did it: the items in one TensorArray, what each step gives in another."""
    steps = tf.shape(x)[0]
    items = tf.TensorArray(tf.float32, steps).unstack(x)

    def step(i, state, out):
        state = tf.tanh(items.read(i) @ W + state)
        return i + 1, state, out.write(i, state)

    _, state, out = v1.while_loop(lambda i, *_: i < steps, step,
                                  (0, tf.zeros_like(x[0]), tf.TensorArray(tf.float32, steps)))
    return out.stack(), state @ U


def test_items_of_arrays(monkeypatch):
    check(recurrence, (f32(5, 2, 6),), (f32(2, 3, 6),), monkeypatch=monkeypatch)


POSITIVE, NEGATIVE = np.full((2, 6), 0.5, np.float32), np.full((2, 6), -0.5, np.float32)


def choice(x):
    """Both branches have constants that hang on them by control alone."""
    return v1.cond(tf.reduce_sum(x) > 0, lambda: (x @ W + 1, tf.constant([7.0, 8.0])),
                   lambda: (tf.nn.relu(x) - 2, tf.constant([1.0, 2.0]) * 3))


def test_conditional(monkeypatch):
    check(lambda x: choice(tf.tanh(x)), (POSITIVE,), (NEGATIVE,), monkeypatch=monkeypatch)


def test_conditional_in_a_conditional(monkeypatch):
    check(lambda x: v1.cond(x[0, 0] > 0, lambda: choice(x)[0] * 3, lambda: tf.constant(f32(2, 6))), (POSITIVE,),
          (NEGATIVE,), (np.array([[0.1] * 6, [-0.5] * 6], np.float32),), monkeypatch=monkeypatch)


def test_conditional_in_a_loop(monkeypatch):
    def build(x):
        def step(i, y):
            return i + 1, v1.cond(tf.reduce_sum(y) > 0, lambda: y - 0.3, lambda: tf.abs(y) @ W)
        return v1.while_loop(lambda i, y: i < 5, step, (0, x))[1]

    check(build, (POSITIVE,), (NEGATIVE,), monkeypatch=monkeypatch)


def test_a_loop_with_what_no_engine_takes_stays_whole():
    def build(x):
        return tf.nn.relu(v1.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.math.igamma(tf.abs(y) + 1, y @ W)),
                                        (0, x @ W))[1] @ U)

    check(build, (POSITIVE,), engines=2, left=FLOW)


def test_a_loop_with_a_denied_operator_stays_whole(monkeypatch):
    monkeypatch.setenv("HONE_OP_DENYLIST", "Tanh")
    check(lambda n, x: loop(n, x @ W)[1] @ U, (np.array(2, np.int32), POSITIVE), engines=2, left=FLOW)


def test_a_result_from_within_a_branch_keeps_the_conditional():
    def build(x):
        inside = []
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: inside.append(x @ W) or inside[0] + 1, lambda: x)
        return y @ U, inside[0]

    graph_def, names = first_generation(build, POSITIVE)
    converted = trt.create_inference_graph(graph_def, names, minimum_segment_size=1)
    assert {"Switch", "Merge"} <= {node.op for node in converted.node}
    for mine, theirs in zip(run(converted, names, [POSITIVE]), run(graph_def, names, [POSITIVE])):
        assert native.error(mine, theirs) <= BOUND


@pytest.mark.parametrize("name", ["CRNN_S", "LSTM_S"])
def test_words_are_heard(name, models_folder):
    """One engine behind the decoding of the file, which stays: texts do not cross."""
    graph_def = v1.GraphDef.FromString((models_folder / f"tf_frozen/kws_{name}.pb").read_bytes())
    converted = trt.create_inference_graph(graph_def, ["labels_softmax"], minimum_segment_size=3)
    kinds = [node.op for node in converted.node]
    assert kinds.count("TRTEngineOp") == 1 and not FLOW & set(kinds) and "DecodeWav" in kinds
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(converted, name="")
        for word in ("yes", "no", "silence"):
            wave = (models_folder / f"data/wav/{word}_1000ms.wav").read_bytes()
            want = np.load(models_folder / f"ref/tf_frozen_kws_{name}/out__{word}.npy")
            assert numerics.model_error(session.run("labels_softmax:0", {"wav_data:0": wave}), want) <= BOUND
