# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping Blender's chatter ("Fra:1 Mem:...", "Saved: ...") off the user's terminal."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def _flush_c() -> None:
    # Blender writes through C's stdio, which keeps lines back when its output is no terminal; what
    # it kept would come out after the redirection has ended.
    library = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
    library.fflush(None)


@contextmanager
def quiet() -> Iterator[None]:
    """Standard output goes to a file that is thrown away; standard error (progress bars, errors) stays.

    Blender reports errors as exceptions of its operators, so nothing that matters is lost.
    """
    sys.stdout.flush()
    _flush_c()
    try:
        kept = os.dup(1)
    except OSError:  # a windowed program may have no standard output: nothing to keep quiet
        yield
        return
    try:
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 1)
            try:
                yield
            finally:
                sys.stdout.flush()
                _flush_c()
                os.dup2(kept, 1)
    finally:
        os.close(kept)
