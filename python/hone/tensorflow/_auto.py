"""Optimising what TensorFlow runs without a call for each model: on and off for the process."""
from __future__ import annotations

import ctypes
import os
import sys

from tensorflow.python.framework import load_library

from ._library import _called, library_path

_called.hone_tensorflow_optimises.restype = ctypes.c_bool


def enable() -> bool:
    """Has graphs that TensorFlow begins to run from now on optimised: frozen graphs, signatures of SavedModels,
    functions, Keras's predict. False, with the reason on stderr, where that cannot be: beside another plug-in that
    optimises graphs, in a TensorFlow without such plug-ins (before 2.12 or so), with HONE_DISABLE=1."""
    os.environ["HONE_AUTO"] = "1"  # what the library asks, for each graph
    if os.environ.get("HONE_DISABLE", "0") not in ("", "0", "false"):
        print("hone: no graph is optimised: HONE_DISABLE is set", file=sys.stderr)
        return False
    if not hasattr(load_library, "load_pluggable_device_library"):
        print("hone: no graph is optimised: this TensorFlow is too old for it", file=sys.stderr)
        return False
    if not _called.hone_tensorflow_optimises():
        load_library.load_pluggable_device_library(library_path)
    return _called.hone_tensorflow_optimises()


def disable() -> None:
    """Leaves graphs alone that begin to run from now on."""
    os.environ["HONE_AUTO"] = "0"
