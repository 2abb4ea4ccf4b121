"""Models inside TensorFlow: converted with no knob against native.

Times: in one process, taking turns, the median of the rounds' ratios, the Python call included. A ratio below 1 means
that the converted model is faster. Loading and memory: a process of its own for each, that loads the SavedModel and
calls it once with a batch of 1; loading is the median of three processes, memory the peak of the whole process.

  in_tensorflow.py                                  every model of tensorflow_models.py; batch 1 and 32
  in_tensorflow.py --models ResNet50 --batches 1 8 --rounds 25
  in_tensorflow.py --precision bf16                 layers may compute in bf16; native stays fp32
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import hone.tensorflow
from tensorflow_models import MODELS, make

SECONDS = 40  # of rounds for one figure, at most

LOADER = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
import hone.tensorflow
inputs = np.load(sys.argv[2], allow_pickle=True)
tensors = [tf.constant(inputs[name].tolist() if inputs[name].dtype == object else inputs[name])
           for name in sorted(inputs.files)]
start = time.perf_counter()
loaded = tf.saved_model.load(sys.argv[1])
took = time.perf_counter() - start
start = time.perf_counter()
tf.nest.map_structure(lambda t: t.numpy(), loaded.run(*tensors))
first = time.perf_counter() - start
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([took, first, peak / 1024]))
"""


def timed(function, inputs):
    start = time.perf_counter()
    result = [t.numpy() for t in tf.nest.flatten(function(*inputs))]
    return time.perf_counter() - start, result


def error(got, want):
    return max(float(np.abs(g.astype(np.float64) - w).max(initial=0) / max(np.abs(w).max(initial=0), 1e-30))
               for g, w in zip(got, want))


def measure(native, converted, inputs, rounds):
    """(median ratio, native's median seconds, error of the answers)."""
    ratios, natives, begun = [], [], time.perf_counter()
    while len(ratios) < 3 or (len(ratios) < rounds + 2 and time.perf_counter() - begun < SECONDS):
        spent, want = timed(native, inputs)
        mine, got = timed(converted, inputs)
        ratios.append(mine / spent)
        natives.append(spent)
    warm = 2 if len(ratios) > 4 else 1  # the first warm up
    return statistics.median(ratios[warm:]), statistics.median(natives[warm:]), error(got, want)


def loaded(folder, inputs):
    """(seconds to load, seconds of the first call, MiB at the peak): the medians of three processes."""
    runs = [json.loads(subprocess.run([sys.executable, "-c", LOADER, folder, inputs], check=True,
                                      stdout=subprocess.PIPE).stdout) for _ in range(3)]
    return [statistics.median(values) for values in zip(*runs)]


def save_inputs(path, inputs):
    np.savez(path, **{f"{i:02d}": t.numpy() for i, t in enumerate(inputs)})


def given(feeds, batch):
    made = feeds(batch)
    return made if isinstance(made, tuple) else (made,)


def bench(name, batches, rounds, files, precision):
    """Prints the rows of one model; gives its ratios."""
    served, feeds = make(name)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(served, f"{folder}/native", signatures=served.run)
        native = served.run.get_concrete_function()
        one = given(feeds, 1)
        start = time.perf_counter()
        converted = hone.tensorflow.convert(f"{folder}/native", input_fn=lambda: [list(one)], precision=precision)
        took = time.perf_counter() - start
        for batch in batches:
            ratio, spent, off = measure(native, converted, given(feeds, batch), rounds)
            ratios.append(ratio)
            print(f"| {name} | {batch} | {ratio:.3f} | {spent * 1e3:.1f} | {off:.1e} | {len(converted.segments)} | "
                  f"{took:.1f} |", flush=True)
        if files:
            converted.save(f"{folder}/converted")
            save_inputs(f"{folder}/inputs.npz", one)
            ours, theirs = (loaded(f"{folder}/{kind}", f"{folder}/inputs.npz") for kind in ("converted", "native"))
            files.append(f"| {name} | " + " | ".join(f"{a:.2f} / {b:.2f} = {a / b:.2f}" for a, b in zip(ours, theirs))
                         + " |")
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--no-files", action="store_true", help="leave out loading and memory")
    options = parser.parse_args()
    files = [] if options.no_files else ["| model | load s | first call s | peak MiB |", "|---|---|---|---|"]
    print("| model | batch | ratio | native ms | error | segments | conversion s |\n|---|---|---|---|---|---|---|")
    ratios = [r for name in options.models
              for r in bench(name, options.batches, options.rounds, files, options.precision)]
    print(f"\ngeometric mean {math.exp(statistics.fmean(map(math.log, ratios))):.3f}, slowest {max(ratios):.3f}")
    if files:
        print("\nConverted / native:\n\n" + "\n".join(files))


if __name__ == "__main__":
    main()
