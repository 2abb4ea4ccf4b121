"""The page of operators is what the tables say, and holds all that TF-TRT converted."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import tensorflow_operators as operators


def known():
    return [name for _, names in operators.tables() for name in names]


def test_page_is_current():
    assert operators.PAGE.read_text() == operators.page(), "run tools/tensorflow_operators.py"


def test_an_operator_has_one_row():
    assert len(known()) == len(set(known()))


def test_all_that_tf_trt_converted():
    wanted = (pathlib.Path(__file__).parent / "tf_trt_operators.txt").read_text().split()
    assert len(wanted) == 121 and not set(wanted) - set(known())
