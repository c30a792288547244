# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping Blender's chatter ("Fra:1 Mem:...", "Saved: ...") off the user's terminal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, cast

HARMLESS = b"EGL_BAD_MATCH"
"""Mesa says so thrice when Blender makes its first offscreen context, and all goes well."""


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    # Blender writes through C's stdio, which keeps lines back when its output is no terminal; what
    # it kept would come out after the redirection has ended.
    ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)


@contextlib.contextmanager
def _diverted(descriptor: int) -> Iterator[BinaryIO]:
    """A standard stream goes to a file that is thrown away; yields the file."""
    with tempfile.TemporaryFile() as unbuffered:
        sink = cast(BinaryIO, unbuffered)
        _flush()
        try:
            kept = os.dup(descriptor)
        except OSError:  # a windowed program may have no such stream: nothing to divert
            yield sink
            return
        try:
            os.dup2(sink.fileno(), descriptor)
            try:
                yield sink
            finally:
                _flush()
                os.dup2(kept, descriptor)
        finally:
            os.close(kept)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Standard output is silent; standard error (progress bars, errors) stays.

    Blender reports errors as exceptions of its operators, so nothing that matters is lost.
    """
    with _diverted(1):
        yield


def wake_gpu() -> None:
    """Have Blender make its graphics context, without the harmless errors that this prints.

    In the background it does so at the first render; here that is one of a few pixels. All else that
    it says on standard error is passed on. Does nothing when there is a context already.
    """
    import bpy
    import gpu  # type: ignore[import-not-found]

    if not bpy.app.background:
        return
    try:
        gpu.platform.renderer_get()
    except SystemError:
        said = b""
        with quiet(), _diverted(2) as errors:
            _render_nothing()
            _flush()
            errors.seek(0)
            said = errors.read()
        for line in said.decode("utf-8", "replace").splitlines():
            if HARMLESS.decode() not in line:
                print(line, file=sys.stderr)


def _render_nothing() -> None:
    import bpy

    scene = bpy.data.scenes.new("HoloTalk Wake")
    camera = bpy.data.cameras.new("HoloTalk Wake")
    scene.camera = bpy.data.objects.new("HoloTalk Wake", camera)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 16
    try:
        bpy.ops.render.render(scene=scene.name)
    finally:
        bpy.data.objects.remove(scene.camera)
        bpy.data.cameras.remove(camera)
        bpy.data.scenes.remove(scene)
