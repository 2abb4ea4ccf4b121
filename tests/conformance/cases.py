"""The conformance cases: those that the newest `onnx` package generates, and its released archive."""
import json
import os
import pathlib
import re
import tarfile
import warnings
from dataclasses import dataclass
from typing import Callable

import numerics
import numpy as np
import onnx
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = pathlib.Path(os.environ.get("HONE_MODELS", ROOT.parent / "shared" / "models"))
ARCHIVE = MODELS / "conformance" / "onnx_backend_test_data_v1.22.0.tar.xz"


@dataclass
class Case:
    name: str  # suite/name, unique
    load: Callable  # () -> (ModelProto, [(inputs, outputs)]), values as engines.py takes them
    rtol: float = numerics.ONNX_CASE[0]
    atol: float = numerics.ONNX_CASE[1]


def to_value(item):
    """A case's tensor, sequence or optional as plain arrays, lists and None."""
    if isinstance(item, onnx.TensorProto):
        return numpy_helper.to_array(item)
    if isinstance(item, onnx.SequenceProto):
        return [to_value(v) for v in numpy_helper.to_list(item)]
    if isinstance(item, onnx.OptionalProto):
        return to_value(numpy_helper.to_optional(item))
    if isinstance(item, (list, tuple)):
        return [to_value(v) for v in item]
    return item if item is None else np.asarray(item)


def is_training(model):
    return any("training" in opset.domain for opset in model.opset_import)


def generated_cases():
    """The cases that the installed `onnx` package makes, in memory."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    for case in collected:
        if is_training(case.model):
            continue

        def load(case=case):
            sets = [([to_value(v) for v in ins], [to_value(v) for v in outs])
                    for ins, outs in case.data_sets]
            return case.model, sets

        yield Case(f"generated/{case.name}", load, case.rtol, case.atol)


def extract_archive():
    """The archive's folder under .cache, unpacked once; None where the archive is absent."""
    if not ARCHIVE.exists():
        return None
    folder = ROOT / ".cache" / "conformance" / ARCHIVE.name.removesuffix(".tar.xz")
    if not folder.exists():
        part = folder.with_suffix(f".part{os.getpid()}")
        part.mkdir(parents=True)
        with tarfile.open(ARCHIVE) as tar:
            # Debian 12's Python is older than filters; the archive is the project's own.
            tar.extractall(part, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        part.rename(folder)
    return folder


def _read_value(path, type_proto):
    kind = {"sequence_type": onnx.SequenceProto, "optional_type": onnx.OptionalProto}
    proto = kind.get(type_proto.WhichOneof("value"), onnx.TensorProto)()
    proto.ParseFromString(path.read_bytes())
    return to_value(proto)


def _numbered(folder, kind):
    return sorted(folder.glob(f"{kind}_*.pb"), key=lambda p: int(re.findall(r"\d+", p.stem)[-1]))


def _load_folder(folder):
    model = onnx.load(folder / "model.onnx")
    sets = []
    for data in sorted(folder.glob("test_data_set_*")):
        sets.append(tuple([_read_value(path, port.type)
                           for path, port in zip(_numbered(data, kind), ports)]
                          for kind, ports in (("input", model.graph.input),
                                              ("output", model.graph.output))))
    return model, sets


def _load_light(archive, stem):
    """A light model: weights made by ConstantOfShape, the input a ramp from 0 to 1 as onnx's runner has it."""
    path = archive / "light" / f"{stem}.onnx"
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = []
    for port in model.graph.input:
        if port.name not in weights:
            shape = [d.dim_value or 1 for d in port.type.tensor_type.shape.dim]
            count = int(np.prod(shape))
            inputs.append((np.arange(count).reshape(shape) / count).astype(np.float32))
    outputs = [_read_value(path.with_name(f"{stem}_output_{i}.pb"), port.type)
               for i, port in enumerate(model.graph.output)]
    return model, [(inputs, outputs)]


def archive_cases():
    """Every case of the released archive; nothing where the archive is absent."""
    archive = extract_archive()
    if archive is None:
        return
    for suite in ("node", "simple", "pytorch-operator", "pytorch-converted"):
        for folder in sorted((archive / suite).iterdir()):
            if (folder / "model.onnx").exists() and "gradient" not in folder.name \
                    and not re.match(r"test_(adam|adagrad|momentum|nesterov)", folder.name):
                yield Case(f"{suite}/{folder.name}", lambda folder=folder: _load_folder(folder))
    for folder in sorted((archive / "real").iterdir()):
        data = json.loads((folder / "data.json").read_text())
        stem = pathlib.Path(data["url"]).stem
        yield Case(f"real/{folder.name}", lambda stem=stem: _load_light(archive, stem),
                   data["rtol"], data["atol"])


SUITES = {"generated": generated_cases, "archive": archive_cases}
