"""Keep the engines of this process from AVX-512, all by the same means: a wrong answer of the system.

Whether AVX-512 may be used is two questions: what the processor has (CPUID) and whether the system saves those
registers (XGETBV, Intel's Software Developer's Manual, volume 1, 14.3). No variable of ONNX Runtime's answers
them, so each XGETBV in a library that is loaded is overwritten by `push 7; pop rax`, as long as it is: x87,
SSE and AVX are saved, nothing else is. This has to happen before the library asks.
"""
import ctypes
import importlib.util
import mmap
import os
import pathlib
import re
import sys

ANSWER = b"\x6a\x07\x58"  # push 7; pop rax
# XGETBV of register 0 as compilers write it: `xor ecx, ecx` before it, or edx:eax joined after it.
QUESTION = re.compile(rb"(?<=\x31\xc9)\x0f\x01\xd0|\x0f\x01\xd0(?=\x89\xc0\x48\xc1\xe2\x20|\x48\xc1\xe2\x20)")


def _code(name):
    """(begin, end) of the executable maps of libraries whose path contains `name`."""
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        places, rights, *_, path = line.split(maxsplit=5)
        if "x" in rights and name in path:
            yield [int(place, 16) for place in places.split("-")]


def _overwrite(address, code):
    page = address // mmap.PAGESIZE * mmap.PAGESIZE
    size = address + len(code) - page
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for rights in (mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC, mmap.PROT_READ | mmap.PROT_EXEC):
        if protect(page, size, rights):
            raise OSError(ctypes.get_errno(), "mprotect")
        if rights & mmap.PROT_WRITE:
            ctypes.memmove(address, code, len(code))


def _limit_libraries(package, names):
    """Load a package's libraries and overwrite what they ask; ONNX Runtime asks when its module is imported."""
    if package in sys.modules:
        raise RuntimeError(f"{package} is imported already")
    folder = pathlib.Path(importlib.util.find_spec(package).origin).parent
    for library in (path for name in names for path in folder.glob(name)):
        ctypes.CDLL(str(library))
        count = 0
        for begin, end in _code(str(library.resolve())):
            for found in QUESTION.finditer(ctypes.string_at(begin, end - begin)):
                _overwrite(begin + found.start(), ANSWER)
                count += 1
        if not count:
            raise RuntimeError(f"{library.name} does not ask for AVX-512 in a way that is known here")


LIBRARIES = {"ort": ("onnxruntime", ["capi/onnxruntime_pybind11_state*.so"]),
             "openvino": ("openvino", ["libs/libopenvino.so.*", "libs/libopenvino_intel_cpu_plugin.so"])}


def limit(engine):
    """Before the engine is imported."""
    if engine == "hone":
        os.environ["HONE_CPU"] = "avx2"
    elif engine in LIBRARIES:
        _limit_libraries(*LIBRARIES[engine])
    else:
        raise RuntimeError(f"{engine} is not known how to limit")
