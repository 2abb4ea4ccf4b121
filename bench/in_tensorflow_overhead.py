"""What the engine's op costs beyond a kernel in plain C that does the same: microseconds a node.

Two chains of many nodes that each add one to 64 numbers, run in turns; the slope over the length of the chain leaves
out what a call of TensorFlow costs. The plain kernel is compiled here, by `cc`.

  in_tensorflow_overhead.py [--rounds 40]
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import hone
import hone.tensorflow

SHORT, LONG = 1, 51


def plain_op():
    """The library with the plain kernel, loaded."""
    here = pathlib.Path(__file__).resolve().parent
    library = pathlib.Path(tempfile.mkdtemp(prefix="hone-bench-")) / "plain.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", here / "tf_plain_op.c",
                    here.parent / "integrations/tensorflow/tf_api.c", "-o", library, "-ldl"], check=True)
    return tf.load_op_library(str(library))


def engine_bytes():
    """An engine that adds one to 64 numbers."""
    graph = tf.function(lambda x: tf.identity(x + 1.0, name="out_0"), autograph=False).get_concrete_function(
        tf.TensorSpec([64], name="in_0")).graph.as_graph_def()
    engine = hone.build(graph.SerializeToString(), format="graph_def", outputs="out_0", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        engine.save(os.path.join(folder, "engine.hone"))
        return np.fromfile(os.path.join(folder, "engine.hone"), np.uint8)


def chain(node, length):
    """A session's call that runs `length` nodes one behind another."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [64])
        source = node.begin() if hasattr(node, "begin") else None
        last = x
        for _ in range(length):
            last = node(last, source)
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    session = tf.compat.v1.Session(graph=graph, config=config)
    return session.make_callable(last, [x])


def nodes():
    """{name: (value, source) -> the node's output}"""
    plain, content = plain_op(), engine_bytes()

    function = tf.function(lambda x: x + 1.0, autograph=False).get_concrete_function(tf.TensorSpec([64]))

    def engine(x, source):
        return hone.tensorflow.op_library.hone_engine(inputs=[x], engine=source, OutT=[tf.float32],
                                                      segment_func=function)[0]

    engine.begin = lambda: tf.constant(content)
    return {"plain C": lambda x, _: plain.hone_plain(x), "engine": engine}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=40)
    rounds = arguments.parse_args().rounds
    made = nodes()
    calls = {name: (chain(node, SHORT), chain(node, LONG)) for name, node in made.items()}
    x = np.zeros(64, np.float32)
    for short, long in calls.values():
        assert short(x)[0] == SHORT and long(x)[0] == LONG
    slopes = {name: [] for name in calls}
    for _ in range(rounds):
        for name, pair in calls.items():
            spent = []
            for call in pair:
                best = float("inf")
                for _ in range(40):
                    start = time.perf_counter()
                    call(x)
                    best = min(best, time.perf_counter() - start)
                spent.append(best)
            slopes[name].append((spent[1] - spent[0]) / (LONG - SHORT) * 1e6)
    for name, values in slopes.items():
        print(f"{name:8} {statistics.median(values):.3f} us a node")
    beyond = [a - b for a, b in zip(slopes["engine"], slopes["plain C"])]
    print(f"the engine's op beyond the plain one: {statistics.median(beyond):.3f} us")


if __name__ == "__main__":
    main()
