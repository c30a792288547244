# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping Blender's chatter ("Fra:1 Mem:...", "Saved: ...") off the user's terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ..silence import ERR, OUT, silenced

HARMLESS = ("EGL_BAD_MATCH",)
"""Mesa says so thrice when Blender makes its first offscreen context, and all goes well."""


def quiet() -> AbstractContextManager[None]:
    """Standard output is silent; standard error (progress bars, errors) stays.

    Blender reports errors as exceptions of its operators, so nothing that matters is lost.
    """
    return silenced(OUT)


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
        with quiet(), silenced(ERR, HARMLESS):
            _render_nothing()


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
