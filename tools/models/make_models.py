#!/usr/bin/env python3
"""Make the seeded ONNX models that benchmarks and tests use, with onnx.helper only.

  make_models.py                        every model at full size, into .cache/models
  make_models.py --scale tiny --quantise --models resnet50 unet

`<name>.onnx`, or `<name>.tiny.onnx`; with --quantise also `.u8s8` and `.s8s8` Q/DQ variants and `.qop`
with QLinear operators, by ONNX Runtime's quantiser on random calibration input.
"""
import argparse
import logging
import os
import pathlib

import onnx

import net
import sequence
import vision

MODELS = {
    "digits": vision.digits,
    "resnet50": vision.resnet50,
    "mobilenetv2": vision.mobilenetv2,
    "mobilenetv3": vision.mobilenetv3,
    "efficientnet_b0": vision.efficientnet_b0,
    "convnext_tiny": vision.convnext_tiny,
    "unet": vision.unet,
    "yolo": vision.yolo,
    "ssd_nms": vision.ssd_nms,
    "vit_b16": sequence.vit_b16,
    "bert_base": sequence.bert,
    "bert_base_op20": sequence.bert_op20,
    "bert_torch": sequence.bert_torch,
    "vit_torch": sequence.vit_torch,
    "gpt2_small": sequence.gpt2_small,
    "ds_cnn": sequence.ds_cnn,
    "lstm": sequence.lstm,
    "crnn": sequence.crnn,
}
# Models without operators that gain by int8 on any engine, whose quantiser needs more than weights, or that
# are here for another exporter's spelling.
NOT_QUANTISED = {"digits", "lstm", "crnn", "ssd_nms", "bert_torch", "vit_torch"}
# suffix: (Q/DQ form?, type of activations); weights are signed bytes a channel
QUANTISED = {"u8s8": (True, "QUInt8"), "s8s8": (True, "QInt8"), "qop": (False, "QUInt8")}
FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "models"


def make(name, tiny=False, seed=0):
    """The model as a ModelProto."""
    return MODELS[name](seed, tiny)


def path_of(name, tiny=False, variant="", seed=0):
    """The model's file, made where it is missing or older than its recipe."""
    stem = name + (".tiny" if tiny else "") + (f".seed{seed}" if seed else "")
    path = FOLDER / f"{stem}{'.' + variant if variant else ''}.onnx"
    recipe = max(file.stat().st_mtime for file in pathlib.Path(__file__).parent.glob("*.py"))
    if path.exists() and path.stat().st_mtime >= recipe:
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    if variant:
        quantise(path_of(name, tiny, seed=seed), part, variant)
    else:
        onnx.save(make(name, tiny, seed), part)
    part.rename(path)
    return path


def masked_scores(model):
    """What adds a mask to the scores of a softmax: bytes of a range of -10000..0 leave nothing of them."""
    scores = {name for node in model.graph.node if node.op_type == "Softmax" for name in node.input}
    return [node.name for node in model.graph.node if node.op_type == "Add" and node.output[0] in scores]


def quantise(source, target, variant):
    """Static quantisation of a model file, calibrated on two random inputs; batch-norms are folded first
    and attention's mask stays in floats, as whoever deploys int8 does."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            model = onnx.load(source)
            self.feeds = iter([net.sample_inputs(model, seed) for seed in (11, 12)])

        def get_next(self):
            return next(self.feeds, None)

    separate, activations = QUANTISED[variant]
    folded = target.with_suffix(".folded")
    logging.disable(logging.WARNING)
    try:
        quant_pre_process(source, folded, skip_symbolic_shape=True)
        q.quantize_static(
            folded, target, Reader(), per_channel=True, weight_type=q.QuantType.QInt8,
            quant_format=q.QuantFormat.QDQ if separate else q.QuantFormat.QOperator,
            activation_type=q.QuantType[activations],
            nodes_to_exclude=masked_scores(onnx.load(folded, load_external_data=False)),
            op_types_to_quantize=[
                "Conv", "MatMul", "Gemm", "Add", "Mul", "GlobalAveragePool", "MaxPool", "Concat"])
    finally:
        logging.disable(logging.NOTSET)
        folded.unlink(missing_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quantise", action="store_true", help="make the int8 variants too")
    options = parser.parse_args()
    for name in options.models:
        variants = list(QUANTISED) if options.quantise and name not in NOT_QUANTISED else []
        for variant in [""] + variants:
            path = path_of(name, options.scale == "tiny", variant, options.seed)
            print(f"{path}  {path.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
