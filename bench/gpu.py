"""Models on an NVIDIA GPU: Hone against PyTorch, eager under a CUDA graph and `torch.compile`.

PyTorch's own nets with seeded weights are exported to ONNX and built; outputs are compared with PyTorch's in fp32
before anything is timed. Then all take turns, round by round, on tensors that lie on the GPU: each is asked for
asynchronously REPEATS times, and the GPU waited for once after them. A ratio is the median over rounds of Hone by the
peer that is faster in the median, with its 90 % interval. `host` is a run of Hone from and to NumPy arrays, copies
included, which waits for each; for a net so small that nobody would keep its input on the GPU the peers are timed so
as well, and that is its row. p50 and p99 are of runs of Hone that are waited for one by one. Of the roofline: what the
card's tensor cores need for the products, or its memory for the weights, whichever is longer, by what Hone took.
Needs torch, torchvision, transformers and onnxscript beside Hone.

  gpu.py                                            every model, precision and batch
  gpu.py --models resnet50 --precisions fp16 --batches 1 8 128 --markdown docs/performance.md
"""
import argparse
import gc
import json
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
import transformers  # noqa: E402

import hone  # noqa: E402
import numerics  # noqa: E402
from tables import figure, geometric_mean, median_interval  # noqa: E402

BEGIN, END = "<!-- gpu begins -->", "<!-- gpu ends -->"
PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
ROUNDS, REPEATS, SINGLE = 25, 4, 200
# Dense products a second by precision, and bytes: NVIDIA's data sheet of the card.
PEAKS = {"NVIDIA H200": ({"fp32": 67e12, "tf32": 494e12, "fp16": 989e12, "bf16": 989e12}, 4.8e12)}


class Bert(torch.nn.Module):
    def __init__(self):
        super().__init__()
        config = transformers.BertConfig(attn_implementation="sdpa")
        self.inner = transformers.BertModel(config, add_pooling_layer=False)

    def forward(self, ids):
        return self.inner(input_ids=ids).last_hidden_state


class Mnist(torch.nn.Sequential):
    """Of the sizes of ONNX's mnist of CNTK."""

    def __init__(self):
        nn = torch.nn
        super().__init__(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5, padding=2),
                         nn.ReLU(), nn.MaxPool2d(3), nn.Flatten(), nn.Linear(256, 10))


def pictures(batch):
    return torch.randn(batch, 3, 224, 224)


def digits(batch):
    return torch.randn(batch, 1, 28, 28)


def words(batch):
    return torch.randint(0, 30000, (batch, 128))


# The net, its inputs, and 10^9 operations of products for each.
MODELS = {
    "resnet50": (torchvision.models.resnet50, pictures, 8.2),
    "mobilenetv2": (torchvision.models.mobilenet_v2, pictures, 0.6),
    "bert_base": (Bert, words, 22.3),
    "vit_b16": (torchvision.models.vit_b_16, pictures, 35.1),
    "mnist": (Mnist, digits, 0.0016),
}
FROM_HOST = {"mnist"}


def seeded(make):
    """The net, with statistics of batch norms that are no identity and no layer of zeros."""
    torch.manual_seed(1)
    net = make().eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
        if isinstance(module, torch.nn.Linear) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.02)
    return net


def export(net, example, folder):
    path = pathlib.Path(folder) / "net.onnx"
    torch.onnx.export(net, (example,), str(path), input_names=["x"], output_names=["y"], dynamo=True,
                      dynamic_shapes=({0: torch.export.Dim("n", min=1, max=4096)},), external_data=False)
    return path


