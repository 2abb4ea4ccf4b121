"""Time whole models on Hone and its peers, in turns, and print the ratios with their uncertainty.

Each engine has a process of its own. Outputs are checked against a peer before anything is timed; then the
engines take turns, round by round, so that what the machine does meanwhile strikes all. A ratio below 1
means that Hone is faster: the median over rounds of (median Hone / median peer of that round), with the 90 %
confidence interval of that median by order statistics.

  models.py                                    ResNet-50, MobileNetV2, BERT-base; 1 and 2 threads
  models.py --suite --threads 2 --peers ort openvino torch torch_compiled
                                               every cell of suite.py: models by precision and batch
  models.py --models all --peers ort openvino --rounds 25 --threads 2
  models.py --isa avx2 --models resnet50 yolo --peers ort openvino
                                               all of them kept from AVX-512 (avx2.py)
  models.py --models path/to/model.onnx        another model; its inputs are drawn at random

Peers other than ONNX Runtime live in an environment of their own, which `make bench` sets up.
"""
import argparse
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT / "tools" / "models"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime as ort  # noqa: E402

import engines  # noqa: E402
import make_models  # noqa: E402
import net  # noqa: E402
import numerics  # noqa: E402
import suite  # noqa: E402
import tables  # noqa: E402
import work  # noqa: E402

DEFAULT = ["resnet50", "mobilenetv2", "bert_base"]
PAUSE = 0.03  # seconds between turns, for the last engine's threads to stop spinning
PEAK = ROOT / "build" / "bench" / "peak"
PEERS = ROOT / ".cache" / "bench" / "peers" / "bin" / "python"  # the environment of `make bench`


class Worker:
    """An engine in a process of its own; `error` says why it has none to offer."""

    def __init__(self, engine, model, inputs, threads, precision, python, isa="all"):
        self.engine = engine
        self.process = subprocess.Popen(
            [python, str(HERE / "worker.py"), engine, str(model), str(inputs), str(threads), precision, isa],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        hello = self.answer()
        self.error, self.ready = hello.get("error"), hello.get("ready")
        self.version = hello.get("version")

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"ended with status {self.process.wait()}"}

    def ask(self, order, value):
        self.process.stdin.write(f"{order} {value}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def machine():
    """What the figures depend on, in words."""
    facts = pathlib.Path("/proc/cpuinfo").read_text()
    field = lambda key: next((line.split(":", 1)[1].strip() for line in facts.splitlines()  # noqa: E731
                              if line.startswith(key)), "?")
    flags = set(field("flags").split())
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if flag in flags]
    return f"{field('model name')}, {len(os.sched_getaffinity(0))} cores, {' '.join(known)}, " \
           f"{platform.system()} {platform.release()}"


def percentile(values, share):
    """The least of `values` that at least `share` of them do not exceed; None of too few to say."""
    if len(values) * (1 - share) < 1:
        return None
    return sorted(values)[math.ceil(share * len(values)) - 1]


def peak(precision, threads):
    """Multiply-adds a second that `threads` threads could do now, or None where `peak` is not built."""
    kind = {"fp32": "f32", "bf16": "bf16", "int8": "s8"}[precision]
    if not PEAK.exists():
        return None
    answer = subprocess.run([PEAK, kind, str(threads), "0.1"], capture_output=True, text=True, check=False)
    return json.loads(answer.stdout)["macs"] if answer.returncode == 0 else None


def model_file(name, scale):
    if name in make_models.MODELS:
        return make_models.path_of(name, scale == "tiny")
    base, _, variant = name.rpartition(".")
    if base in make_models.MODELS and variant in make_models.QUANTISED:
        return make_models.path_of(base, scale == "tiny", variant)
    return pathlib.Path(name)


def interpreter(engine, given):
    """Hone and ONNX Runtime run where this runs; the other peers where `make bench` put them."""
    here = engine in ("hone", "ort") or not PEERS.exists()
    return given.get(engine, sys.executable if here else str(PEERS))


def open_workers(options, cell, path, inputs, threads):
    """{engine: worker} of those that run this cell; the others are named with their reason."""
    workers = {}
    for engine in ["hone", *options.peers] if not options.no_hone else options.peers:
        worker = Worker(engine, path, inputs, threads, cell.compute, interpreter(engine, options.python),
                        options.isa)
        if worker.error:
            print(f"  {engine} does not run {cell.name}: {worker.error[:300]}", file=sys.stderr)
            worker.close()
        else:
            workers[engine] = worker
    return workers


def saved_outputs(worker, folder):
    worker.ask("save", folder / "outputs.npz")
    with np.load(folder / "outputs.npz") as file:
        return dict(file)


def reference_outputs(workers, path, inputs, folder):
    """What ONNX Runtime answers in fp32."""
    if "ort" in workers:
        return saved_outputs(workers["ort"], folder)
    worker = Worker("ort", path, inputs, 1, "fp32", sys.executable)
    try:
        return saved_outputs(worker, folder)
    finally:
        worker.close()


class WrongAnswer(Exception):
    """Hone's, in a cell: it is not timed, and the run goes on but fails."""


def model_error(values, reference):
    return max(numerics.model_error(values[name], reference[name]) for name in reference)


