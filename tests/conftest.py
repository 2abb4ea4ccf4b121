"""Model tests run on Hone; `--engine ort` runs them on ONNX Runtime, to test the tests."""
import os
import pathlib
import sys

import pytest

# What a test converts becomes engines, however small and busy the machine: tests of the timing unset it.
os.environ.setdefault("HONE_TRT_ALWAYS", "1")

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests"), str(ROOT / "tests" / "tensorflow"),
                str(ROOT / "tools" / "models")]


def pytest_addoption(parser):
    parser.addoption("--engine", default="hone", help="engine under test: hone or a peer")
    parser.addoption("--graphs", type=int, default=150, help="how many random graphs to try")
    parser.addoption("--first-seed", type=int, default=0, help="the seed of the first of them")


@pytest.fixture(scope="session")
def engine_name(request):
    return request.config.getoption("--engine")


@pytest.fixture(scope="session")
def open_engine(engine_name):
    """open_engine(model, threads=2): a runner on the engine under test."""
    import engines

    def opened(model, threads=2):
        return engines.open_engine(engine_name, model, threads)

    return opened


@pytest.fixture(scope="session")
def models_folder():
    """Other people's trained models with known answers; not part of the project."""
    folder = pathlib.Path(os.environ.get("HONE_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip(f"no models at {folder} (set HONE_MODELS)")
    return folder