def recorded(call):
    """`call` as a CUDA graph; what replays it returns its result."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()

    def replay():
        graph.replay()
        return result

    return replay


def peers_of(net, x, dtype, tf32):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    net = net.cuda().to(dtype)
    if x.ndim == 4:
        net, x = net.to(memory_format=torch.channels_last), x.to(dtype).to(memory_format=torch.channels_last)
    compiled = torch.compile(net, mode="reduce-overhead")
    for _ in range(3):
        compiled(x)
    return {"graph": recorded(lambda: net(x)), "compile": lambda: compiled(x)}, x


def from_host(call, on_device, array):
    """`call`, which reads the tensor, from and to NumPy arrays."""

    def whole():
        on_device.copy_(torch.from_numpy(array))
        return call().float().cpu().numpy()

    return whole


def seconds(call):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(REPEATS):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / REPEATS


def take_turns(calls):
    for call in calls.values():
        for _ in range(3):
            call()
    rounds = [{name: seconds(call) for name, call in calls.items()} for _ in range(ROUNDS)]
    return {name: [r[name] for r in rounds] for name in calls}


def one_by_one(call):
    """p50 and p99, in ms, of calls that are waited for."""
    times = []
    for _ in range(SINGLE):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


def floor_ms(precision, operations, weights):
    """What the card needs at least; None of one whose peaks are not known."""
    if torch.cuda.get_device_name() not in PEAKS:
        return None
    products, memory = PEAKS[torch.cuda.get_device_name()]
    return max(operations / products[precision], weights / memory) * 1e3


def free_memory():
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info()[0]


def cell(name, precision, batch, path, net, example, operations):
    x = example(batch)
    before, start = free_memory(), time.perf_counter()
    engine = hone.build(str(path), device="cuda", precision=precision, shapes={"x": tuple(x.shape)})
    built = time.perf_counter() - start
    context = engine.context()
    with torch.no_grad():
        want = net.float().cpu()(x[:2]).numpy()
    array = x.numpy()
    got = np.asarray(context.run({"x": array})["y"])
    memory, on_device = before - free_memory(), x.cuda()
    error = numerics.model_error(got[:2], want)
    if not error <= numerics.bound("model", precision):
        raise RuntimeError(f"the error is {error:.1e}")
    out = torch.empty(got.shape, dtype=torch.float32, device="cuda")
    with torch.inference_mode():
        calls, theirs = peers_of(net, on_device, PRECISIONS[precision], precision == "tf32")
        calls["host"] = lambda: context.run({"x": array})
        calls["hone"] = lambda: context.enqueue({"x": on_device}, {"y": out})
        if name in FROM_HOST:
            calls["hone"] = calls["host"]
            for kind in ("graph", "compile"):
                calls[kind] = from_host(calls[kind], theirs, array)
        times = take_turns(calls)
        p50, p99 = one_by_one(calls["hone"])
    ms = {kind: statistics.median(values) * 1e3 for kind, values in times.items()}
    best = min(("graph", "compile"), key=ms.get)
    ratios = [own / peer for own, peer in zip(times["hone"], times[best])]
    ratio, low, high = median_interval(ratios)
    weights = sum(p.numel() for p in net.parameters()) * PRECISIONS[precision].itemsize
    return {"model": name, "precision": precision, "batch": batch, "ms": ms, "peer": best, "error": error,
            "ratio": ratio, "low": low, "high": high, "built": built, "p50": p50, "p99": p99, "memory": memory,
            "floor": floor_ms(precision, operations * 1e9 * batch, weights)}


def table(rows):
    lines = ["| model | batch | Hone ms | p50 | p99 | from host ms | PyTorch graph ms | `torch.compile` ms | "
             "ratio to the best | 90 % interval | of the roofline | error | build s | MB on the GPU |",
             "|---" * 14 + "|"]
    for row in rows:
        ms = row["ms"]
        times = " | ".join(f"{value:.3f}" for value in (ms["hone"], row["p50"], row["p99"], ms["host"], ms["graph"],
                                                        ms["compile"]))
        share = figure(row["floor"] and row["floor"] / ms["hone"], 2)
        lines.append(f"| {row['model']} {row['precision']} | {row['batch']} | {times} | {row['ratio']:.2f} | "
                     f"{row['low']:.2f} to {row['high']:.2f} | {share} | {row['error']:.1e} | {row['built']:.1f} | "
                     f"{row['memory'] / 1e6:.0f} |")
    lines.append(f"\nGeometric mean of {len(rows)} ratios: {geometric_mean([row['ratio'] for row in rows]):.2f}.")
    return "\n".join(lines)


def write_page(path, machine, rows):
    page = pathlib.Path(path).read_text()
    before, rest = page.split(BEGIN, 1)
    pathlib.Path(path).write_text(f"{before}{BEGIN}\n{machine}\n\n{table(rows)}\n{END}{rest.split(END, 1)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--precisions", nargs="+", default=["fp16", "tf32"], choices=list(PRECISIONS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 128])
    parser.add_argument("--json")
    parser.add_argument("--with-rows", nargs="*", default=[], help="JSON files whose rows stand in the table too")
    parser.add_argument("--markdown", help="write the table into this page, between the lines that begin and end it")
    options = parser.parse_args()
    machine = f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, tensors on the GPU"
    print(machine, flush=True)
    rows, failed = [], 0
    for path in options.with_rows:
        rows += json.loads(pathlib.Path(path).read_text())["rows"]
    for name in options.models:
        make, example, operations = MODELS[name]
        with tempfile.TemporaryDirectory() as folder:
            path = export(seeded(make), example(2), folder)
            for precision in options.precisions:
                for batch in options.batches:
                    torch._dynamo.reset()
                    try:
                        rows.append(cell(name, precision, batch, path, seeded(make), example, operations))
                        print(table(rows[-1:]).splitlines()[2], flush=True)
                    except (RuntimeError, hone.Error) as reason:
                        failed += 1
                        print(f"  {name} {precision} {batch}: {str(reason)[:300]}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    if rows and options.markdown:
        write_page(options.markdown, machine, rows)
    if rows:
        print("\n" + table(rows))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
