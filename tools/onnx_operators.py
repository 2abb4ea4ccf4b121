#!/usr/bin/env python3
"""Write docs/onnx-operators.md: what of ONNX Hone imports, and what it refuses and why.

Everything is read out of the importer itself. The rows of the tables in src/import/onnx give operators
and opsets; the functions that they name, followed through what they call, give the ops that an operator
becomes and the messages with which it is refused; refused.def gives the operators without a row; the
tables of ops and of the CPU backend say which ops have a kernel. The standard's own lists come from
`onnx`, that of com.microsoft from ONNX Runtime.

    tools/onnx_operators.py            write the page
    tools/onnx_operators.py --check    exit status 1 where the page is not what would be written
"""
import argparse
import collections
import functools
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
IMPORTER = SOURCES / "import" / "onnx"
BACKEND = SOURCES / "backend" / "cpu"
PAGE = ROOT / "docs" / "onnx-operators.md"

TEXT = r'"((?:[^"\\]|\\.)*)"'
TEXTS = rf'((?:{TEXT}\s*)+)'
ROW = re.compile(rf'\{{{TEXT}, {TEXT}, (\d+), (\d+),\s*(?:(?:\.op = )?{TEXT}|\.import = (\w+))')
REFUSED = re.compile(rf'HONE_ONNX_REFUSED\({TEXT}, {TEXT},\s*{TEXTS}\)')
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[{}]')
HEADER = re.compile(r"(\w+)\([^;{}]*\)\s*$")
EMITTED = re.compile(r"(\w+)\([(\s]*call\)*,(?=([^,;]*))")
REFUSAL = re.compile(rf'HONE_UNSUPPORTED,\s*{TEXTS}')

Row = collections.namedtuple("Row", "domain name since last ops refusals")


def joined(texts):
    """C string literals that stand behind each other, as one text."""
    return "".join(re.findall(TEXT, texts))


@functools.cache
def preprocessed(path):
    done = subprocess.run(["cc", "-E", "-P", f"-I{SOURCES}", f"-I{ROOT / 'include'}", str(path)],
                          capture_output=True, text=True, check=True)
    return done.stdout


def functions_of(text):
    """{name: body} of preprocessed C."""
    found, depth, begin, end = {}, 0, 0, 0
    for token in TOKEN.finditer(text):
        if token[0] == "{":
            if depth == 0:
                begin, header = token.end(), HEADER.search(text[end:token.start()])
            depth += 1
        elif token[0] == "}":
            depth -= 1
            end = token.end() if depth == 0 else end
            if depth == 0 and header:
                found[header[1]] = text[begin:token.start()]
    return found


# ---- The importer ----


class Functions:
    """The importer's functions by name; a file's own come before those of other files."""

    def __init__(self, paths):
        self.own = {path: functions_of(preprocessed(path)) for path in paths}
        self.shared = {name: (path, body) for path, own in self.own.items() for name, body in own.items()
                       if name.startswith("hone_onnx_") and path.name != "call.c"}

    def find(self, path, name):
        body = self.own[path].get(name)
        return (path, body) if body else self.shared.get(name)

    def reached(self, path, name):
        """The bodies of the function and of all that it reaches."""
        seen, todo = {}, [self.find(path, name)]
        while todo:
            found = todo.pop()
            if not found or found in seen:
                continue
            seen[found] = True
            where, body = found
            names = dict.fromkeys(re.findall(r"\b(?!onnx_)[a-z]\w+\b", body))
            todo += [self.find(where, callee) for callee in names]
        return [body for _, body in seen]


def read_rows(ops):
    tables = re.findall(r"^HONE_ONNX_TABLE\((\w+)\)", (IMPORTER / "tables.def").read_text(), re.M)
    functions = Functions(sorted(IMPORTER.glob("*.c")))
    for table in tables:
        path = IMPORTER / f"{table}.c"
        for domain, name, since, last, op, function in ROW.findall(preprocessed(path)):
            bodies = functions.reached(path, function) if function else []
            made = {op} if op else {text for body in bodies for callee, argument in EMITTED.findall(body)
                                    for text in re.findall(TEXT, argument)
                                    if text in ops and not callee.startswith("hone_onnx_")}
            refusals = sorted({joined(match[0]) for body in bodies for match in REFUSAL.findall(body)})
            yield Row(domain, name, int(since), int(last), sorted(made), refusals)


def read_refused():
    text = (IMPORTER / "refused.def").read_text()
    return {(match[0], match[1]): joined(match[2]) for match in REFUSED.findall(text)}


# ---- Where ops run ----


def names_in(path, macro):
    return [name for name in re.findall(rf"^\s*{macro}\((\w+)[,)]", path.read_text(), re.M) if name != "name"]


