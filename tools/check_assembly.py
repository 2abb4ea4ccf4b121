"""What the compiler made of the loops that multiply: none keeps a vector on the stack, but those of ALLOWED.

An innermost loop is what lies between a jump backwards and its target, with no other loop inside; it is looked at
where it has four multiply-adds or more. Prints the functions that break the rule.

  check_assembly.py BUILD_FOLDER
"""
import fnmatch
import pathlib
import re
import subprocess
import sys

# Objects with micro-kernels of products.
KERNELS = re.compile(r"products/(?:tile|product|integer|multiply|depthwise|winograd)\w*_(?:avx\w+)\.c\.o$")
# (file, vectors in the innermost loops of one function at most, reason)
ALLOWED = (
    ("winograd_avx512.c", 340, "a transform of nine by nine goes through 81 vectors, one of six by six through 36"),
    ("winograd_avx2.c", 620, "the same in 16 registers"),
    ("depthwise_avx512.c", 16, "the tallest windows: seven sums, and a line of pixels at two steps"),
    ("depthwise_avx512bf16.c", 24, "pairs of sums, one for each half of a vector of bf16"),
    ("depthwise_avx2.c", 56, "windows of four and wider in 16 registers"),
)
FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S.*)$")
JUMP = re.compile(r"^j[a-z]+\s+([0-9a-f]+) <")
MULTIPLY_ADD = re.compile(r"^v(?:fn?m(?:add|sub)\d+p[sd]|pdpbusds?|pdpwssds?|dpbf16ps|pmaddwd|pmaddubsw)\s")
ON_STACK = re.compile(r"\(%r(?:sp|bp)[,)].*%[xyz]mm|%[xyz]mm.*\(%r(?:sp|bp)[,)]")


def functions(path):
    """(name, [(address, instruction)]) of each function of an object file."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], check=True, text=True,
                          capture_output=True).stdout
    name, lines = None, []
    for line in text.splitlines():
        if found := FUNCTION.match(line):
            if name:
                yield name, lines
            name, lines = found[1], []
        elif found := INSTRUCTION.match(line):
            lines.append((int(found[1], 16), found[2]))
    if name:
        yield name, lines


def innermost_loops(lines):
    """The instructions of each loop that has no other inside."""
    spans = {(int(jump[1], 16), address) for address, text in lines
             if (jump := JUMP.match(text)) and int(jump[1], 16) <= address}
    for begin, end in sorted(spans):
        if not any(begin <= b and e <= end and (b, e) != (begin, end) for b, e in spans):
            yield [text for address, text in lines if begin <= address <= end]


def multiplying_loops(path):
    """{function: (its innermost loops that multiply, vectors on the stack in them)}"""
    found = {}
    for name, lines in functions(path):
        loops = [loop for loop in innermost_loops(lines) if sum(map(bool, map(MULTIPLY_ADD.match, loop))) >= 4]
        if loops:
            found[name] = len(loops), sum(bool(ON_STACK.search(text)) for loop in loops for text in loop)
    return found


def allowed(file):
    return next((most for pattern, most, _ in ALLOWED if fnmatch.fnmatch(file, pattern)), 0)


def main():
    looked, broken = 0, []
    for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.c.o")):
        if not KERNELS.search(path.as_posix()):
            continue
        file = path.name.removesuffix(".o")
        for name, (loops, spilled) in multiplying_loops(path).items():
            looked += loops
            if spilled > allowed(file):
                broken.append(f"{file}: {name}: {spilled} vectors on the stack in innermost loops, at most "
                              f"{allowed(file)} are allowed")
    print("\n".join(broken) if broken else f"{looked} loops multiply, none with more vectors on the stack than allowed")
    return int(bool(broken) or looked == 0)


if __name__ == "__main__":
    sys.exit(main())
