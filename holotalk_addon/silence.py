# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping what libraries print by themselves off the user's terminal."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

OUT, ERR = 1, 2
"""Descriptors of standard output and standard error."""


_ALONE = threading.RLock()
"""Held while a stream is silent: two threads that gave each other's file back would lose the stream."""


@contextmanager
def silenced(descriptor: int, harmless: Collection[str] | None = None) -> Iterator[None]:
    """A standard stream is silent, also for libraries that write to it past Python.

    Args:
        descriptor: :data:`OUT` or :data:`ERR`.
        harmless: only lines that hold one of these are dropped, the others are passed on afterwards; None
            drops everything.
    """
    with _ALONE, _diverted(descriptor, harmless):
        yield


@contextmanager
def _diverted(descriptor: int, harmless: Collection[str] | None) -> Iterator[None]:
    _flush()
    try:
        kept = os.dup(descriptor)
    except OSError:  # a windowed program may have no such stream: nothing to keep quiet
        yield
        return
    try:
        with tempfile.TemporaryFile() as scratch:
            os.dup2(scratch.fileno(), descriptor)
            try:
                yield
            finally:
                _flush()
                os.dup2(kept, descriptor)
                scratch.seek(0)
                said = scratch.read().decode("utf-8", "replace").splitlines() if harmless is not None else []
                for line in said:
                    if not any(words in line for words in harmless or ()):
                        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # there is none in a program without a terminal on Windows
            stream.flush()
    # Libraries write through C's stdio, which keeps lines back when its output is no terminal; what it
    # kept would come out after the redirection has ended.
    ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)
