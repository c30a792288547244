# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a hologram (saved with the scene) and the state of the work (not saved).

Before there is a hologram the settings are those of the user's scene; once there is one, those of the
hologram's own scene, so that they are the same wherever the panel is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..cae.completions import AUTO, KINDS
from ..errors import HoloTalkError
from ..scene.own import LOOK, hologram_head, hologram_scene
from . import session
from .preferences import PRESET_PIXELS, SIZE_PRESETS

if TYPE_CHECKING:
    from ..hologram.layout import PyramidLayout
    from ..hologram.motion import LoopMotion


def look_changed(settings: Any, _context: Any) -> None:
    """Bring the hologram up to date with its settings; the head is left as it is."""
    if session.current().copying:
        return
    from ..scene.hologram_scene import find_hologram, update_hologram

    hologram = find_hologram()
    if hologram is None or hologram.hologram != settings.id_data.name:
        return
    state = bpy.context.window_manager.holotalk.work
    state.error = state.details = ""
    try:
        layout, motion = layout_of(settings), motion_of(settings)
        update_hologram(hologram, layout, motion, settings.sides.lower(), settings.engine.lower())
    except HoloTalkError as error:
        state.error = str(error)


def photo_changed(settings: Any, _context: Any) -> None:
    """Another photo: what was found in the former one is forgotten."""
    settings.forget_faces()


def gaze_changed(settings: Any, _context: Any) -> None:
    """Turn the eyes of the head."""
    from ..head.expressions import gaze_strengths

    keys = head_keys()
    if keys is None or session.current().copying:
        return
    for name, strength in gaze_strengths(*settings.gaze).items():
        if name in keys.key_blocks:
            keys.key_blocks[name].value = strength


class HOLOTALK_PG_face(bpy.types.PropertyGroup):
    """One face that was found in the photo."""

    box: bpy.props.FloatVectorProperty(
        name="Box", description="x, y, width, height as shares of the photo's width and height", size=4
    )
    yaw: bpy.props.FloatProperty(name="Yaw", description="Degrees")
    pixels: bpy.props.IntProperty(name="Width", description="Pixels")
    warnings: bpy.props.StringProperty(name="Warnings")


