#!/usr/bin/env python3
"""Test Hone on the GPU of this machine: bodies against their references, models against ONNX Runtime.

  test_gpu.py                    bodies, and every model of make_models.py at tiny size
  test_gpu.py --full             the models of the benchmark at full size, with times
  test_gpu.py --sanitize         bodies under compute-sanitizer as well
  test_gpu.py --precision fp16   models in that precision
  test_gpu.py --batch 128        models with that many images or texts

Ends with one line a model: the error against ONNX Runtime as docs/numerics.md measures it, what ran on the
GPU and what on the CPU, and with --full the median time of a run with its copies.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools" / "models"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime as ort  # noqa: E402

import make_models  # noqa: E402
import net  # noqa: E402
import numerics  # noqa: E402

BENCHMARK = ["digits", "resnet50", "mobilenetv2", "efficientnet_b0", "bert_base", "vit_b16"]
# What no engine answers alike: NMS picks between near boxes, and random weights make many of those.
LEFT_OUT = {"ssd_nms"}


def run(command, **more):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, timeout=500, **more)


def checked(command):
    done = run(command)
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def test_bodies(build, sanitize):
    program = build / "tests" / "test_cuda_bodies"
    command = ["compute-sanitizer", "--error-exitcode", "9", program] if sanitize else [program]
    done = run(command)
    print(f"bodies{' under compute-sanitizer' if sanitize else ''}: {done.stdout.strip().splitlines()[-1]}", flush=True)
    return done.returncode == 0


def places(hone, engine):
    report = engine.with_suffix(".json")
    checked([hone, "inspect", engine, "--export-layers", report])
    groups = [unit for unit in json.loads(report.read_text())["units"] if unit["group"]]
    other = sorted({"+".join(unit["ops"]) for unit in groups if unit["place"] != "cuda"})
    return f"{sum(unit['place'] == 'cuda' for unit in groups)} of {len(groups)} groups on the GPU" + (
        f", not {', '.join(other)[:80]}" if other else "")


def test_model(hone, name, options, folder):
    tiny, precision = not options.full, options.precision
    path, engine, out = make_models.path_of(name, tiny), folder / "engine.hone", folder / "out"
    feeds = net.sample_inputs(onnx.load(path), dims={"n": options.batch})
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wants = dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds)))
    np.savez(folder / "in.npz", **feeds)
    shutil.rmtree(out, ignore_errors=True)
    checked([hone, "build", path, "-o", engine, "--device", "cuda", "--measure", "false",
             "--precision", precision])
    checked([hone, "run", engine, "--input", folder / "in.npz", "-o", out])
    worst = max(numerics.model_error(np.load(out / f"{key}.npy"), want) for key, want in wants.items())
    time = ""
    if not tiny:
        shapes = ",".join(f"{key}:{'x'.join(map(str, value.shape))}" for key, value in feeds.items())
        found = json.loads(checked([hone, "bench", engine, "--duration", "1", "--json", "--shapes", shapes]))
        time = f", {found['latency_ms']['median']:.3f} ms"
    good = worst <= numerics.bound("model", precision)
    print(f"{name}{' tiny' if tiny else ''} {precision} batch {options.batch}: {'' if good else 'WRONG, '}"
          f"error {worst:.1e}, {places(hone, engine)}{time}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--sanitize", action="store_true")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "bf16", "fp16"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--no-bodies", action="store_true")
    options = parser.parse_args()
    hone = options.build / "apps" / "hone" / "hone"
    cuda = json.loads(checked([hone, "doctor", "--json"]))["machine"]["cuda"]
    if not cuda["used"]:
        print(f"nothing tested: {cuda['why']}")
        return 1
    print(f"{cuda['gpu']}, driver of CUDA {cuda['driver']['version']}, NVRTC {cuda['nvrtc']['version']}", flush=True)
    good = options.no_bodies or test_bodies(options.build, False)
    good &= not options.sanitize or test_bodies(options.build, True)
    names = options.models or (BENCHMARK if options.full else [m for m in make_models.MODELS if m not in LEFT_OUT])
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            try:
                good &= test_model(hone, name, options, pathlib.Path(folder))
            except (RuntimeError, KeyError, OSError, subprocess.TimeoutExpired) as reason:
                print(f"{name}: {reason}")
                good = False
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
