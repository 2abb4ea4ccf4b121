"""What `make bench` times: models by precision and batch, one cell each."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str  # "resnet50 bf16, 32 images"
    model: str  # of tools/models/make_models.py, or a file
    precision: str  # fp32, bf16 or int8: the row of docs/numerics.md that bounds the error
    dims: dict  # sizes of named dimensions, where they are not the model's usual ones

    @property
    def compute(self):
        """What engines are asked to compute in; an int8 model says by itself where it is int8."""
        return "bf16" if self.precision == "bf16" else "fp32"


def cell(model, precision="fp32", batch=None):
    """The cell of a seeded model (`NAME.u8s8` is int8) or of a file."""
    if model.rpartition(".")[2] in ("u8s8", "s8s8", "qop"):
        precision = "int8"
    name = model if precision in ("fp32", "int8") else f"{model} {precision}"
    return Cell(name + (f", {batch} images" if batch else ""), model, precision,
                {"n": batch} if batch else {})


def _cells():
    for model in ("resnet50", "mobilenetv2", "efficientnet_b0", "bert_base", "vit_b16", "digits", "ds_cnn",
                  "lstm", "crnn", "mobilenetv3", "convnext_tiny", "unet", "yolo", "ssd_nms", "gpt2_small"):
        yield cell(model)
    for model in ("resnet50", "mobilenetv2", "bert_base", "vit_b16"):
        yield cell(model, "bf16")
    for model in ("resnet50", "mobilenetv2", "efficientnet_b0", "bert_base"):
        yield cell(f"{model}.u8s8")
        yield cell(f"{model}.s8s8")
    for model in ("resnet50", "mobilenetv2"):
        yield cell(model, "fp32", 32)
        yield cell(model, "bf16", 32)
        yield cell(f"{model}.u8s8", batch=32)


CELLS = list(_cells())
