# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the hologram before it is rendered: the four panels in the viewport, the virtual pyramid, the
preview in a window of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy

from ..errors import HoloTalkError
from ..scene.own import PYRAMID_ROLE, find_by_role, hologram_scene, is_own, own_sides, tag
from . import session
from .jobs import DoneJob, Job
from .operator_base import HoloTalkOperator, JobOperator, idle, redraw
from .operators_hologram import PREVIEW_NAME, hologram_is_there, render_job
from .preferences import scratch_folder
from .settings import current_settings, look_of
from .viewport import (
    SHADING,
    bring_back,
    look_through_camera,
    open_image,
    show_hologram,
    show_plain,
    views_of,
)

PREVIEW_ROLE = "preview"
PANELS = "panels"


class HOLOTALK_OT_show_panels(HoloTalkOperator, bpy.types.Operator):
    """Show the four panels of the video in the corner of the 3D viewport, live; click again to hide them"""

    bl_idname = "holotalk.show_panels"
    bl_label = "Show Panels"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a hologram, and a window."""
        if bpy.app.background:
            cls.poll_message_set("There is no window")
            return False
        return hologram_is_there(cls)

    def run(self, context: Any) -> set[str]:
        """Show or hide."""
        from ..scene.hologram_scene import find_hologram
        from .panels_overlay import PanelsOverlay

        own = session.current()
        if own.overlay is None:
            own.overlay = PanelsOverlay(find_hologram)
        if own.overlay.is_shown():
            own.overlay.remove()
            bring_back(own.former_views.pop(PANELS, []), only=SHADING)
        else:
            own.former_views[PANELS] = views_of(context.window)
            show_plain(context.window)
            own.overlay.add()
        redraw(context, every_region=True)
        return {"FINISHED"}


class HOLOTALK_OT_show_hologram(HoloTalkOperator, bpy.types.Operator):
    """Show the hologram's scene in this window"""

    bl_idname = "holotalk.show_hologram"
    bl_label = "Show Hologram"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a hologram."""
        return hologram_is_there(cls)

    def run(self, context: Any) -> set[str]:
        """Switch the window to it."""
        show_hologram(context, hologram_scene(), first=True)
        return {"FINISHED"}


class HOLOTALK_OT_virtual_pyramid(JobOperator, bpy.types.Operator):
    """Look at the hologram as it will stand on the phone: a scene with the screen and the four mirrors"""

    bl_idname = "holotalk.virtual_pyramid"
    bl_label = "Virtual Pyramid"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    job_name = "PREVIEW"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a hologram."""
        return hologram_is_there(cls) and idle(cls)

    def start(self, context: Any) -> Job:
        """Render a frame, unless there is a video of this very hologram to show."""
        settings = current_settings(context)
        current = bool(settings.video) and settings.video_look == look_of(hologram_scene())
        if current and Path(bpy.path.abspath(settings.video)).is_file():
            return DoneJob()
        return render_job(scratch_folder() / PREVIEW_NAME)

    def finish(self, context: Any, result: Any) -> set[str]:
        """Build it around the video, or around the frame."""
        from ..scene.hologram_scene import find_hologram
        from ..scene.virtual_pyramid import build_virtual_pyramid

        hologram = find_hologram()
        if hologram is None:
            raise HoloTalkError("Parts of the hologram are missing: generate it again.")
        settings = current_settings(context)
        if result is None:
            picture = Path(bpy.path.abspath(settings.video))
        else:
            picture = scratch_folder() / PREVIEW_NAME
        width, height = settings.screen_mm
        scene = build_virtual_pyramid(hologram.layout, picture, (width, height))
        window = context.window or next(iter(context.window_manager.windows), None)
        if window is not None:
            session.current().former_views.setdefault(PYRAMID_ROLE, views_of(window))
            look_through_camera(window, scene, "RENDERED")
        return {"FINISHED"}


class HOLOTALK_OT_show_preview(HoloTalkOperator, bpy.types.Operator):
    """Show the preview frame in a window of its own"""

    bl_idname = "holotalk.show_preview"
    bl_label = "Enlarge Preview"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be one, and a window."""
        return bool(context.window_manager.holotalk.preview) and not bpy.app.background

    def run(self, context: Any) -> set[str]:
        """Open it."""
        path = Path(context.window_manager.holotalk.preview)
        if not path.is_file():
            raise HoloTalkError("The preview is gone: press Preview Frame again.")
        former = find_by_role(bpy.data.images, PREVIEW_ROLE)
        if former is not None and is_own(former):
            bpy.data.images.remove(former)
        image = bpy.data.images.load(str(path))
        image.name = "HoloTalk Preview"
        image.pack()
        open_image(context, tag(image, PREVIEW_ROLE))
        return {"FINISHED"}


class HOLOTALK_OT_show_sides(HoloTalkOperator, bpy.types.Operator):
    """Show the head's sides before and after their completion in a window of its own"""

    bl_idname = "holotalk.show_sides"
    bl_label = "Enlarge Sides"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """There must be some, and a window."""
        return own_sides() is not None and not bpy.app.background

    def run(self, context: Any) -> set[str]:
        """Open it."""
        open_image(context, own_sides())
        return {"FINISHED"}


CLASSES = (
    HOLOTALK_OT_show_panels,
    HOLOTALK_OT_show_hologram,
    HOLOTALK_OT_virtual_pyramid,
    HOLOTALK_OT_show_preview,
    HOLOTALK_OT_show_sides,
)
