# SPDX-License-Identifier: GPL-3.0-or-later
"""The tab "HoloTalk" in the sidebar of the 3D viewport."""

from __future__ import annotations

import textwrap
from typing import Any, ClassVar

import bpy

from ..head.expressions import GROUPS, PRESETS, label
from ..scene.own import hologram_scene
from . import session
from .jobs import LANES, WORK
from .operators_head import FORMATS, PHOTO
from .operators_hologram import duration
from .preferences import preferences
from .settings import current_settings, head_keys
from .thumbnails import photo_icon, preview_icon, sides_icon

TAB = "HoloTalk"
WIDEST_THUMBNAIL = 14.0
"""In Blender's interface units, 20 pixels at scale 1."""
LETTER_PIXELS = 6.6
"""Width of a letter of Blender's interface font at scale 1, on average."""


class _Tab:
    """Where all our panels live."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB
    layout: Any


class HOLOTALK_PT_photo(_Tab, bpy.types.Panel):
    """Photo and the main button."""

    bl_label = "Hologram"
    bl_order = 0

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        state = context.window_manager.holotalk.work
        if settings.photo:
            self._draw_photo(layout, context, settings)
        else:
            box = layout.box()
            wrapped(box, context, "Choose a portrait, or drop a picture on the viewport.", "IMAGE_DATA")
            box.operator("holotalk.open_photo", text="Choose Photo...", icon="FILEBROWSER")
        if state.job in ("GENERATE", "FIND"):
            progress(layout, context)
        else:
            row = layout.row()
            row.scale_y = 2.0
            again = hologram_scene() is not None
            row.operator(
                "holotalk.generate",
                text="Generate Again" if again else "Generate Hologram",
                icon="FILE_REFRESH" if again else "USER",
            )
        draw_error(layout, context, state)
        if not state.error and state.message and not state.job:
            wrapped(layout, context, state.message, "INFO")
        scene = hologram_scene()
        if scene is not None and context.scene != scene:
            layout.operator("holotalk.show_hologram", icon="SCENE_DATA")

    def _draw_photo(self, layout: Any, context: Any, settings: Any) -> None:
        icon = photo_icon(settings)
        if icon:
            layout.template_icon(icon_value=icon, scale=_fitting(context))
        row = layout.row(align=True)
        row.label(text=settings.photo_path().name, icon="IMAGE_DATA")
        row.operator("holotalk.open_photo", text="", icon="FILEBROWSER")
        count = len(settings.faces)
        if count > 1:
            row = layout.row(align=True)
            row.label(text="Face")
            for number in range(1, count + 1):
                row.operator(
                    "holotalk.pick_face", text=str(number), depress=number == settings.face_number
                ).number = number
        state = context.window_manager.holotalk.work
        if not settings.looked_at and not state.job and not state.error:
            layout.operator("holotalk.find_faces", icon="VIEWZOOM")
        warnings = settings.photo_warnings.splitlines()
        if settings.face_number <= count:
            warnings += settings.faces[settings.face_number - 1].warnings.splitlines()
        if warnings:
            box = layout.box()
            for warning in warnings:
                wrapped(box, context, warning, "INFO" if count else "ERROR")


class HOLOTALK_PT_look(_Tab, bpy.types.Panel):
    """How the hologram is shown."""

    bl_label = "Look"
    bl_order = 2

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = context.window_manager.holotalk.work.job not in ("GENERATE", "RENDER", "PREVIEW")
        column = layout.column()
        column.prop(settings, "motion")
        if settings.motion != "STILL":
            column.prop(settings, "seconds")
        column.prop(settings, "sides")
        column = layout.column()
        column.prop(settings, "screen")
        column.prop(settings, "gap", slider=True)
        column = layout.column()
        column.prop(settings, "size_preset")
        if settings.size_preset == "CUSTOM":
            column.prop(settings, "size")
            column.prop(settings, "use_frame")
            if settings.use_frame:
                column.prop(settings, "frame", index=0, text="Frame Width")
                column.prop(settings, "frame", index=1, text="Height")


class HOLOTALK_PT_advanced(_Tab, bpy.types.Panel):
    """What hardly anybody needs."""

    bl_label = "Advanced"
    bl_parent_id = "HOLOTALK_PT_look"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "exposure")
        column.prop(settings, "engine")
        column.prop(settings, "fps")


class HOLOTALK_PT_sides(_Tab, bpy.types.Panel):
    """What the photo did not show."""

    bl_label = "Unseen Sides"
    bl_parent_id = "HOLOTALK_PT_look"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "complete", text="Completed by")
        icon = sides_icon()
        if icon:
            layout.template_icon(icon_value=icon, scale=_fitting(context))
            row = layout.row()
            row.label(text="Above: before; below: after")
            row.operator("holotalk.show_sides", text="", icon="FULLSCREEN_ENTER")


class HOLOTALK_PT_video(_Tab, bpy.types.Panel):
    """Preview and render."""

    bl_label = "Video"
    bl_order = 1

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Once there is a hologram."""
        return hologram_scene() is not None

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        state = context.window_manager.holotalk
        if state.work.job in ("PREVIEW", "RENDER"):
            progress(layout, context)
        else:
            column = layout.column(align=True)
            column.operator("holotalk.preview_frame", icon="RENDER_STILL")
            row = column.row(align=True)
            row.scale_y = 1.5
            row.operator("holotalk.render_video", text="Render Video...", icon="RENDER_ANIMATION")
        icon = preview_icon(state)
        if icon:
            layout.template_icon(icon_value=icon, scale=_fitting(context))
            row = layout.row()
            if state.estimate:
                row.label(text=f"Video: about {duration(state.estimate)}", icon="TIME")
            row.operator("holotalk.show_preview", text="", icon="FULLSCREEN_ENTER")
        if settings.video and not state.work.job:
            self._draw_video(layout, settings)

    def _draw_video(self, layout: Any, settings: Any) -> None:
        from pathlib import Path

        path = Path(bpy.path.abspath(settings.video))
        if not path.is_file():
            return
        box = layout.box()
        box.label(text=path.name, icon="FILE_MOVIE")
        row = box.row(align=True)
        row.operator("wm.path_open", text="Play", icon="PLAY").filepath = str(path)
        row.operator("wm.path_open", text="Show in Folder", icon="FILE_FOLDER").filepath = str(path.parent)


