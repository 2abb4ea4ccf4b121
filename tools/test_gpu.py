#!/usr/bin/env python3
"""Test Hone on the GPU of this machine, a shard at a time; what passed at this commit is not repeated.

  test_gpu.py                 every shard
  test_gpu.py --smoke         bodies and tiny models in fp32: some minutes
  test_gpu.py --only 'cases*' --jobs 4
  test_gpu.py --list          the shards, and what is known of them

A shard is bodies of kernels against their references (`tests/cuda`), also under compute-sanitizer; or
ONNX's own cases of operators; or models against ONNX Runtime, tiny or of the benchmark's size. Each takes
minutes and keeps its result by commit in .cache/test-gpu, so that a run that was cut off goes on where it
was. `--markdown` writes all of a commit's results into docs/gpu.md.
"""
import argparse
import concurrent.futures
import datetime
import fnmatch
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".cache" / "test-gpu"
BEGIN, END = "<!-- test-gpu begins -->", "<!-- test-gpu ends -->"
BENCHMARK = ["digits", "resnet50", "mobilenetv2", "efficientnet_b0", "bert_base", "vit_b16"]
# What no engine answers alike: NMS picks between near boxes, and random weights make many of those.
LEFT_OUT = {"ssd_nms"}
BODY_PARTS, CASE_PARTS = 4, 8
LONGEST = 540  # seconds of a shard


def checked(command):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, timeout=LONGEST)
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


# ---- shards: each returns (whether it is right, what to say of it), the latter a list of lines -----------


def bodies(build, part, sanitize=False):
    program = [build / "tests" / "test_cuda_bodies", str(part), str(BODY_PARTS)]
    command = ["compute-sanitizer", "--error-exitcode", "9", *program] if sanitize else program
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, timeout=LONGEST)
    good = done.returncode == 0
    return good, done.stdout.strip().splitlines()[-1:] + ([] if good else [done.stderr.strip()[-1000:]])


def cases(build, part):
    """ONNX's cases of operators, each an engine for the GPU; what has no kernel there runs on the CPU."""
    import hone
    import isolate
    import run_onnx

    class OnTheGpu(run_onnx.engines.HoneRunner):
        def __init__(self, model, threads, tuned, shapes, precision):
            self._unsupported = hone.UnsupportedError
            self.engine = hone.build(model, device="cuda", threads=threads, measure=False)
            self.outputs = [port.name for port in self.engine.outputs]
            groups = [unit for unit in self.engine.report()["units"] if unit["group"]]
            OnTheGpu.everything = all(unit["place"] == "cuda" for unit in groups)

    run_onnx.engines.ENGINES["hone"] = OnTheGpu, "hone"
    chosen = run_onnx.collect(["generated"], "*")[part - 1::CASE_PARTS]
    gaps = json.loads(run_onnx.KNOWN_GAPS.read_text())

    def run(case):
        OnTheGpu.everything = False
        return *run_onnx.run_case("hone", case), OnTheGpu.everything

    lines, right, there = [], 0, 0
    for case, (result, crash) in zip(chosen, isolate.run_isolated(run, chosen, 50, 60)):
        verdict, reason, everything = result or ("crashed", crash, False)
        right += verdict == "right"
        there += verdict == "right" and everything
        if verdict != "right" and run_onnx.gap_reason(gaps, case.name) is None:
            lines.append(f"{case.name}: {verdict}: {' '.join(reason.split())[:200]}")
    return not lines, [f"{right} of {len(chosen)} cases right, {there} of them wholly on the GPU", *lines]


def places(hone, engine):
    report = engine.with_suffix(".json")
    checked([hone, "inspect", engine, "--export-layers", report])
    groups = [unit for unit in json.loads(report.read_text())["units"] if unit["group"]]
    other = sorted({"+".join(unit["ops"]) for unit in groups if unit["place"] != "cuda"})
    return f"{sum(unit['place'] == 'cuda' for unit in groups)} of {len(groups)} groups on the GPU" + (
        f", not {', '.join(other)[:80]}" if other else "")


def one_model(build, name, tiny, precision, batch, sanitize, folder):
    import make_models
    import net
    import numerics
    import numpy as np
    import onnx
    import onnxruntime as ort

    hone, engine, out = build / "apps" / "hone" / "hone", folder / "engine.hone", folder / "out"
    path = make_models.path_of(name, tiny)
    feeds = net.sample_inputs(onnx.load(path), dims={"n": batch})
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wants = dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))
    np.savez(folder / "in.npz", **feeds)
    shutil.rmtree(out, ignore_errors=True)
    checked([hone, "build", path, "-o", engine, "--device", "cuda", "--measure", "false", "--precision", precision])
    runner = ["compute-sanitizer", "--error-exitcode", "9", hone] if sanitize else [hone]
    checked([*runner, "run", engine, "--input", folder / "in.npz", "-o", out])
    worst = max(numerics.model_error(np.load(out / f"{key}.npy"), want) for key, want in wants.items())
    spent = ""
    if not tiny:
        shapes = ",".join(f"{key}:{'x'.join(map(str, value.shape))}" for key, value in feeds.items())
        found = json.loads(checked([hone, "bench", engine, "--duration", "1", "--json", "--shapes", shapes]))
        spent = f", {found['latency_ms']['median']:.3f} ms from host to host"
    good = worst <= numerics.bound("model on a GPU" if precision == "bf16" else "model", precision)
    return good, f"{name}: {'' if good else 'WRONG, '}error {worst:.1e}, {places(hone, engine)}{spent}"


