"""Every test takes its tolerances from docs/numerics.md: prints small literals that stand in a test, rows
of the page that no test reads, and subjects that the page does not have.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = "docs/numerics.md"
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| [0-9.]", re.M)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
COMMENT = re.compile(r'/\*.*?\*/|""".*?"""|//[^\n]*|(?:^|\s)#[^\n]*', re.S)
SMALL = re.compile(r"\b[0-9][0-9.]*e-[0-9]+f?\b")
# What small literals are for elsewhere: elements to compute with, an operator's own epsilon (named, or
# added), a small step of the weights.
VALUES = ("tests/ops/pointwise_values.h", "tests/ir/test_dtype.c", "tests/ir/test_text.c", "tests/base/test_quoted.c",
          "tests/base/test_protobuf_text.c")
NAMED = re.compile(r"(?:(?:epsilon|low|high)(?:=|\": )-?|\+ |[\[(]?np\.float32\(|\[)" + SMALL.pattern +
                   "|" + SMALL.pattern + r"(?=\])")


def small_literals(name, text):
    """Small numbers outside strings and comments, each a tolerance of the test's own."""
    text = NAMED.sub("", text)
    text = STRING.sub("", COMMENT.sub("", text))
    return [f"{name}: {found}, a tolerance that is not in {PAGE}" for found in SMALL.findall(text)]


def read(text, subject):
    return f'"{subject}"' in text or (", " in subject and f'"{subject.split(", ")[0]}"' in text)


def main():
    names = subprocess.run(["git", "ls-files", "tests", "tools/test_gpu.py"], cwd=ROOT, check=True, text=True,
                           capture_output=True).stdout
    texts = {name: (ROOT / name).read_text() for name in names.split()
             if name.endswith((".c", ".h", ".py")) and (ROOT / name).is_file()}
    found = [line for name, text in texts.items() if name not in VALUES for line in small_literals(name, text)]
    rows = ROW.findall((ROOT / PAGE).read_text())
    everything = "\n".join(texts.values())
    found += [f"{PAGE}: no test reads `{subject}`" for subject in sorted({row[0] for row in rows})
              if not read(everything, subject)]
    found += [f"{PAGE}: two rows for `{subject}`, `{precision}`" for subject, precision in set(rows)
              if rows.count((subject, precision)) > 1]
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
