"""Models of Keras inside TensorFlow: converted against native, in one process, taking turns.

Weights are seeded, those of one dimension (biases, batch norms) random too, so that nothing folds away.
A ratio below 1 means that the converted model is faster: the median of the rounds' ratios, the Python call
included.

  in_tensorflow.py                                  MobileNetV2, ResNet50, EfficientNetB0; batch 1 and 32
  in_tensorflow.py --models ResNet50 --batches 1 8 --rounds 25
"""
import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import hone.tensorflow


def make(name):
    """A model of keras.applications with seeded weights."""
    tf.keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = getattr(tf.keras.applications, name)(weights=None, input_shape=(224, 224, 3))
    for weight in model.weights:
        if weight.shape.rank == 1:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def timed(function, x):
    start = time.perf_counter()
    result = tf.nest.flatten(function(x))[0].numpy()
    return time.perf_counter() - start, result


def measure(native, converted, batch, rounds):
    """(median ratio, error of the answers)."""
    x = tf.constant(np.random.default_rng(1).normal(size=(batch, 224, 224, 3)).astype(np.float32))
    ratios = []
    for _ in range(rounds + 2):  # the first two warm up
        spent, want = timed(native, x)
        mine, got = timed(converted, x)
        ratios.append(mine / spent)
    return statistics.median(ratios[2:]), float(np.abs(got - want).max() / np.abs(want).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["MobileNetV2", "ResNet50", "EfficientNetB0"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print("| model | batch | ratio | error | segments | conversion s |\n|---|---|---|---|---|---|")
    for name in options.models:
        model = make(name)
        start = time.perf_counter()
        converted = hone.tensorflow.convert(model, minimum_segment_size=3, shapes="in_0:1x224x224x3")
        took = time.perf_counter() - start
        native = tf.function(lambda x, model=model: model(x, training=False)).get_concrete_function(
            tf.TensorSpec([None, 224, 224, 3]))
        for batch in options.batches:
            ratio, error = measure(native, converted, batch, options.rounds)
            print(f"| {name} | {batch} | {ratio:.3f} | {error:.1e} | {len(converted.segments)} | {took:.1f} |",
                  flush=True)


if __name__ == "__main__":
    main()
