# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Blender 4.5 LTS to 5.2 LTS differ."""

from __future__ import annotations

from typing import Any

import bpy

BITS_PER_PIXEL = 0.8
"""Of a video: 22 Mbit/s at 1080 x 1080 and 24 frames a second."""
SMALLEST_RATE = 8000
"""Kilobits a second; small pictures have more edge to their area."""


def eevee_name() -> str:
    """EEVEE's identifier: ``BLENDER_EEVEE_NEXT`` up to 4.5, ``BLENDER_EEVEE`` from 5.0."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def strips(scene: Any) -> Any:
    """The strips of a scene's sequencer (made if there is none), with its caches off: at large
    sizes they keep gigabytes of frames that a render never asks for again.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    for name in ("use_cache_raw", "use_cache_final"):
        # Only where it is on: Blender 5.2 in a window crashes when it is set in a file just opened.
        if getattr(editor, name):
            setattr(editor, name, False)
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def add_ground(scene: Any, frames: int) -> Any:
    """Lay black under all strips of a scene; returns the strip. Without an opaque ground the soft edges of
    what lies above are blended differently, depending on whether a strip holds bytes or floats."""
    extent = {"length": frames} if bpy.app.version >= (5, 0, 0) else {"frame_end": 1 + frames}
    ground = strips(scene).new_effect(name="Black", type="COLOR", channel=1, frame_start=1, **extent)
    ground.color = (0.0, 0.0, 0.0)
    return ground


def set_duration(strip: Any, frames: int) -> None:
    """Have a strip last so many frames from its start."""
    if hasattr(strip, "duration"):  # 5.1+
        strip.duration = frames
    else:
        strip.frame_final_duration = frames


def output_png(scene: Any, *, alpha: bool) -> None:
    """Have a scene write 8-bit PNGs: RGBA, or RGB."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0+
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    settings.color_mode = "RGBA" if alpha else "RGB"
    settings.color_depth = "8"
    settings.compression = 15


def output_mp4(scene: Any) -> None:
    """Have a scene write H.264 in MP4, high quality, no sound; call it when size and rate are set.

    By bit rate, not by constant quality: at Blender's qualities HIGH and PERC_LOSSLESS the black ground
    round sharp edges comes back at up to 9 of 255, more than 8 px away (measured); at this rate 2.
    """
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0+
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    settings.color_mode = "RGB"
    video = scene.render.ffmpeg
    video.format = "MPEG4"
    video.codec = "H264"
    video.constant_rate_factor = "NONE"
    fit_video_rate(scene)
    video.ffmpeg_preset = "GOOD"
    video.gopsize = 18
    video.audio_codec = "NONE"
    video.use_autosplit = False


def fit_video_rate(scene: Any) -> None:
    """Set the rate of :func:`output_mp4` for a scene's size; a codec or quality of the user's stays."""
    render, video = scene.render, scene.render.ffmpeg
    if video.codec != "H264" or video.constant_rate_factor != "NONE":
        return
    pixels = render.resolution_x * render.resolution_y * render.fps
    rate = max(SMALLEST_RATE, round(pixels * BITS_PER_PIXEL / 1000))  # kilobits a second
    video.video_bitrate, video.minrate, video.maxrate = rate, 0, 4 * rate
    video.buffersize = max(224, rate // 2)  # kilobytes: a second at the largest rate


def node_tree(owner: Any) -> Any:
    """The node tree of a material or world; up to 4.5 it has to be asked for."""
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True
    return owner.node_tree


def fcurves(owner: Any) -> list[Any]:
    """All F-curves that a data-block's own action moves it with."""
    data = owner.animation_data
    if data is None or data.action is None:
        return []
    return [
        curve
        for layer in data.action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        if bag.slot_handle == data.action_slot_handle
        for curve in bag.fcurves
    ]


def fcurve(owner: Any, data_path: str, index: int) -> Any:
    """The F-curve of an animated property, in the slot of the owner's own action."""
    action = owner.animation_data.action
    return action.fcurve_ensure_for_datablock(owner, data_path, index=index)
