"""tools/test_gpu.py without a GPU: what it keeps by commit, what it repeats, what it writes into a page."""
import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("gpu_tool", ROOT / "tools" / "test_gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "commit", lambda: "abc")
    monkeypatch.setattr(module, "checked", lambda command: json.dumps({"machine": {"cuda": {
        "used": True, "gpu": "a card", "driver": {"version": "13.0"}, "nvrtc": {"version": "13.0"}}}}))
    module.ran = []

    def run(name, build):
        module.ran.append(name)
        good = name != "bodies 2" or "mended" in module.ran
        return {"good": good, "lines": [f"said by {name}"], "seconds": 1, "date": "2026-01-01"}

    monkeypatch.setattr(module, "run_shard", run)
    return module


def run(tool, monkeypatch, *words):
    tool.ran.clear()
    monkeypatch.setattr(sys, "argv", ["test_gpu.py", *words])
    return tool.main()


def test_what_passed_is_not_repeated(tool, monkeypatch):
    assert run(tool, monkeypatch, "--only", "bodies ?") == 1
    assert sorted(tool.ran) == ["bodies 1", "bodies 2", "bodies 3", "bodies 4"]
    assert run(tool, monkeypatch, "--only", "bodies ?") == 1
    assert tool.ran == ["bodies 2"]
    monkeypatch.setattr(tool, "commit", lambda: "another")
    assert run(tool, monkeypatch, "--smoke") == 1
    assert len(tool.ran) == 5


def test_a_changed_tree_keeps_nothing(tool, monkeypatch, tmp_path):
    monkeypatch.setattr(tool, "commit", lambda: None)
    for _ in range(2):
        assert run(tool, monkeypatch, "--only", "cases 1") == 0
        assert tool.ran == ["cases 1"]
    assert not list(tmp_path.iterdir())


def test_the_page_gets_a_row_a_shard(tool, monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")
    run(tool, monkeypatch, "--only", "cases [12]", "--markdown", str(page))
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith(f"{tool.END}\nafter\n") and "old" not in text
    assert "At abc, on a card" in text and "| cases 1 | said by cases 1 | 1 | 2026-01-01 |" in text
    assert text.count("| cases") == 2


def test_a_shard_that_dies_is_wrong(tool, tmp_path):
    spec = importlib.util.spec_from_file_location("gpu_tool_2", ROOT / "tools" / "test_gpu.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = module.run_shard("bodies 1", tmp_path / "no build")
    assert not result["good"] and result["lines"]


def test_every_shard_is_listed():
    done = subprocess.run([sys.executable, ROOT / "tools" / "test_gpu.py", "--list"], text=True, capture_output=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) >= 20, done.stderr
