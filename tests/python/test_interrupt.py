"""Ctrl-C stops what the extension does, within moments, and what follows works."""
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hone

VALUE = helper.make_tensor_value_info


def save(path, nodes, inputs, outputs, weights=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return str(path)


def endless(path):
    """Turns for hours."""
    body = helper.make_graph(
        [helper.make_node("Sin", ["v"], ["w"]), helper.make_node("Identity", ["c"], ["d"])], "body",
        [VALUE("i", TensorProto.INT64, []), VALUE("c", TensorProto.BOOL, []), VALUE("v", TensorProto.FLOAT, [64])],
        [VALUE("d", TensorProto.BOOL, []), VALUE("w", TensorProto.FLOAT, [64])])
    return save(path, [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
                [VALUE("n", TensorProto.INT64, []), VALUE("x", TensorProto.FLOAT, [64])],
                [VALUE("y", TensorProto.FLOAT, [64])])


def interrupted(code, after=0.7):
    """What a program prints that gets Ctrl-C some time after it says "go"."""
    # Who is started in the background of a shell ignores Ctrl-C, and so do the programs it starts.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    child = subprocess.Popen([sys.executable, "-c", listen + textwrap.dedent(code)], stdout=subprocess.PIPE,
                             text=True)
    assert child.stdout.readline() == "go\n"
    time.sleep(after)
    start = time.monotonic()
    child.send_signal(signal.SIGINT)
    try:
        rest, _ = child.communicate(timeout=30)
    finally:
        child.kill()
    return rest.strip(), time.monotonic() - start


def test_a_run_is_stopped(tmp_path):
    rest, seconds = interrupted(f"""
        import array, hone
        engine = hone.build({endless(tmp_path / 'm.onnx')!r}, measure=False)
        x = array.array("f", range(64))
        few, many = memoryview(array.array("q", [3])), memoryview(array.array("q", [1 << 40]))
        scalar = lambda view: view.cast("B").cast("q", ())
        context = engine.context()
        print("go", flush=True)
        try:
            context.run({{"n": scalar(many), "x": x}})
        except KeyboardInterrupt:
            print("stopped", context.run({{"n": scalar(few), "x": x}}, numpy=False)["y"].shape)
        """)
    assert rest == "stopped (64,)" and seconds < 2


def test_a_build_is_stopped(tmp_path):
    """Even one that measures for long; and the exception is the only thing that comes of it."""
    rng = np.random.default_rng(0)
    weights = [onnx.numpy_helper.from_array(rng.standard_normal((64, 64, 3, 3)).astype(np.float32), f"w{i}")
               for i in range(40)]
    names = ["x"] + [f"t{i}" for i in range(40)]
    nodes = [helper.make_node("Conv", [names[i], f"w{i}"], [names[i + 1]], pads=[1] * 4,
                              dilations=[1, 1], strides=[1 + (i in (10, 20))] * 2) for i in range(40)]
    path = save(tmp_path / "m.onnx", nodes, [VALUE("x", TensorProto.FLOAT, [1, 64, 256, 256])],
                [VALUE(names[-1], TensorProto.FLOAT, None)], weights)
    rest, seconds = interrupted(f"""
        import hone
        def progress(phase, done, total, left):
            if phase.startswith("measuring") and done == 1:
                print("go", flush=True)
        try:
            hone.build({path!r}, progress=progress)
            print("built")
        except KeyboardInterrupt:
            print("stopped")
        """, after=0.05)
    assert rest in ("stopped", "built") and seconds < 10
    if rest == "built":
        pytest.skip("the build was over before the signal came")


def test_another_thread_cancels_a_run(tmp_path):
    context = hone.build(endless(tmp_path / "m.onnx"), measure=False).context()
    timer = threading.Timer(0.3, context.cancel)
    timer.start()
    start = time.monotonic()
    with pytest.raises(hone.CancelledError):
        context.run({"n": np.int64(1 << 40), "x": np.zeros(64, np.float32)})
    assert time.monotonic() - start < 5
    timer.join()


def test_other_threads_run_during_a_run(tmp_path):
    """The interpreter's lock is free."""
    context = hone.build(endless(tmp_path / "m.onnx"), measure=False).context()
    ticks = []

    def tick():
        for _ in range(5):
            ticks.append(time.monotonic())
            time.sleep(0.02)
        context.cancel()

    thread = threading.Thread(target=tick)
    thread.start()
    with pytest.raises(hone.CancelledError):
        context.run({"n": np.int64(1 << 40), "x": np.zeros(64, np.float32)})
    thread.join()
    assert len(ticks) == 5


def test_a_deadline_stops_a_run(tmp_path):
    engine = hone.build(endless(tmp_path / "m.onnx"), measure=False)
    with pytest.raises(hone.CancelledError):
        engine.context(deadline=0.1).run({"n": np.int64(1 << 40), "x": np.zeros(64, np.float32)})
