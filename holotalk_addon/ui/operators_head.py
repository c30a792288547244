# SPDX-License-Identifier: GPL-3.0-or-later
"""The head: expressions, exports; and the cut template of the pyramid."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy

from ..errors import OptionError
from ..head.expressions import PRESETS, preset_strengths
from ..outputs import STL_HEIGHT_MM, STL_HEIGHTS_MM, ExportOptions
from ..scene.own import hologram_head
from .operator_base import HoloTalkOperator
from .operators_hologram import suggested_path, with_ending
from .settings import current_settings, head_keys, read_gaze

FORMATS = (
    ("GLB", "GLB", "For the web, games and phones: texture and expressions in one file"),
    ("OBJ", "OBJ", "For nearly every 3D program: mesh, material and texture, with the expression of now"),
    ("PLY", "PLY", "Coloured points and faces, for scanning programs and colour prints"),
    ("STL", "STL", "One solid to print, with the expression of now, in millimetres"),
)
FORMAT_OPTIONS = {"GLB": ("shape_names", "eye_bones"), "STL": ("height_mm",)}
"""What each of them offers: properties of the operator, named as in :class:`ExportOptions`."""
PHOTO = "PHOTO"


class HOLOTALK_OT_expression(HoloTalkOperator, bpy.types.Operator):
    """Give the head this expression"""

    bl_idname = "holotalk.expression"
    bl_label = "Set Expression"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    preset: bpy.props.EnumProperty(
        name="Expression",
        items=(
            (PHOTO, "As in the photo", "The expression that the photo shows"),
            *((name.upper(), name.capitalize(), "") for name in PRESETS),
        ),
        default="NEUTRAL",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a head with its expressions."""
        return _head_is_there(cls)

    def run(self, context: Any) -> set[str]:
        """Set the sliders; those that turn the eyes stay, but for the photo's own."""
        from ..scene.head_object import PHOTO_EXPRESSION

        keys = [key for key in head_keys().key_blocks if key != head_keys().reference_key]
        names = [key.name for key in keys]
        if self.preset == PHOTO:
            strengths = list(hologram_head().data.get(PHOTO_EXPRESSION, ()))
            if len(strengths) != len(keys):
                raise OptionError("The head's sliders were added to or removed: set them by hand.")
        else:
            strengths = preset_strengths(self.preset.lower(), names)
        for key, strength in zip(keys, strengths, strict=True):
            if self.preset == PHOTO or not key.name.startswith("eyeLook"):
                key.value = strength
        read_gaze(current_settings(context))
        return {"FINISHED"}


class HOLOTALK_OT_export(HoloTalkOperator, bpy.types.Operator):
    """Write the head to a file for other programs"""

    bl_idname = "holotalk.export"
    bl_label = "Export Head"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    format: bpy.props.EnumProperty(name="Format", items=FORMATS)
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="*.glb;*.obj;*.ply;*.stl", options={"HIDDEN"})
    shape_names: bpy.props.EnumProperty(
        name="Shape names",
        items=(
            ("ARKIT", "ARKit", "The 52 names of ARKit"),
            ("RPM", "Ready Player Me", "ARKit's 52, and 15 visemes, mouthOpen, eyesClosed, ... as well"),
        ),
    )
    eye_bones: bpy.props.BoolProperty(
        name="Eye bones", description="Bones Head, LeftEye and RightEye, by which programs turn the eyes"
    )
    height_mm: bpy.props.FloatProperty(
        name="Height in mm",
        description="From the base of the print to the crown",
        default=STL_HEIGHT_MM,
        min=STL_HEIGHTS_MM[0],
        max=STL_HEIGHTS_MM[1],
        precision=0,
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a head with its expressions."""
        return _head_is_there(cls)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask where it goes."""
        self.filepath = suggested_path(current_settings(context), f"head.{self.format.lower()}")
        self.filter_glob = f"*.{self.format.lower()}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: Any) -> bool:
        """The name ends as the format's files do, so that the browser can warn of a file that is there."""
        return with_ending(self, f".{self.format.lower()}")

    def draw(self, context: Any) -> None:
        """What the format offers, beside the file browser."""
        self.layout.use_property_split = True
        for name in FORMAT_OPTIONS.get(self.format, ()):
            self.layout.prop(self, name)

    def run(self, context: Any) -> set[str]:
        """Write it."""
        from ..outputs import beside_obj, spare
        from ..scene.export import export_head
        from ..scene.head_object import read_head

        if not self.filepath:
            raise OptionError("The export has no name yet: give the path of a .glb, .obj, .ply or .stl file.")
        path = Path(bpy.path.abspath(self.filepath))
        if not path.suffix:
            path = path.with_suffix(f".{self.format.lower()}")
        options = self._options(path.suffix[1:].upper())
        options.check(path)
        if path.suffix.lower() == ".blend":
            raise OptionError("A .blend holds the whole file: use File > Save As instead.")
        spare(current_settings(context).photo_path(), path, *beside_obj(path))
        written = export_head(read_head(hologram_head()), path, options)
        self.lane_state(context).message = f"{written[0].name} is written."
        self.report({"INFO"}, f"{written[0].name} is written")
        return {"FINISHED"}

    def _options(self, kind: str) -> ExportOptions:
        """What was chosen, as far as the format of this ending offers it: what is set for another one stays
        set."""
        values = {name: getattr(self, name) for name in FORMAT_OPTIONS.get(kind, ())}
        if "shape_names" in values:
            values["shape_names"] = values["shape_names"].lower()
        return ExportOptions(**values)


class HOLOTALK_OT_save_template(HoloTalkOperator, bpy.types.Operator):
    """Save a drawing to print and cut the pyramid after, for the screen's true size"""

    bl_idname = "holotalk.save_template"
    bl_label = "Save Cut Template"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="*.svg", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be an open scene, for its settings."""
        return context.scene is not None

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask where it goes."""
        self.filepath = suggested_path(current_settings(context), "pyramid.svg")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: Any) -> bool:
        """The name ends in .svg, so that the browser can warn of a file that is there."""
        return with_ending(self, ".svg")

    def run(self, context: Any) -> set[str]:
        """Write it."""
        from ..hologram.template import template_svg
        from ..outputs import check_output, write_text

        if not self.filepath:
            raise OptionError("The template has no name yet: give the path of an .svg file.")
        settings = current_settings(context)
        path = check_output(Path(bpy.path.abspath(bpy.path.ensure_ext(self.filepath, ".svg"))), (".svg",))
        width, height = settings.screen_mm
        write_text(path, template_svg((width, height), settings.gap, settings.screen.lower()))
        self.lane_state(context).message = f"{path.name} is saved: print it at 100 %."
        self.report({"INFO"}, f"{path.name} is saved")
        return {"FINISHED"}


def _head_is_there(cls: Any) -> bool:
    if head_keys() is None:
        cls.poll_message_set("Generate a hologram first")
        return False
    return True


CLASSES = (HOLOTALK_OT_expression, HOLOTALK_OT_export, HOLOTALK_OT_save_template)