class HOLOTALK_PG_settings(bpy.types.PropertyGroup):
    """What the user chose for a hologram."""

    photo: bpy.props.StringProperty(
        name="Photo",
        description="A portrait: one face, seen from the front, sharp and evenly lit",
        subtype="FILE_PATH",
        update=photo_changed,
    )
    looked_at: bpy.props.StringProperty(
        name="Looked at", description="The photo in which the faces were found", options={"HIDDEN"}
    )
    faces: bpy.props.CollectionProperty(type=HOLOTALK_PG_face, name="Faces")
    face_number: bpy.props.IntProperty(
        name="Face", description="Which of the faces becomes the hologram; 1 is the largest", min=1, default=1
    )
    photo_warnings: bpy.props.StringProperty(name="Warnings")

    motion: bpy.props.EnumProperty(
        name="Motion",
        description="How the head moves in the loop",
        items=(
            ("TURNTABLE", "Turntable", "A full turn"),
            ("SWAY", "Sway", "To the left and to the right"),
            ("STILL", "Still", "No motion"),
        ),
        update=look_changed,
    )
    seconds: bpy.props.FloatProperty(
        name="Loop length",
        description="Seconds until the loop begins again",
        min=1.0,
        max=600.0,
        soft_max=30.0,
        default=6.0,
        precision=1,
        step=50,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        update=look_changed,
    )
    fps: bpy.props.IntProperty(
        name="Frames per second", min=1, max=240, soft_min=12, soft_max=60, default=24, update=look_changed
    )
    sides: bpy.props.EnumProperty(
        name="Sides",
        description="What the four sides of the pyramid show",
        items=(
            ("AROUND", "All around", "Four true sides of the head: walk round the pyramid"),
            ("FRONT", "Front", "The face on all four sides"),
        ),
        update=look_changed,
    )
    screen: bpy.props.EnumProperty(
        name="Screen",
        description="Which way the screen faces",
        items=(
            ("UP", "Faces up", "The phone lies on the table, the pyramid stands on it with its tip down"),
            ("DOWN", "Faces down", "The screen hangs above the pyramid, which has its tip up"),
        ),
        update=look_changed,
    )
    gap: bpy.props.FloatProperty(
        name="Gap",
        description="Width of the pyramid's small end, as a share of the picture's side",
        min=0.02,
        max=0.8,
        soft_max=0.5,
        default=0.2,
        precision=2,
        subtype="FACTOR",
        update=look_changed,
    )
    size_preset: bpy.props.EnumProperty(
        name="Size", description="How large the video is", items=SIZE_PRESETS, update=look_changed
    )
    size: bpy.props.IntProperty(
        name="Side",
        description="Side of the square with the four panels, in pixels",
        min=64,
        max=8192,
        default=1080,
        step=2,
        subtype="PIXEL",
        update=look_changed,
    )
    use_frame: bpy.props.BoolProperty(
        name="Larger Frame",
        description="Put the square into the middle of a larger black picture, for example the whole screen",
        default=False,
        update=look_changed,
    )
    frame: bpy.props.IntVectorProperty(
        name="Frame",
        description="Width and height of the whole video, in pixels",
        size=2,
        min=64,
        max=8192,
        default=(1080, 1920),
        update=look_changed,
    )
    engine: bpy.props.EnumProperty(
        name="Engine",
        description="What renders the head",
        items=(
            ("AUTO", "Automatic", "EEVEE, unlit: faithful to the photo, and quick"),
            ("WORKBENCH", "Workbench", "Quickest, for trying things: no soft edges, no fade of the neck"),
            ("EEVEE", "EEVEE", "The head as the photo shows it"),
            ("CYCLES", "Cycles", "Slow; for heads that you have lit or painted with materials of your own"),
        ),
        update=look_changed,
    )
    complete: bpy.props.EnumProperty(
        name="Unseen sides",
        description="How that which the photo does not show is completed",
        items=(
            (AUTO.upper(), "Automatic", f"The best that this version has: {KINDS[0].label.lower()}"),
            *((k.name.upper(), k.label, k.does[0].upper() + k.does[1:]) for k in KINDS if k.offered),
        ),
    )
    exposure: bpy.props.EnumProperty(
        name="Exposure",
        description="What is done about a dark photo: black is invisible in a pyramid",
        items=(
            ("AUTO", "Automatic", "Brighten the photo where the face is far too dark"),
            ("LIFT", "Brighten", "Brighten the photo where the face is rather dark, too"),
            ("KEEP", "As in the photo", "Leave the photo as it is"),
        ),
    )
    gaze: bpy.props.FloatVectorProperty(
        name="Gaze",
        description="Where the eyes look: toward the person's left, and up",
        size=2,
        min=-1.0,
        max=1.0,
        precision=2,
        update=gaze_changed,
    )
    video: bpy.props.StringProperty(
        name="Video", description="The video that was rendered last", subtype="FILE_PATH"
    )
    video_look: bpy.props.StringProperty(
        name="Look of the Video",
        description="What the hologram was like then; empty for another head's video",
    )
    screen_mm: bpy.props.FloatVectorProperty(
        name="Screen size",
        description="Width and height of the screen's lit part in millimetres, for the cut template",
        size=2,
        min=10.0,
        max=5000.0,
        default=(70.0, 150.0),
        precision=1,
    )

    data_preset: bpy.props.EnumProperty(
        name="Preset",
        description="What each sample holds",
        items=(
            (
                "HOLOTALK",
                "HoloTalk",
                "Small grey pictures of the front and the side, for HOLOTALK's autoencoder",
            ),
            (
                "FULL",
                "Full",
                "Colour from eight sides, depth, normals, regions, landmarks, pose, codes, light",
            ),
        ),
    )
    data_samples: bpy.props.IntProperty(
        name="Samples", description="How many the folder shall hold in all", min=1, default=100
    )
    data_seed: bpy.props.IntProperty(
        name="Seed", description="Another number means other people", min=0, default=0
    )
    data_folder: bpy.props.StringProperty(
        name="Folder",
        description="Where to; what it holds already is kept, and rendering goes on where it stopped",
        subtype="DIR_PATH",
    )

    def forget_faces(self) -> None:
        """Forget what was found in a photo."""
        self.faces.clear()
        self.face_number = 1
        self.looked_at = self.photo_warnings = ""

    def photo_path(self) -> Path:
        """The photo's full path."""
        return Path(bpy.path.abspath(self.photo))


class HOLOTALK_PG_lane(bpy.types.PropertyGroup):
    """What goes on now in one lane of jobs, and what was said last of it."""

    job: bpy.props.StringProperty()
    """The operator's ``job_name``: '' while nothing goes on, else FIND, GENERATE, PREVIEW, RENDER or TRAINING
    in the lane of work."""
    stage: bpy.props.StringProperty()
    progress: bpy.props.FloatProperty(min=0.0, max=1.0)
    cancel_asked: bpy.props.BoolProperty()
    message: bpy.props.StringProperty()
    """What was done last, for the user."""
    error: bpy.props.StringProperty()
    """What went wrong last, and what to do."""
    details: bpy.props.StringProperty()
    """A file with more about the error."""

    def free(self) -> None:
        """Nothing goes on here; what was said last stays."""
        self.job, self.stage, self.progress, self.cancel_asked = "", "", 0.0, False

    def forget(self) -> None:
        """Nothing goes on here, and nothing was said."""
        self.free()
        self.message = self.error = self.details = ""


