"""Exceptions: one class for each status code of the library."""

from __future__ import annotations


class Error(Exception):
    """A failure, with the status: `code` (a number of hone/status.h), `message`, `place` (where in
    the user's model)."""

    def __new__(cls, code: int = 12, message: str = "", place: str = "") -> Error:
        return super().__new__(_by_code.get(code, Error) if cls is Error else cls)

    def __init__(self, code: int = 12, message: str = "", place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.code = code
        self.message = message
        self.place = place


class InvalidArgumentError(Error, ValueError):
    """The caller's arguments are wrong."""


class InvalidModelError(Error):
    """The model file breaks its own format's rules."""


class UnsupportedError(Error):
    """Well-formed, but nothing here can run it."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed."""


class LimitError(Error):
    """A limit on memory, depth, count or time would be passed."""


class IOFailure(Error, OSError):
    """The operating system refused to read or write."""

    def __init__(self, code: int = 6, message: str = "", place: str = "") -> None:
        Error.__init__(self, code, message, place)


class NotFoundError(Error, LookupError):
    """No such file, tensor, node or option."""


class MismatchError(Error):
    """An engine that is whole but made for another machine or version."""


class CorruptError(Error):
    """An engine or cache whose bytes are damaged."""


class CancelledError(Error):
    """Stopped by the caller or a deadline."""


class DeviceError(Error):
    """A device driver reported an error."""


_by_code = {
    1: InvalidArgumentError,
    2: InvalidModelError,
    3: UnsupportedError,
    4: OutOfMemoryError,
    5: LimitError,
    6: IOFailure,
    7: NotFoundError,
    8: MismatchError,
    9: CorruptError,
    10: CancelledError,
    11: DeviceError,
}
