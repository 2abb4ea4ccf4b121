"""Checks that a shared library shows exactly the functions that include/hone declares.

    check_exports.py LIBRARY [HEADERS]
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DECLARED = re.compile(r"^HONE_API\b[^;{(]*?\b(hone_\w+)\s*\(", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def declared(folder):
    names = set()
    for header in sorted(folder.glob("*.h")):
        text = COMMENT.sub("", header.read_text())
        found = DECLARED.findall(text)
        if len(found) != len(re.findall(r"^HONE_API\b", text, re.M)):
            sys.exit(f"{header}: a declaration that this check cannot read")
        names.update(found)
    return names


def shown(library):
    out = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                         capture_output=True).stdout
    rows = [line.split() for line in out.splitlines()]
    return {row[2].split("@")[0] for row in rows if len(row) == 3 and row[1] != "A"}


def main():
    headers = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "include" / "hone"
    wanted, there = declared(headers), shown(sys.argv[1])
    for name in sorted(wanted - there):
        print(f"declared and not shown: {name}")
    for name in sorted(there - wanted):
        print(f"shown and not declared: {name}")
    if wanted != there or not wanted:
        return 1
    print(f"{len(wanted)} functions shown, all declared")
    return 0


if __name__ == "__main__":
    sys.exit(main())