def read_facts():
    """{op: its facts}, from the definitions of the ops."""
    sources = (path.read_text() for path in sorted((SOURCES / "ops").glob("*.c")))
    return {name: facts for source in sources for name, facts in
            re.findall(r"^const hone_op hone_op_(\w+) = \{(.*?)\};", source, re.M | re.S)}


def read_places():
    """{op: where it runs}: "kernel", "plan" (views and shapes cost nothing in a run) or "reference"."""
    places = {}
    facts = read_facts()
    kernels = set(re.findall(r"^(?:KERNEL\(\w+, \w+, \w+|ISAS\(\w+|LOW\(\w+), (\w+),",
                             (BACKEND / "kernels.def").read_text(), re.M))
    kernels |= set(names_in(SOURCES / "ops" / "pointwise.def", "POINTWISE")) | {"cast", "bitcast", "select"}
    for op in names_in(SOURCES / "ops" / "ops.def", "HONE_OP") + sorted(kernels):
        planned = "HONE_VIEW" in facts.get(op, "") or "HONE_SHAPE_ONLY" in facts.get(op, "")
        places[op] = "plan" if planned or op in CONTROL else "kernel" if op in kernels else "reference"
    return places


CONTROL = ("if", "loop", "group")


# ---- The page ----

HEAD = """# ONNX operators

Written by `tools/onnx_operators.py` from the importer's tables; a test keeps it current.

* **opsets**: those of the domain that the operator is taken at. `7-12, 13+` are two rows of the table;
  both are done.
* **becomes**: ops of Hone, as `hone inspect --before` prints them. Those in *italics* run on the reference
  (right, but not fast); the others have a kernel, or cost nothing while running: views, shapes and control.
  A kernel may leave element types to the reference; `hone inspect --layers` says it for a model.
  Transposes to channels-last and back, casts and shape arithmetic around an op are not listed.
* **refuses**: what a node may say and gets `HONE_UNSUPPORTED` for, in the words of the error.

Values of type map do not exist here. `ZipMap`, with which classifiers of scikit-learn end, gives the tensor
of scores instead of a list of maps, column i being label i: what converters write without it.

`DynamicQuantizeLSTM` is the LSTM of its dequantised weights: activations, which ONNX Runtime rounds to 8 bits
in every step, stay exact. Five int8 models of PyPI packages differ by 1e-3 to 0.6 of the largest value for it;
against ONNX Runtime on the LSTM of the same weights Hone differs by at most 5e-3, by the rounding around it.
"""


def opsets(rows):
    spans = sorted({(row.since, row.last) for row in rows})
    return ", ".join(f"{a}+" if not b else str(a) if a == b else f"{a}-{b}" for a, b in spans)


def ops_cell(rows, places):
    made = sorted({op for row in rows for op in row.ops})
    return " ".join(f"*{op}*" if places[op] == "reference" else op for op in made)


def refusals_cell(rows):
    return "; ".join(sorted({text for row in rows for text in row.refusals})).replace("|", "\\|")


def table(rows, places):
    by_name = collections.defaultdict(list)
    for row in rows:
        by_name[row.name].append(row)
    yield "| operator | opsets | becomes | refuses |"
    yield "|---|---|---|---|"
    for name in sorted(by_name):
        yield f"| {name} | {opsets(by_name[name])} | {ops_cell(by_name[name], places)} | " \
              f"{refusals_cell(by_name[name])} |"


def standard_operators():
    """{(domain, operator)} that the installed onnx and ONNX Runtime know and do not call deprecated."""
    import onnx
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

    known = {(s.domain, s.name) for s in onnx.defs.get_all_schemas() if "training" not in s.domain}
    return known | {(s.domain, s.name) for s in get_all_operator_schema() if s.domain == "com.microsoft"}


def make_page():
    places = read_places()
    rows, refused = list(read_rows(places)), read_refused()
    done = {(row.domain, row.name) for row in rows}
    silent = standard_operators() - done - set(refused)
    if silent or done & set(refused):
        raise SystemExit(f"neither a row nor a reason in refused.def: {sorted(silent)}\n"
                         f"a row and a reason: {sorted(done & set(refused))}")
    lines = [HEAD]
    for domain in sorted({row.domain for row in rows}, key=lambda d: (d != "", d)):
        own = [row for row in rows if row.domain == domain]
        missing = {name: reason for (d, name), reason in refused.items() if d == domain}
        lines += [f"## {domain or 'ai.onnx, the default domain'}", "",
                  f"{len({row.name for row in own})} operators.", "", *table(own, places), ""]
        if missing:
            lines += [f"Refused, {len(missing)} operators:", "", "| operator | why |", "|---|---|",
                      *(f"| {name} | {missing[name]} |" for name in sorted(missing)), ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is old")
    options = parser.parse_args()
    page = make_page()
    if not options.check:
        PAGE.write_text(page)
    elif page != PAGE.read_text():
        print(f"{PAGE.relative_to(ROOT)} is old: run tools/onnx_operators.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
