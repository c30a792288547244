# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Blender 4.5 LTS to 5.2 LTS differ."""

from __future__ import annotations

from typing import Any

import bpy


def eevee_name() -> str:
    """EEVEE's identifier: ``BLENDER_EEVEE_NEXT`` up to 4.5, ``BLENDER_EEVEE`` from 5.0."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def strips(scene: Any) -> Any:
    """The strips of a scene's sequencer (made if there is none), with its caches off: at large
    sizes they keep gigabytes of frames that a render never asks for again.
    """
    editor = scene.sequence_editor or scene.sequence_editor_create()
    editor.use_cache_raw = False
    editor.use_cache_final = False
    return editor.strips if hasattr(editor, "strips") else editor.sequences


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
    """Have a scene write H.264 in MP4, high quality, no sound."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # 5.0+
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    settings.color_mode = "RGB"
    video = scene.render.ffmpeg
    video.format = "MPEG4"
    video.codec = "H264"
    video.constant_rate_factor = "HIGH"
    video.ffmpeg_preset = "GOOD"
    video.gopsize = 18
    video.audio_codec = "NONE"
    video.use_autosplit = False


def node_tree(owner: Any) -> Any:
    """The node tree of a material or world; up to 4.5 it has to be asked for."""
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True
    return owner.node_tree


def fcurve(owner: Any, data_path: str, index: int) -> Any:
    """The F-curve of an animated property, in the slot of the owner's own action."""
    action = owner.animation_data.action
    return action.fcurve_ensure_for_datablock(owner, data_path, index=index)
