"""No tabs, no trailing spaces, no line of C over 105 characters (100 is the aim); prints what breaks it."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH = {".c": 105, ".h": 105, ".py": 120}


def problems(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if "\t" in line:
            yield f"{path}:{number}: a tab"
        if line != line.rstrip():
            yield f"{path}:{number}: spaces at the end"
        if len(line) > WIDTH[path.suffix]:
            yield f"{path}:{number}: {len(line)} characters"


def main():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, text=True, capture_output=True).stdout
    found = []
    for name in names.split():
        path = pathlib.Path(name)
        if path.suffix in WIDTH and (ROOT / path).is_file():
            found += problems(path, (ROOT / path).read_text())
    print("\n".join(found[:40]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
