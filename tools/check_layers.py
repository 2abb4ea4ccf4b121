"""Includes point one way: base <- ir <- ops <- {import, passes, backend} <- engine <- everything else.

Reads the #include lines of every source file and fails on one that points the wrong way. Outside
src/ (apps, python, examples) only include/hone may be seen; tests and bench may look inside.
"""
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


def self_test():
    """The check fails when broken."""
    assert list(broken("src/base/a.c", '#include "ir/graph.h"\n'))
    assert list(broken("src/passes/a.c", '#include "backend/backend.h"\n'))
    assert list(broken("apps/hone/a.c", '#include "engine/engine.h"\n'))
    assert not list(broken("src/engine/a.c", '#include "passes/pass.h"\n#include <hone/hone.h>\n'))


def main():
    self_test()
    problems = []
    for folder in ("src", *OUTSIDE):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            problems += broken(path.relative_to(ROOT).as_posix(), path.read_text())
    print("\n".join(problems) if problems else "includes point one way")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
