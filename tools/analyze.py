"""analyze.py [ROOM…]: clang-tidy, as .clang-tidy says, over the C files of these rooms of src/, or over all
C files that the build compiles outside tests. Needs a build folder.

A file that was sound is not looked at again until it, a header that it includes, its flags, the checks or
the tool change: an empty file in the user's cache folder says so.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hone-analyze"
FOLDERS = ("src", "apps", "integrations", "python", "examples")
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


def commands(rooms):
    """(source, object, command) of each file to look at."""
    wanted = [f"src/{room}/" for room in rooms] or [f"{folder}/" for folder in FOLDERS]
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        name = str(source.relative_to(ROOT)) if source.is_relative_to(ROOT) else ""
        if name.startswith(tuple(wanted)):
            made = re.search(r" -o (\S+)", entry["command"]).group(1)
            yield source, made, entry["command"]


def key(source, made_of, command, common):
    parts = [common, command.encode()]
    for name in sorted({str(source), *made_of}):
        path = (BUILD / name).resolve()
        if path.is_relative_to(ROOT):
            parts += [str(path.relative_to(ROOT)).encode(), path.read_bytes()]
    return hashlib.sha256(b"\0".join(parts).replace(str(ROOT).encode(), b"")).hexdigest()


def look_at(source):
    done = subprocess.run(["clang-tidy", "-p", str(BUILD), "--quiet", str(source)], text=True, capture_output=True)
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
    made_of = headers()
    marks = {source: CACHE / key(source, made_of.get(made, []), command, common)
             for source, made, command in commands(sys.argv[1:])}
    new = [source for source, mark in marks.items() if not mark.exists()]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, (code, text) in zip(new, pool.map(look_at, new)):
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