class HOLOTALK_PG_state(bpy.types.PropertyGroup):
    """What goes on now: on the window manager, so never saved.

    Each lane of :data:`~.jobs.LANES` is a property of its name.
    """

    work: bpy.props.PointerProperty(type=HOLOTALK_PG_lane)
    """What the user waits for, and what operators without a job have to say."""
    live: bpy.props.PointerProperty(type=HOLOTALK_PG_lane)
    """What goes on beside it."""
    preview: bpy.props.StringProperty()
    """The picture of the last preview frame."""
    estimate: bpy.props.FloatProperty()
    """Seconds that the whole video will take, from the last preview; 0: not known."""

    def lane(self, name: str) -> Any:
        """The :class:`HOLOTALK_PG_lane` of this name."""
        return getattr(self, name)

    def forget_preview(self) -> None:
        """There is no preview of this hologram."""
        self.preview, self.estimate = "", 0.0


def head_keys() -> Any:
    """The shape keys of the head, or None."""
    head = hologram_head()
    return None if head is None else head.data.shape_keys


def current_settings(context: Any) -> Any:
    """The settings that count: of the hologram's scene if there is one, else of the open scene."""
    return (hologram_scene() or context.scene).holotalk


def settings_of(scene_uid: int) -> Any:
    """The settings that count for work begun in a scene: of the hologram if there is one now, else of it.

    Args:
        scene_uid: the scene's ``session_uid``.

    Raises:
        HoloTalkError: the scene is gone.
    """
    scene = hologram_scene() or next((s for s in bpy.data.scenes if s.session_uid == scene_uid), None)
    if scene is None:
        raise HoloTalkError("The scene in which this was begun is gone: begin again in another.")
    return scene.holotalk


def look_of(scene: Any) -> str:
    """What a hologram's scene was built with, to compare."""
    return str(scene.get(LOOK, ""))


def adopt_look(scene: Any) -> None:
    """Have the settings say what the hologram was built with, where it was not built from the panel."""
    look = look_of(scene)
    if not look or scene.holotalk.is_property_set("size_preset"):
        return
    built, settings = json.loads(look), scene.holotalk
    presets = {pixels: name for name, pixels in PRESET_PIXELS.items()}
    larger = list(built["frame"]) != [built["size"]] * 2
    with session.current().copies():
        settings.size_preset = "CUSTOM" if larger else presets.get(built["size"], "CUSTOM")
        settings.size, settings.use_frame = built["size"], larger
        if larger:
            settings.frame = built["frame"]
        settings.gap, settings.fps = built["gap"], built["fps"]
        settings.seconds = built["frames"] / built["fps"]
        for name in ("screen", "motion", "sides", "engine"):
            setattr(settings, name, built[name].upper())


def read_gaze(settings: Any) -> None:
    """Have the gaze say where the eyes look."""
    from ..head.expressions import gaze_of

    keys = head_keys()
    if keys is None:
        return
    with session.current().copies():
        settings.gaze = gaze_of({key.name: key.value for key in keys.key_blocks})


def read_settings(settings: Any) -> dict[str, Any]:
    """All settings as plain values: the scene that holds them may go, and their memory with it."""
    values = {name: _plain(getattr(settings, name)) for name in _names(settings) if name != "faces"}
    values["faces"] = [
        {name: _plain(getattr(face, name)) for name in _names(face)} for face in settings.faces
    ]
    return values


def write_settings(values: dict[str, Any], settings: Any) -> None:
    """Give settings these values, without their update functions."""
    with session.current().copies():
        for name, value in values.items():
            if name != "faces":
                setattr(settings, name, value)
        # Last: a new photo forgets them.
        settings.faces.clear()
        for face in values["faces"]:
            item = settings.faces.add()
            for name, value in face.items():
                setattr(item, name, value)
        for name in ("face_number", "looked_at", "photo_warnings"):
            setattr(settings, name, values[name])


def _plain(value: Any) -> Any:
    return tuple(value) if hasattr(value, "foreach_get") or hasattr(value, "to_tuple") else value


def _names(group: Any) -> Iterator[str]:
    return (p.identifier for p in group.bl_rna.properties if p.identifier not in ("rna_type", "name"))


def layout_of(settings: Any) -> PyramidLayout:
    """The layout that the settings ask for.

    Raises:
        OptionError: sizes that do not go together.
    """
    from ..hologram.layout import pyramid_layout

    size, frame = settings.size, None
    if settings.size_preset != "CUSTOM":
        size = PRESET_PIXELS[settings.size_preset]
    elif settings.use_frame:
        frame = (settings.frame[0], settings.frame[1])
    return pyramid_layout(size, settings.gap, settings.screen.lower(), frame)


def motion_of(settings: Any) -> LoopMotion:
    """The loop that the settings ask for."""
    from ..hologram.motion import loop_motion

    return loop_motion(settings.motion.lower(), settings.seconds, settings.fps)


CLASSES = (HOLOTALK_PG_face, HOLOTALK_PG_settings, HOLOTALK_PG_lane, HOLOTALK_PG_state)