class HOLOTALK_PT_view(_Tab, bpy.types.Panel):
    """Looking at it before it is rendered."""

    bl_label = "See It Here"
    bl_order = 3

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Once there is a hologram."""
        return hologram_scene() is not None

    def draw(self, context: Any) -> None:
        """Draw it."""
        overlay = session.current().overlay
        column = self.layout.column(align=True)
        shown = overlay is not None and overlay.is_shown()
        column.operator("holotalk.show_panels", text="Panels in Viewport", icon="MOD_ARRAY", depress=shown)
        column.operator("holotalk.virtual_pyramid", icon="MESH_CONE")


class HOLOTALK_PT_head(_Tab, bpy.types.Panel):
    """Expressions and gaze."""

    bl_label = "Head"
    bl_order = 4

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Once there is a head."""
        return head_keys() is not None

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        layout.operator("holotalk.expression", text="As in the Photo", icon="IMAGE_DATA").preset = PHOTO
        grid = layout.grid_flow(columns=2, even_columns=True, align=True)
        for name in PRESETS:
            grid.operator("holotalk.expression", text=name.capitalize()).preset = name.upper()
        column = layout.column(align=True)
        column.prop(settings, "gaze", index=0, text="Look left / right", slider=True)
        column.prop(settings, "gaze", index=1, text="Look up / down", slider=True)


