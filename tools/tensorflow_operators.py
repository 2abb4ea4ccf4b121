"""Writes docs/tensorflow-operators.md: the rows of src/import/tensorflow, a table a family.

Run from the project's root: python3 tools/tensorflow_operators.py
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src/import/tensorflow"
PAGE = ROOT / "docs/tensorflow-operators.md"


def tables():
    """(subject, operators) of each table, in the order of tables.def."""
    for name in re.findall(r"^HONE_TF_TABLE\((\w+)\)", (SOURCES / "tables.def").read_text(), re.M):
        text = (SOURCES / f"{name}.c").read_text()
        subject = re.match(r"/\* (.+?)[.:](?:\s|$)", text, re.S).group(1)
        rows = text[text.index(f"const hone_tf_row hone_tf_{name}[]"):]
        yield " ".join(subject.replace("\n *", " ").split()), sorted(re.findall(r'\{"(\w+)",', rows))


def page():
    families = list(tables())
    total = sum(len(operators) for _, operators in families)
    lines = ["# TensorFlow's operators", "",
             f"The {total} that are read without TensorFlow. Made by `tools/tensorflow_operators.py` out of the",
             "tables in `src/import/tensorflow/`; what an operator's options may be is there, and what is not done is",
             "refused by name with the node.", "", "| family | operators |", "|---|---|"]
    lines += [f"| {subject} | {', '.join(operators)} |" for subject, operators in families]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