def as_written(path, feeds):
    """What ONNX Runtime answers without an optimisation of its own: what an int8 model says."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return dict(zip([port.name for port in session.get_outputs()], session.run(None, feeds)))


def judge_of(cell, workers, path, inputs, folder):
    """(reference, bound): a deep int8 model magnifies each rounding, so that how far ONNX Runtime's own
    optimisations move its answer widens the bound."""
    reference = reference_outputs(workers, path, inputs, folder)
    if cell.precision != "int8":
        return reference, numerics.bound("model", cell.precision)
    with np.load(inputs) as file:
        written = as_written(path, dict(file))
    return written, numerics.quantised_bound(model_error(reference, written))


def check_outputs(workers, reference, bound, folder):
    """{engine: error}; a peer that answers wrongly leaves, and where Hone does nothing is timed."""
    errors = {}
    for engine, worker in list(workers.items()):
        error = model_error(saved_outputs(worker, folder), reference)
        if error <= bound:
            errors[engine] = error
        elif engine == "hone":
            raise WrongAnswer(f"Hone answers wrongly: error {error:.2e}")
        else:
            print(f"  {engine} answers wrongly: error {error:.2e}", file=sys.stderr)
            workers.pop(engine).close()
    return errors


def time_cell(workers, rounds, seconds, measure_peak):
    """{engine: [[seconds of every run] a round]} and the peaks of the rounds; every round begins with
    another engine."""
    turns = list(workers)
    taken, peaks = {engine: [] for engine in turns}, []
    for _ in range(rounds):
        for engine in turns:
            time.sleep(PAUSE)
            taken[engine].append(workers[engine].ask("time", seconds / rounds))
        peaks.append(measure_peak())
        turns.append(turns.pop(0))
    return taken, peaks


def share_of_peak(macs, medians, peaks):
    """The median over rounds, or None where the model or the machine does not tell."""
    if macs is None or None in peaks:
        return None
    return statistics.median(macs / seconds / peak for seconds, peak in zip(medians, peaks))


def bench_cell(cell, threads, options, folder):
    """The rows of one cell at one thread count, one a peer."""
    path = model_file(cell.model, options.scale)
    model = onnx.load(path, load_external_data=False)
    inputs = folder / "inputs.npz"
    np.savez(inputs, **net.sample_inputs(model, 1, {**cell.dims, **options.dims}))
    del model
    workers = open_workers(options, cell, path, inputs, threads)
    try:
        if not workers:
            return []
        reference, bound = judge_of(cell, workers, path, inputs, folder)
        errors = check_outputs(workers, reference, bound, folder)
        with np.load(inputs) as feeds:
            macs = work.multiply_adds(path, dict(feeds))
        taken, peaks = time_cell(workers, options.rounds, options.seconds,
                                 lambda: peak(cell.precision, threads))
        medians = {engine: [statistics.median(runs) for runs in rounds] for engine, rounds in taken.items()}
        facts = {engine: {"ready": worker.ready, "version": worker.version, "error": errors[engine],
                          "bytes": worker.ask("memory", "-")["bytes"],
                          "ms": 1e3 * statistics.median(medians[engine]),
                          "p99": percentile([t for runs in taken[engine] for t in runs], 0.99),
                          "share": share_of_peak(macs, medians[engine], peaks)}
                 for engine, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    first = next(iter(medians))
    rows = []
    for engine in list(medians)[1:] or [first]:
        ratio, low, high = tables.median_interval([a / b for a, b in zip(medians[first], medians[engine])])
        rows.append({"cell": cell.name, "precision": cell.precision, "threads": threads, "engine": first,
                     "peer": engine, "ratio": ratio, "low": low, "high": high, "rounds": options.rounds,
                     "own": facts[first], "other": facts[engine]})
        print(tables.line_of(rows[-1]), flush=True)
    return rows


def pairs(kind):
    def parse(text):
        key, value = text.split("=", 1)
        return key, kind(value)
    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", nargs="+", default=DEFAULT,
                        help="seeded models, NAME.u8s8 and the like for their int8 forms, files, or `all`")
    parser.add_argument("--suite", action="store_true", help="the cells of suite.py instead of --models")
    parser.add_argument("--cells", nargs="+", help="of the suite, those whose names contain one of these")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of --models")
    parser.add_argument("--peers", nargs="+", default=["ort"], choices=list(engines.ENGINES))
    parser.add_argument("--isa", choices=("all", "avx2"), default="all",
                        help="avx2: Hone, ONNX Runtime and OpenVINO without AVX-512")
    parser.add_argument("--no-hone", action="store_true", help="time the peers alone")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=6, help="of each engine, model and thread count")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--dims", nargs="*", type=pairs(int), default=[], help="as n=4 t=256")
    parser.add_argument("--python", nargs="*", type=pairs(str), default=[],
                        help="ENGINE=INTERPRETER for a peer that lives in an environment of its own")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".cache" / "bench" / "models.json")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the tables into this page, between "
                        "the lines that begin and end them")
    options = parser.parse_args()
    options.dims, options.python = dict(options.dims), dict(options.python)
    cells = suite.CELLS if options.suite else [
        suite.cell(name, options.precision)
        for name in (make_models.MODELS if options.models == ["all"] else options.models)]
    if options.cells:
        cells = [cell for cell in cells if any(part in cell.name for part in options.cells)]

    limited = ", all engines limited to AVX2" if options.isa == "avx2" else ""
    print(f"Machine: {machine()}{limited}\n\n{tables.HEADER}", flush=True)
    rows, wrong = [], []
    with tempfile.TemporaryDirectory() as folder:
        for cell in cells:
            for threads in options.threads:
                try:
                    rows += bench_cell(cell, threads, options, pathlib.Path(folder))
                except WrongAnswer as problem:
                    wrong.append(f"{cell.name}, {threads} threads: {problem}")
                    print(f"  {wrong[-1]}", file=sys.stderr)
    if rows:
        print("\n" + tables.summary(rows))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))
    if options.markdown and rows:
        tables.write_page(options.markdown, machine(), rows)
    return 0 if rows and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