class _Group(_Tab):
    """The sliders of one group of expressions."""

    bl_parent_id = "HOLOTALK_PT_head"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}
    group: ClassVar[str]

    def draw(self, context: Any) -> None:
        """Draw them."""
        column = self.layout.column(align=True)
        starts = GROUPS[self.group]
        for key in head_keys().key_blocks:
            if key.name.startswith(starts) and not key.name.startswith("eyeLook"):
                column.prop(key, "value", text=label(key.name), slider=True)


def _group_panel(name: str) -> type:
    identifier = "HOLOTALK_PT_" + name.lower().replace(" ", "_")
    return type(identifier, (_Group, bpy.types.Panel), {"bl_label": name, "group": name})


class HOLOTALK_PT_export(_Tab, bpy.types.Panel):
    """Files for other programs and for the saw."""

    bl_label = "Export"
    bl_order = 5
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        layout.label(text="The head")
        row = layout.row(align=True)
        for identifier, name, _ in FORMATS:
            row.operator("holotalk.export", text=name).format = identifier
        layout.separator()
        layout.label(text="The pyramid: screen in millimetres")
        layout.row(align=True).prop(settings, "screen_mm", text="")
        layout.operator("holotalk.save_template", icon="MOD_EDGESPLIT")


class HOLOTALK_PT_training(_Tab, bpy.types.Panel):
    """For researchers: labelled pictures of random people."""

    bl_label = "Training Data"
    bl_order = 6
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """For those who asked for it in the preferences."""
        own = preferences(context)
        return own is not None and own.show_training

    def draw(self, context: Any) -> None:
        """Draw it."""
        layout, settings = self.layout, current_settings(context)
        state = context.window_manager.holotalk.work
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "data_preset")
        column.prop(settings, "data_samples")
        column.prop(settings, "data_seed")
        column.prop(settings, "data_folder")
        layout.use_property_split = False
        if state.job == "TRAINING":
            progress(layout, context)
        else:
            layout.operator("holotalk.render_data", icon="RENDER_RESULT")


def progress(layout: Any, context: Any, lane: str = WORK) -> None:
    """What a lane's job does, with a bar where it comes to an end by itself, and a way to stop it."""
    state = context.window_manager.holotalk.lane(lane)
    row = layout.row(align=True)
    row.scale_y = 1.5
    if LANES[lane].ends:
        row.progress(factor=state.progress, text=f"{state.stage}  {100 * state.progress:.0f} %")
    else:
        row.label(text=state.stage)
    row.operator(LANES[lane].stop, text="", icon="X")


def draw_error(layout: Any, context: Any, state: Any) -> None:
    """What went wrong in a lane, and the way to its details."""
    if not state.error:
        return
    box = layout.box()
    sentence = box.column()
    sentence.alert = True
    wrapped(sentence, context, state.error, "ERROR")
    if state.details:
        box.operator("wm.path_open", text="Details", icon="TEXT").filepath = state.details


def _fitting(context: Any) -> float:
    """The scale of a picture that is as wide as the sidebar."""
    width = context.region.width / context.preferences.system.ui_scale if context.region is not None else 240
    return min(WIDEST_THUMBNAIL, max(4.0, (width - 50) / 20))


def wrapped(layout: Any, context: Any, text: str, icon: str) -> None:
    """A text on as many lines as the sidebar's width asks for."""
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region is not None else 280
    letters = max(16, int((width / scale - 62) / LETTER_PIXELS))
    column = layout.column(align=True)
    column.scale_y = 0.85
    for k, line in enumerate(textwrap.wrap(text, letters)):
        column.label(text=line, icon=icon if k == 0 else "BLANK1")


CLASSES = (
    HOLOTALK_PT_photo,
    HOLOTALK_PT_look,
    HOLOTALK_PT_sides,
    HOLOTALK_PT_advanced,
    HOLOTALK_PT_video,
    HOLOTALK_PT_view,
    HOLOTALK_PT_head,
    *(_group_panel(name) for name in GROUPS),
    HOLOTALK_PT_export,
    HOLOTALK_PT_training,
)