def models(build, names=None, tiny=True, precision="fp32", batch=1, sanitize=False):
    import make_models

    good, lines = True, []
    with tempfile.TemporaryDirectory() as folder:
        for name in names or [name for name in make_models.MODELS if name not in LEFT_OUT]:
            try:
                right, line = one_model(build, name, tiny, precision, batch, sanitize, pathlib.Path(folder))
            except (RuntimeError, KeyError, OSError, subprocess.TimeoutExpired) as reason:
                right, line = False, f"{name}: {reason}"
            good &= right
            lines.append(line)
    return good, lines


def table():
    """{name of a shard: what runs it, given the build's folder}, in their order."""
    found = {f"bodies {k}": functools.partial(bodies, part=k) for k in range(1, BODY_PARTS + 1)}
    for precision in ("fp32", "tf32", "fp16", "bf16"):
        found[f"models tiny {precision}"] = functools.partial(models, precision=precision)
    found |= {f"cases {k}": functools.partial(cases, part=k) for k in range(1, CASE_PARTS + 1)}
    found |= {f"bodies {k} sanitized": functools.partial(bodies, part=k, sanitize=True)
              for k in range(1, BODY_PARTS + 1)}
    found["models tiny fp16 sanitized"] = functools.partial(models, precision="fp16", sanitize=True)
    for precision, batch in (("fp32", 1), ("tf32", 1), ("bf16", 1), ("fp16", 1), ("fp16", 128)):
        found[f"models full {precision} {batch}"] = functools.partial(
            models, names=BENCHMARK, tiny=False, precision=precision, batch=batch)
    return found


SMOKE = ["bodies ?", "models tiny fp32"]

# ---- results, by commit -----------------------------------------------------------------------------------


def commit():
    """What the results belong to; a changed tree's are kept for nobody."""
    told = os.environ.get("HONE_COMMIT")  # of a copy without its history
    if told:
        return told
    name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True, capture_output=True)
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, text=True, capture_output=True)
    return name.stdout.strip() if name.returncode == 0 and not changed.stdout else None


def kept(file):
    return json.loads(file.read_text()) if file and file.exists() else {}


def keep(file, results):
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(results, indent=1))
        part.replace(file)


def run_shard(name, build):
    """In a process of its own, so that neither its crash nor its memory touches another's."""
    start = time.monotonic()
    command = [sys.executable, __file__, "--shard", name, "--build", str(build)]
    try:
        done = subprocess.run(command, text=True, capture_output=True, timeout=LONGEST + 30)
        found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {
            "good": False, "lines": [f"ended with {done.returncode}: {done.stderr.strip()[-600:]}"]}
    except subprocess.TimeoutExpired:
        found = {"good": False, "lines": [f"took longer than {LONGEST} s"]}
    return {**found, "seconds": round(time.monotonic() - start), "date": f"{datetime.date.today()}"}


def show(name, result):
    print(f"{name}: {'right' if result['good'] else 'WRONG'}, {result['seconds']} s", flush=True)
    for line in result["lines"]:
        print(f"    {line}", flush=True)


def write_page(page, of, gpu, results):
    """The table of one commit between its marks."""
    rows = [f"At {of}, on {gpu}:", "", "| shard | | s | date |", "|---|---|---|---|"]
    for name in table():
        if name in results:
            said = "<br>".join(results[name]["lines"]) or "right"
            rows.append(f"| {name} | {said.replace('|', '/')} | {results[name]['seconds']} | {results[name]['date']} |")
    text = page.read_text()
    before, after = text[:text.index(BEGIN) + len(BEGIN)], text[text.index(END):]
    page.write_text(before + "\n" + "\n".join(rows) + "\n" + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="PATTERN", help="shards by name, as 'models tiny*'")
    parser.add_argument("--jobs", type=int, default=1, help="shards at a time")
    parser.add_argument("--again", action="store_true", help="also what passed at this commit")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--shard", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.shard:
        sys.path[:0] = [str(ROOT / folder) for folder in ("tools/models", "tests", "tests/conformance", "bench")]
        good, lines = table()[options.shard](options.build)
        print(json.dumps({"good": bool(good), "lines": lines}))
        return 0
    of = commit()
    file = RESULTS / f"{of}.json" if of else None
    results = kept(file)
    patterns = options.only or (SMOKE if options.smoke else ["*"])
    names = [name for name in table() if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    if options.list:
        for name in names:
            print(name + (f": {'right' if results[name]['good'] else 'WRONG'}" if name in results else ""))
        return 0
    cuda = json.loads(checked([options.build / "apps" / "hone" / "hone", "doctor", "--json"]))["machine"]["cuda"]
    if not cuda["used"]:
        print(f"nothing tested: {cuda['why']}")
        return 1
    gpu = f"{cuda['gpu']}, driver of CUDA {cuda['driver']['version']}, NVRTC {cuda['nvrtc']['version']}"
    print(gpu, flush=True)
    waiting = [name for name in names if options.again or not results.get(name, {}).get("good")]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(run_shard, name, options.build): name for name in waiting}
        for done in concurrent.futures.as_completed(running):
            results[running[done]] = done.result()
            keep(file, results)
            show(running[done], done.result())
    right = sum(results[name]["good"] for name in names)
    print(f"{right} of {len(names)} shards right, {len(names) - len(waiting)} of them before")
    if options.markdown:
        write_page(options.markdown, of or "a changed tree", gpu, results)
    return int(right < len(names))


if __name__ == "__main__":
    sys.exit(main())
