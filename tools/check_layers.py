"""Includes point one way: base <- ir <- ops <- {import, passes, backend} <- engine <- everything else.

Inside the CPU backend likewise: simd <- lines <- products <- nodes <- the backend itself.
Reads the #include lines of every source file and fails on one that points the wrong way. Outside
src/ (apps, python, examples) only include/hone may be seen; tests and bench may look inside. Headers of
src/ form no circle, inside a room either: each can be read after those that it includes.
"""
import graphlib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BELOW = {
    "base": {"base"},
    "ir": {"base", "ir"},
    "ops": {"base", "ir", "ops"},
    "import": {"base", "ir", "ops", "import"},
    "passes": {"base", "ir", "ops", "passes"},
    "backend": {"base", "ir", "ops", "backend"},
    "engine": {"base", "ir", "ops", "import", "passes", "backend", "engine"},
}
# Inside the CPU backend: plain kernels know no nodes, and nodes do not know how bodies are run.
CPU = "backend/cpu/"
CPU_BELOW = {
    "simd": {"simd"},
    "lines": {"simd", "lines"},
    "products": {"simd", "lines", "products"},
    "nodes": {"simd", "lines", "products", "nodes"},
}
CPU_CONTRACTS = {"formula.h", "kernel.h", "layout.h", "share.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
OUTSIDE = ("apps", "python", "examples", "integrations")


def broken(path, text):
    """The include lines of `path` (relative to the root) that point the wrong way."""
    parts = pathlib.PurePosixPath(path).parts
    for name in INCLUDE.findall(text):
        room = name.split("/")[0]
        if parts[0] in OUTSIDE:
            if room in BELOW:
                yield f"{path}: includes {name}; outside src/ only <hone/...> is seen"
        elif room in BELOW and room not in BELOW[parts[1]]:
            yield f"{path}: includes {name}, which lies above room {parts[1]}"


def broken_inside(path, text):
    """The include lines of a file of the CPU backend's rooms that point the wrong way."""
    room, _, rest = path.removeprefix("src/" + CPU).partition("/")
    if not rest:
        return
    for name in INCLUDE.findall(text):
        if not name.startswith(CPU):
            continue
        other, _, inner = name.removeprefix(CPU).partition("/")
        if other not in (CPU_BELOW[room] if inner else CPU_CONTRACTS):
            yield f"{path}: includes {name}, which room {room} does not know"


def circle(texts):
    """The headers of a circle of includes, one after the other, out of {name below src/: text}; none: []."""
    try:
        graphlib.TopologicalSorter({name: set(INCLUDE.findall(text)) for name, text in texts.items()}).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def self_test():
    """The check fails when broken."""
    assert circle({"ir/a.h": '#include "ir/b.h"\n', "ir/b.h": '#include "ir/a.h"\n'})
    assert not circle({"ir/a.h": '#include "ir/b.h"\n#include "base/c.h"\n', "ir/b.h": '#include "base/c.h"\n'})
    assert list(broken("src/base/a.c", '#include "ir/graph.h"\n'))
    assert list(broken("src/passes/a.c", '#include "backend/backend.h"\n'))
    assert list(broken("apps/hone/a.c", '#include "engine/engine.h"\n'))
    assert list(broken_inside("src/backend/cpu/lines/a.c", '#include "backend/cpu/products/gemm.h"\n'))
    assert list(broken_inside("src/backend/cpu/nodes/a.c", '#include "backend/cpu/body.h"\n'))
    assert not list(broken_inside("src/backend/cpu/nodes/a.c", '#include "backend/cpu/kernel.h"\n'))
    assert not list(broken("src/engine/a.c", '#include "passes/pass.h"\n#include <hone/hone.h>\n'))


def main():
    self_test()
    problems = []
    for folder in ("src", *OUTSIDE):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            name, text = path.relative_to(ROOT).as_posix(), path.read_text()
            problems += broken(name, text)
            if name.startswith("src/" + CPU):
                problems += broken_inside(name, text)
    headers = sorted((ROOT / "src").rglob("*.h"))
    round_trip = circle({path.relative_to(ROOT / "src").as_posix(): path.read_text() for path in headers})
    if round_trip:
        problems.append(f"headers in a circle: {' -> '.join(round_trip)}")
    print("\n".join(problems) if problems else "includes point one way")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
