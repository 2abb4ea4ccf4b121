"""analyze.py [ROOM…]: clang-tidy, as .clang-tidy says, over the C files of these rooms of src/, or over all
C files outside tests. Needs a build folder.

A file that was sound is not looked at again until it, a header that it includes, its flags, the checks or
the tool change: an empty file in the user's cache folder says so. Of files that are one body compiled for
several instruction sets, one is looked at. The analyzer follows the paths through a function of the rooms
that read files as far as it does by default, of the others a third as far, which takes less than half of the
time: four minutes of one core for everything.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import sysconfig
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hone-analyze"
FOLDERS = ("src", "apps", "integrations", "examples")
EXTENSION = "python/extension"
READERS = ("src/base/", "src/ir/", "src/import/", "src/engine/")
LESS = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=75000"]  # by default 225000
GCC_ALONE = ("-fvect-cost-model", "--param")  # flags that clang does not know, nor needs here
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
BODY = re.compile(r'#include "(\S+_body\.h)"')
FORGET_DAYS = 60


def headers():
    """{object file: what it was made of}, from ninja's log."""
    found, current = {}, None
    for line in subprocess.run(["ninja", "-C", str(BUILD), "-t", "deps"], text=True, capture_output=True,
                               check=True).stdout.splitlines():
        if line.startswith(" "):
            current.append(line.strip())
        elif ":" in line:
            current = found.setdefault(line.split(":")[0], [])
    return found


def body(source):
    """The body that a file only names and includes; None where it has code of its own."""
    lines = [line for line in COMMENT.sub("", source.read_text()).splitlines() if line.strip()]
    found = BODY.fullmatch(lines[-1]) if lines and all(line.startswith("#") for line in lines) else None
    return found and found.group(1)


def one_of_each_body(sources):
    """Without those whose body another one has, the plain one being the cheapest to look at."""
    chosen = {}
    for source in sorted(sources, key=lambda s: (not s.stem.endswith("_plain"), s)):
        chosen.setdefault(body(source) or source, source)
    return set(chosen.values())


def extension(base):
    """{source: (what it is made of, flags)} of the Python extension, which scikit-build-core builds elsewhere:
    the flags of a file that sees the public interface only, and Python's."""
    headers = [*(ROOT / "include").rglob("*.h"), *(ROOT / EXTENSION).glob("*.h")]
    limited = ["-DPy_LIMITED_API=0x030b0000"] if sys.version_info >= (3, 11) else []
    flags = [word for word in base if word.startswith(("-I", "-D", "-W", "-std", "-f"))]
    flags += ["-isystem", sysconfig.get_path("include"), *limited, *LESS]
    return {source: (map(str, headers), flags) for source in (ROOT / EXTENSION).glob("*.c")}


def commands(rooms):
    """{source: (what it is made of, flags)} of each file to look at."""
    wanted = [f"src/{room}/" for room in rooms] or [f"{folder}/" for folder in FOLDERS]
    made_of, found, public = headers(), {}, None
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        name = str(source.relative_to(ROOT)) if source.is_relative_to(ROOT) else ""
        words = shlex.split(entry["command"])
        at, output = words.index("-c"), words.index("-o")
        compiler = [word.startswith("-") for word in words].index(True)
        flags = [word for i, word in enumerate(words) if i >= compiler and i not in (at, at + 1, output, output + 1)
                 and not word.startswith(GCC_ALONE)]
        if name.startswith(tuple(wanted)):
            depth = [] if name.startswith(READERS) else LESS
            found[source] = made_of.get(words[output + 1], []), flags + depth
        if name == "apps/hone/main.c":
            public = flags
    chosen = one_of_each_body(found)
    found = {source: row for source, row in found.items() if source in chosen}
    return found if rooms else {**found, **extension(public)}


def key(source, made_of, flags, common):
    parts = [common, *(flag.encode() for flag in flags)]
    for name in sorted({str(source), *made_of}):
        path = (BUILD / name).resolve()
        if path.is_relative_to(ROOT):
            parts += [str(path.relative_to(ROOT)).encode(), path.read_bytes()]
    return hashlib.sha256(b"\0".join(parts).replace(str(ROOT).encode(), b"")).hexdigest()


def look_at(source, flags):
    done = subprocess.run(["clang-tidy", "--quiet", str(source), "--", *flags], text=True, capture_output=True)
    return done.returncode, done.stdout


def forget():
    """Drops what was not asked for in a long time."""
    for path in CACHE.iterdir():
        if path.stat().st_mtime < time.time() - FORGET_DAYS * 86400:
            path.unlink()


def main():
    CACHE.mkdir(parents=True, exist_ok=True)
    common = (ROOT / ".clang-tidy").read_bytes() + subprocess.run(["clang-tidy", "--version"],
                                                                  capture_output=True, check=True).stdout
    rows = commands(sys.argv[1:])
    marks = {source: CACHE / key(source, made_of, flags, common) for source, (made_of, flags) in rows.items()}
    new = [source for source, mark in marks.items() if not mark.exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, (code, text) in zip(new, pool.map(lambda source: look_at(source, rows[source][1]), new)):
            if code:
                failed += 1
                print(text)
            else:
                marks[source].touch()
    for mark in marks.values():
        if mark.exists():
            mark.touch()
    forget()
    print(f"{len(marks)} files, {len(new)} looked at, {failed} with findings")
    return int(failed > 0 or not marks)


if __name__ == "__main__":
    sys.exit(main())
