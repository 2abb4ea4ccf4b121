"""The command: build, run, bench, inspect, check, doctor, and the flags that trtexec users bring."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import numerics
import numpy as np
import pytest

from command import COMMAND, QUICK, hone, hone_json, net, outputs


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return net(tmp_path_factory.mktemp("command") / "net.onnx")


@pytest.fixture(scope="module")
def engine(model):
    path = model.with_name("net.hone")
    hone("build", model, "-o", path, *QUICK)
    return path


def test_help_and_wrong_words(model):
    assert "compare" in hone("--help").stdout
    assert hone("--version").stdout.startswith("hone ")
    hone(code=1)
    assert "no command" in hone("frobnicate", code=1).stderr
    assert "no flag" in hone("bench", model, "--frobnicate", code=1).stderr
    assert "wants a number" in hone("bench", model, "--duration", "soon", code=1).stderr
    assert "usage" in hone("build", code=1).stderr
    assert "-o" in hone("build", model, code=1).stderr


def test_exit_codes(model, tmp_path):
    hone("run", tmp_path / "none.onnx", code=2)
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x08" + b"\xff" * 50)
    hone("run", tmp_path / "bad.onnx", code=2)
    hone("build", model, "-o", tmp_path / "e", "--precision", "fp12", code=1)
    hone("run", model, "--memory-limit", "64", *QUICK, code=3)


def test_build_with_a_cache_and_frozen(model, tmp_path):
    cache = tmp_path / "times.txt"
    hone("build", model, "-o", tmp_path / "a.hone", "--timing-cache", cache, "--quiet")
    report = hone_json("build", model, "-o", tmp_path / "b.hone", f"--timingCacheFile={cache}",
                       "--errorOnTimingCacheMiss", "--quiet")
    assert report["measured"] == 0
    assert (tmp_path / "a.hone").read_bytes() == (tmp_path / "b.hone").read_bytes()


def test_run_writes_outputs(engine, tmp_path):
    printed = hone("run", engine, "-o", tmp_path / "out", "--export-output", tmp_path / "y.json").stdout
    assert printed.startswith("y: f32[1, 4]")
    y = np.load(tmp_path / "out" / "y.npy")
    assert y.shape == (1, 4) and abs(y.sum() - 1) < numerics.bound("model", "fp32")
    np.testing.assert_allclose(outputs(tmp_path / "y.json")["y"], y, rtol=numerics.bound("written number", "fp32"))
    hone("run", engine, f"--exportOutput={tmp_path / 'y.npy'}", "--shapes", "x:3x3x8x8")
    assert np.load(tmp_path / "y.npy").shape == (3, 4)


def test_run_profile(engine, tmp_path):
    printed = hone("run", engine, "--profile", "--export-profile", tmp_path / "p.json").stdout
    assert "kernel" in printed and "first" in printed and "dense" in printed
    count, *rows = json.loads((tmp_path / "p.json").read_text())
    assert count["count"] >= 1 and {"name", "timeMs", "averageMs", "percentage", "kernel"} <= set(rows[0])
    assert abs(sum(row["percentage"] for row in rows) - 100) < 1


@pytest.mark.parametrize("streams", [1, 3])
def test_bench(engine, tmp_path, streams):
    result = hone_json("bench", engine, "--duration", "0.1", "--warmUp", "5", "--iterations", "20", "--streams",
                       streams, "--threads", "1", "--percentile", "50,99.9", f"--exportTimes={tmp_path / 't.json'}")
    latency = result["latency_ms"]
    assert result["runs"] >= 20 * streams and result["streams"] == streams
    assert latency["min"] <= latency["median"] <= latency["p99.9"] <= latency["max"]
    times = json.loads((tmp_path / "t.json").read_text())
    assert len(times) == result["runs"] and {row["stream"] for row in times} == set(range(streams))


def test_bench_in_words(engine):
    printed = hone("bench", engine, "--duration=0.05", "--warm-up=0", "--dumpProfile").stdout
    assert re.search(r"Throughput: [\d.]+ qps", printed)
    assert re.search(r"Latency: min = .*median = .*percentile\(99%\) = ", printed)
    assert "calls" in printed


def test_a_command_line_of_trtexec(model, tmp_path):
    done = hone(f"--onnx={model}", f"--saveEngine={tmp_path / 'e.hone'}", "--optShapes=x:2x3x8x8",
                "--minShapes=x:1x3x8x8", "--maxShapes=x:9x3x8x8", "--builderOptimizationLevel=0", "--useCudaGraph",
                "--threads", "--device=0",
                "--avgRuns=5", "--iterations=5", "--duration=0", "--warmUp=0",
                "--memPoolSize=workspace:64", "--verbose")
    assert "Throughput" in done.stdout and "any shape" in done.stderr and "wrote" in done.stderr
    hone("check", tmp_path / "e.hone")
    hone(f"--onnx={model}", f"--saveEngine={tmp_path / 'f.hone'}", "--skipInference", "--builderOptimizationLevel=0")
    hone(f"--loadEngine={tmp_path / 'f.hone'}", "--iterations=1", "--duration=0", "--warmUp=0")


@pytest.mark.parametrize("flag,hint", [
    ("--fp16", "bf16"), ("--int8", "Q/DQ"), ("--useDLACore=0", "DLA"), ("--calib=c", "Q/DQ"),
    ("--markDebug=x", "compare"), ("--dynamicPlugins=a.so", "a.so"), ("--refitFromOnnx", "hone refit"),
    ("--getPlanVersionOnly", "check")])
def test_flags_of_trtexec_that_are_not_here_say_what_is(model, flag, hint):
    done = subprocess.run([COMMAND, "trtexec", f"--onnx={model}", flag], capture_output=True, text=True)
    assert done.returncode in (1, 2) and hint in done.stderr


def test_every_flag_of_trtexec_is_answered(model):
    """The flags of its help (TensorRT 10 and 11) save those that only name files or numbers of theirs."""
    known = """onnx saveEngine loadEngine asyncFileReader getPlanVersionOnly minShapes optShapes maxShapes shapes
        profile useProfile minShapesCalib optShapesCalib maxShapesCalib inputIOFormats outputIOFormats memPoolSize fp16
        bf16 int8 fp8 int4 best noTF32 stronglyTyped precisionConstraints layerPrecisions layerOutputTypes calib
        builderOptimizationLevel avgTiming maxTactics maxAuxStreams tacticSources timingCacheFile noBuilderCache
        errorOnTimingCacheMiss sparsity tilingOptimizationLevel preview monitorMemory skipInference refit stripWeights
        stripAllWeights refitFromOnnx dumpRefit timeRefit allowWeightStreaming weightStreamingBudget versionCompatible
        excludeLeanRuntime useRuntime hardwareCompatibilityLevel runtimePlatform staticPlugins dynamicPlugins
        setPluginsToSerialize iterations warmUp duration sleepTime idleTime infStreams threads useCudaGraph useSpinWait
        exposeDMA noDataTransfers separateProfileRun loadInputs device timeDeserialize allocationStrategy markDebug
        saveDebugTensors saveAllDebugTensors verbose avgRuns percentile dumpOutput dumpProfile dumpLayerInfo
        profilingVerbosity exportTimes exportOutput exportProfile exportLayerInfo tuneBuildRoutes tuningSearch
        tuningTimeOut tuningCacheFile continue dryRun loadRefOutputs accuracyAlgorithm accuracyThreshold atol rtol
        noCudaGraph noSpinWait includeDataTransfers""".split()
    for name in known:
        done = subprocess.run([COMMAND, "check", f"--{name}=1"], capture_output=True, text=True)
        assert "there is no flag" not in done.stderr, name


def test_inspect(model, engine, tmp_path):
    printed = hone("inspect", engine, "--layers", "--dot", tmp_path / "e.dot").stdout
    for word in ("x: f32[n, 3, 8, 8]", "sections of the file", "weights", "fusions", "copies",
                 "on the reference", "second"):
        assert word in printed
    dot = (tmp_path / "e.dot").read_text()
    assert dot.startswith("digraph") and "second" in dot and dot.count("->") > 4
    before, after = hone("inspect", model, "--before").stdout, hone("inspect", engine, "--after").stdout
    assert before.startswith("hone 1") and "sigmoid" in before and "group" in after
    hone("inspect", engine, "--before", code=1)
    report = hone_json("inspect", engine, f"--exportLayerInfo={tmp_path / 'l.json'}")
    assert report["inputs"][0]["name"] == "x" and report["units"] and report["file"]["sections"]
    assert json.loads((tmp_path / "l.json").read_text()) == report


def test_inspect_says_why_a_unit_is_on_the_reference(model):
    units = hone_json("inspect", model, "--kernels", "reference", *QUICK)["units"]
    assert all(unit["why"] for unit in units if unit["kernel"] == "reference")
    assert any(unit["kernel"] == "reference" for unit in units)


def test_check(engine, tmp_path):
    assert "whole" in hone("check", engine).stdout
    assert hone_json("check", engine)["verdict"] == "fits"
    data = bytearray(engine.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.hone").write_bytes(data)
    assert "corrupt" in hone("check", tmp_path / "bad.hone", code=2).stderr


def test_doctor():
    printed = hone("doctor").stdout
    for word in ("instruction_sets", "cgroup_cpu_max", "transparent_huge_pages", "jansson", "zlib", "python",
                 "nvrtc", "cublaslt", "cudnn"):
        assert word in printed
    found = hone_json("doctor")
    assert found["machine"]["processors"] >= 1 and found["system"]["memory_bytes"] > 0
    assert set(found["gpu"]) == {"driver", "nvrtc", "cublaslt", "cudnn"}


# ---- Progress ---------------------------------------------------------------------------------


def test_progress_is_plain_lines_in_a_pipe(model, tmp_path):
    lines = hone("build", model, "-o", tmp_path / "e.hone").stderr
    assert "\r" not in lines and "\x1b" not in lines
    assert re.search(r"^measuring kernels: \d+ of \d+$", lines, re.M)
    assert hone("build", model, "-o", tmp_path / "e.hone", "--quiet").stderr == ""


def on_a_terminal(words, interrupt_at=None):
    """(exit code, what came) of the command with a terminal for its stderr."""
    here, there = pty.openpty()
    process = subprocess.Popen([COMMAND, *map(str, words)], stderr=there, stdout=subprocess.DEVNULL)
    os.close(there)
    seen, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([here], [], [], 0.1)[0]:
            try:
                part = os.read(here, 4096)
            except OSError:
                break  # the other side is closed
            if not part:
                break
            seen += part
        if interrupt_at and interrupt_at in seen:
            process.send_signal(signal.SIGINT)
            interrupt_at = None
    os.close(here)
    return process.wait(60), seen


def test_progress_is_a_bar_on_a_terminal(model, tmp_path):
    code, seen = on_a_terminal(["build", model, "-o", tmp_path / "e.hone"])
    assert code == 0 and b"\r" in seen and b"[####" in seen


def test_interrupted_builds_keep_the_best_so_far(model, tmp_path):
    code, seen = on_a_terminal(["build", model, "-o", tmp_path / "e.hone", "--shapes", "x:64x3x8x8"], b"measuring")
    assert code == 0 and b"interrupted: kept" in seen
    hone("check", tmp_path / "e.hone")
    hone("compare", tmp_path / "e.hone", model)


def test_interrupted_benches_tell_what_they_have(engine):
    process = subprocess.Popen([COMMAND, "bench", str(engine), "--duration", "60"], stdout=subprocess.PIPE, text=True)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and "Throughput" in printed
