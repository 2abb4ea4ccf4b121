"""The error bounds of docs/numerics.md, for Python tests: the only place they take a tolerance from.

A bound is a row of a table of that document whose first two cells are the subject and the precision and
whose third is a number; a model's figure is max|y - ref| / max|ref| (see `model_error`).
"""
import functools
import pathlib

import numpy as np

DOCUMENT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "numerics.md"


@functools.lru_cache()  # cache came with Python 3.9
def bounds():
    """{(subject, precision): bound} of every table row that has that form."""
    found = {}
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip().strip("`*") for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 3:
            try:
                found[cells[0], cells[1]] = float(cells[2].split()[0])
            except (ValueError, IndexError):
                continue  # a heading or a row of another table
    return found


def bound(subject, precision):
    return bounds()[subject, precision]


def quantised_bound(own):
    """Of the error of an int8 model whose answer ONNX Runtime's own optimisations move by `own`."""
    return max(bound("model", "int8"), bound("noisy model", "int8") * own)


def element_bounds(subject, precision):
    """(relative, absolute) of an element-by-element comparison."""
    return bound(f"{subject}, relative", precision), bound(f"{subject}, absolute", precision)


PEER = element_bounds("peer", "fp32")
ONNX_CASE = element_bounds("ONNX case", "fp32")


def model_error(got, want):
    """max|got - want| / max|want| over the finite values; infinite where NaN or Inf places differ."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    finite = np.isfinite(want)
    if got.shape != want.shape or not np.array_equal(finite, np.isfinite(got)):
        return np.inf
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return np.inf
    if not finite.any():
        return 0.0
    scale = np.abs(want[finite]).max()
    return float(np.abs(got[finite] - want[finite]).max() / (scale if scale > 0 else 1.0))
