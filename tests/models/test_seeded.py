"""The small seeded models on the engine under test against ONNX Runtime: right numbers, any shape, and no
operator left to the reference kernels."""
import numpy as np
import onnx
import pytest

import engines
import make_models
import net
import numerics

# Sizes of named dimensions to run on one engine, besides each model's usual ones.
OTHER_SIZES = {
    "n": [{"n": 3}],
    "n,t": [{"n": 2, "t": 5}, {"n": 1, "t": 1}],
    "n,h,w": [{"n": 2, "h": 8, "w": 40}],
    "n,w": [{"n": 2, "w": 61}],
    "": [],
}
QUANTISED = [(name, variant) for name in make_models.MODELS if name not in make_models.NOT_QUANTISED
             for variant in make_models.QUANTISED]


def named_dims(model):
    return ",".join(sorted((p.key[4:] for p in model.metadata_props if p.key.startswith("dim:")),
                           key="nthw".index))


def compare(got, want, bound):
    assert set(got) >= set(want)
    for name, reference in want.items():
        assert got[name].shape == reference.shape and got[name].dtype == reference.dtype, name
        error = numerics.model_error(got[name], reference)
        assert error <= bound, f"{name}: error {error:.2e} above {bound:.0e}"


@pytest.mark.parametrize("name", make_models.MODELS)
def test_same_answers_as_onnxruntime(name, open_engine):
    model = make_models.make(name, tiny=True)
    engine, peer = open_engine(model), engines.open_engine("ort", model, 1)
    for seed, dims in enumerate([{}, *OTHER_SIZES[named_dims(model)], {}]):
        feeds = net.sample_inputs(model, seed, dims)
        compare(engine.run(feeds), peer.run(feeds), numerics.bound("model", "fp32"))


@pytest.mark.parametrize("name", make_models.MODELS)
def test_nothing_on_the_reference_kernels(name, open_engine, engine_name):
    if engine_name != "hone":
        pytest.skip("a report is Hone's")
    report = open_engine(make_models.make(name, tiny=True)).engine.report()
    slow = [unit["ops"] for unit in report["units"] if unit["group"] and unit["kernel"] == "reference"]
    assert report["groups"] > 0 and not slow


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenetv3"])
def test_gates_go_with_the_layer_after_them(name, open_engine, engine_name):
    if engine_name != "hone":
        pytest.skip("a report is Hone's")
    model = make_models.make(name, tiny=True)
    report = open_engine(model).engine.report()
    gates = [unit for unit in report["units"] if unit["ops"][:2] == ["mul", "conv"]]
    alone = [unit for unit in report["units"] if unit["ops"] == ["mul"]]
    squeezed = sum(node.op_type == "GlobalAveragePool" for node in model.graph.node) - 1  # the last: the head
    assert len(gates) == squeezed > 0 and not alone
    assert all(unit["kernel"].startswith("conv_gemm") for unit in gates)


@pytest.mark.parametrize("name", ["resnet50", "bert_base", "unet"])
def test_same_bits_for_any_number_of_threads(name, open_engine):
    model = make_models.make(name, tiny=True)
    feeds = net.sample_inputs(model, 5)
    one, two, five = (open_engine(model, threads).run(feeds) for threads in (1, 2, 5))
    for output in one:
        assert one[output].tobytes() == two[output].tobytes() == five[output].tobytes()


@pytest.mark.parametrize("name,variant", QUANTISED)
def test_quantised(name, variant, open_engine):
    """Integer kernels round in other places on other engines: the bound is a few steps of the output."""
    model = onnx.load(make_models.path_of(name, True, variant))
    feeds = net.sample_inputs(model)
    got, want = open_engine(model).run(feeds), engines.open_engine("ort", model, 1).run(feeds)
    compare(got, want, numerics.bound("model", "int8"))
    first = next(iter(want))
    assert np.isfinite(got[first]).all()


@pytest.mark.parametrize("variant", make_models.QUANTISED)
@pytest.mark.parametrize("name", ["resnet50", "mobilenetv2"])
def test_quantised_in_bytes(name, variant, open_engine, engine_name):
    """Every convolution is one of integers and nothing runs on the reference."""
    if engine_name != "hone":
        pytest.skip("a report is Hone's")
    report = open_engine(onnx.load(make_models.path_of(name, True, variant))).engine.report()
    groups = [unit for unit in report["units"] if unit["group"]]
    assert not [unit["ops"] for unit in groups if unit["kernel"] == "reference"]
    convolutions = [unit["ops"] for unit in groups if any(op.startswith("conv") for op in unit["ops"])]
    assert convolutions and all("conv_integer" in ops for ops in convolutions)
    in_bytes = [ops for ops in convolutions if ops[-1] in ("cast", "byte_table")]
    assert len(in_bytes) > len(convolutions) / 2


@pytest.mark.parametrize("name", ["resnet50", "mobilenetv2", "bert_base", "vit_b16"])
def test_in_bf16(name, engine_name):
    """Near the fp32 answer; on processors with bf16 all convolutions but the depthwise ones multiply in it
    and exchange it, first layers and pools too."""
    model = make_models.make(name, tiny=True)
    engine, peer = engines.open_engine(engine_name, model, 2, precision="bf16"), engines.open_engine("ort", model, 1)
    feeds = net.sample_inputs(model, 3)
    compare(engine.run(feeds), peer.run(feeds), numerics.bound("model", "bf16"))
    if engine_name != "hone":
        return
    report = engine.engine.report()
    groups = [unit for unit in report["units"] if unit["group"]]
    assert not [unit["ops"] for unit in groups if unit["kernel"] == "reference"]
    kernels = {unit["kernel"] for unit in groups if "conv" in unit["ops"] or "matmul" in unit["ops"]}
    if not any(kernel.endswith("avx512bf16") for kernel in kernels):
        return  # a processor without bf16
    slow = {kernel for kernel in kernels if "bf16" not in kernel and "depthwise" not in kernel}
    assert not slow - {kernel for kernel in kernels if kernel.startswith("matmul")}
    if name in ("resnet50", "mobilenetv2"):
        assert report["fired"]["store in bf16"] > 10
        assert not [unit["ops"] for unit in groups if unit["ops"] == ["cast"]]
