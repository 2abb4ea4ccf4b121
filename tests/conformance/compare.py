"""Whether an engine's answer to a case is right, by the rules of onnx's own test runner."""
import numerics
import numpy as np

# Operators whose values the standard leaves to the generator: only type and shape can be right.
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
          "RandomUniformLike"}
# Dropout with training_mode draws too; onnx's expected values come from NumPy's generator.
RANDOM_CASES = ("test_training_dropout_default", "test_training_dropout_default_mask",
                "test_training_dropout", "test_training_dropout_mask")


def is_random(name, model):
    return name.split("/")[-1] in RANDOM_CASES or any(n.op_type in RANDOM for n in model.graph.node) \
        or name.split("/")[-1].startswith("test_bernoulli")


def difference(got, want, rtol, atol, values=True):
    """None where `got` is right, else one line that says what is not."""
    if isinstance(want, list) or isinstance(got, list):
        return _sequence_difference(got, want, rtol, atol, values)
    if want is None or got is None:
        return None if got is want else f"expected {_name(want)}, got {_name(got)}"
    if not isinstance(got, np.ndarray):
        return f"got a {type(got).__name__}, not an array"
    if got.shape != want.shape:
        return f"shape {list(got.shape)}, expected {list(want.shape)}"
    if want.dtype.kind in "OUS":
        same = got.dtype.kind in "OUS" and got.astype(str).tolist() == want.astype(str).tolist()
        return None if same else "strings differ"
    if got.dtype != want.dtype:
        return f"type {got.dtype}, expected {want.dtype}"
    return _number_difference(got, want, rtol, atol) if values else None


def _name(value):
    return "an absent optional" if value is None else f"a {type(value).__name__}"


def _sequence_difference(got, want, rtol, atol, values):
    if not isinstance(got, (list, tuple)) or not isinstance(want, list):
        return f"expected {_name(want)}, got {_name(got)}"
    if len(got) != len(want):
        return f"a sequence of {len(got)}, expected {len(want)}"
    for i, (g, w) in enumerate(zip(got, want)):
        reason = difference(g, w, rtol, atol, values)
        if reason:
            return f"element {i}: {reason}"
    return None


def _number_difference(got, want, rtol, atol):
    if got.dtype.name == "bfloat16":
        rtol = max(rtol, numerics.bound("ONNX case, relative", "bf16"))
    if got.dtype.kind not in "fiubc" or got.dtype.isbuiltin != 1:
        got, want = got.astype(np.float32), want.astype(np.float32)
    close = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return None
    bad = np.argwhere(~np.atleast_1d(close))
    at = tuple(bad[0])
    one = (np.atleast_1d(got)[at], np.atleast_1d(want)[at])
    place = [int(i) for i in at]
    return f"{len(bad)} of {close.size} values differ, first at {place}: {one[0]}, expected {one[1]}"
