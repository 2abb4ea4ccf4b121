"""Random graphs give what ONNX Runtime gives: no crash, no mismatch, nothing unsupported.

`--graphs N --first-seed S` runs more; a graph that fails is saved under .cache/fuzz.
"""
import pathlib

import numpy as np
import onnx
import pytest

import engines
import isolate
import numerics
import random_graphs

FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "fuzz"


def problem(got, want):
    """What is wrong with one output; None where nothing is."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)}, expected {want.dtype}{list(want.shape)}"
    if want.dtype.kind != "f":
        return None if np.array_equal(got, want) else "integers differ"
    error = numerics.model_error(got, want)
    return None if error <= numerics.bound("graph", "fp32") else f"error {error:.1e}"


def oracle(seed):
    """(model, feeds, ONNX Runtime's answers); no answers where it refuses or makes NaN."""
    model, feeds = random_graphs.make(seed)
    try:
        answers = engines.open_engine("ort", model, 1).run(feeds)
    except Exception:  # noqa: BLE001 - a graph that the oracle refuses proves nothing
        return model, feeds, None
    finite = all(np.isfinite(v).all() for v in answers.values() if v.dtype.kind == "f")
    return model, feeds, answers if finite else None


def check_graph(engine, seed):
    """None, "skipped", or what went wrong with the graph of this seed."""
    model, feeds, wanted = oracle(seed)
    if wanted is None:
        return "skipped"
    try:
        answers = engines.open_engine(engine, model, 2).run(feeds)
    except Exception as error:  # noqa: BLE001 - any refusal is a failure
        return f"{type(error).__name__}: {error}"
    for name, want in wanted.items():
        reason = problem(answers[name], want)
        if reason:
            producer = next(node.op_type for node in model.graph.node if name in node.output)
            return f"{name} of {producer}: {reason}"
    return None


def check_graphs(engine, seeds):
    """{seed: None, "skipped" or the reason}; a graph that crashes the oracle itself is skipped too."""
    results = dict(zip(seeds, isolate.run_isolated(lambda seed: check_graph(engine, seed), seeds, seconds=30)))
    crashed = [seed for seed, (_, crash) in results.items() if crash]
    alone = isolate.run_isolated(lambda seed: oracle(seed)[2] is None, crashed, seconds=30)
    guilty = {seed for seed, (_, crash) in zip(crashed, alone) if crash}
    return {seed: "skipped" if seed in guilty else crash or reason
            for seed, (reason, crash) in results.items()}


def test_random_graphs(engine_name, request):
    first, count = request.config.getoption("--first-seed"), request.config.getoption("--graphs")
    results = check_graphs(engine_name, list(range(first, first + count)))
    tried = sum(reason != "skipped" for reason in results.values())
    failures = {seed: reason for seed, reason in results.items() if reason not in (None, "skipped")}
    for seed in failures:
        FOLDER.mkdir(parents=True, exist_ok=True)
        onnx.save(random_graphs.make(seed)[0], FOLDER / f"{seed}.onnx")
    assert tried >= 0.8 * count, f"the oracle took {tried} of {count} graphs"
    lines = [f"seed {seed}: {' '.join(reason.split())[:240]}" for seed, reason in failures.items()]
    if lines:
        pytest.fail(f"{len(lines)} of {tried} graphs, saved in {FOLDER}\n" + "\n".join(lines), pytrace=False)
