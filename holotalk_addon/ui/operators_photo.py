# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing the photo and the face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy

from ..errors import FaceError
from ..scene.own import hologram_scene
from . import session
from .jobs import Job, ThreadJob
from .operator_base import HoloTalkOperator, JobOperator, hand_over, idle, redraw, windowless
from .preferences import preferences
from .settings import current_settings, settings_of

if TYPE_CHECKING:
    from ..pipeline import Tell

PICTURES = "*.jpg;*.jpeg;*.png;*.webp;*.bmp;*.tif;*.tiff"
LOADING = "Loading"
FIND_SHARES = {LOADING: 0.5, "Reading the photo": 0.1, "Finding the face": 0.4}
NO_FACE = (
    "No face was found in this photo. Take one in which the face looks at the camera, is well lit, and at "
    "least 100 pixels wide."
)


class HOLOTALK_OT_open_photo(HoloTalkOperator, bpy.types.Operator):
    """Choose the portrait photo that becomes the hologram"""

    bl_idname = "holotalk.open_photo"
    bl_label = "Open Photo"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default=PICTURES, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """One thing at a time."""
        return idle(cls)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask for the file, unless it was dropped."""
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: Any) -> set[str]:
        """Take the photo and look for faces."""
        settings = current_settings(context)
        own = preferences(context)
        if not settings.photo and own is not None and hologram_scene() is None:
            settings.size_preset = own.size_preset
        settings.photo = self.filepath
        if windowless(context):
            photo, faces = _look_job(settings).run()
            take_faces(settings, settings.photo, photo, faces)
            return {"FINISHED"}
        return hand_over(self, context, lambda: bpy.ops.holotalk.find_faces("INVOKE_DEFAULT"))


class HOLOTALK_OT_find_faces(JobOperator, bpy.types.Operator):
    """Look for the faces in the photo"""

    bl_idname = "holotalk.find_faces"
    bl_label = "Find Faces"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    job_name = "FIND"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a photo."""
        if not current_settings(context).photo:
            cls.poll_message_set("Choose a photo first")
            return False
        return idle(cls)

    def start(self, context: Any) -> Job:
        """Read and look in a thread."""
        settings = current_settings(context)
        self._scene, self._photo = settings.id_data.session_uid, settings.photo
        return _look_job(settings)

    def finish(self, context: Any, result: Any) -> set[str]:
        """Keep what was found."""
        take_faces(settings_of(self._scene), self._photo, *result)
        return {"FINISHED"}


class HOLOTALK_OT_pick_face(HoloTalkOperator, bpy.types.Operator):
    """Take this face for the hologram"""

    bl_idname = "holotalk.pick_face"
    bl_label = "Pick Face"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    number: bpy.props.IntProperty(name="Face", min=1, default=1)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a choice."""
        return len(current_settings(context).faces) > 0

    def run(self, context: Any) -> set[str]:
        """Pick the face of this number."""
        settings = current_settings(context)
        count = len(settings.faces)
        if self.number > count:
            raise FaceError(f"There is no face {self.number}: the photo has {count}.")
        settings.face_number = self.number
        redraw(context)
        return {"FINISHED"}


class HOLOTALK_FH_photo(bpy.types.FileHandler):
    """A picture dropped on the 3D viewport."""

    bl_idname = "HOLOTALK_FH_photo"
    bl_label = "HoloTalk photo"
    bl_import_operator = "holotalk.open_photo"
    bl_file_extensions = PICTURES.replace("*", "")

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        """On the 3D viewport alone."""
        return context.area is not None and context.area.type == "VIEW_3D"


def _look_job(settings: Any) -> ThreadJob:
    path = settings.photo_path()
    return ThreadJob(lambda tell: _look(path, tell), FIND_SHARES, session.current().alone)


def _look(path: Path, tell: Tell) -> tuple[Any, list[Any]]:
    """The photo and its faces; no ``bpy`` in here, it runs in a thread."""
    from ..face import find_faces, read_photo
    from ..pipeline import Stages

    stages = Stages(tell)
    with stages.stage("Reading the photo"):
        photo = read_photo(path)
    with stages.stage(LOADING):
        tools = session.current().tools()
    with stages.stage("Finding the face") as progress:
        faces = find_faces(photo, tools.faces, progress)
    return photo, faces


def take_faces(settings: Any, path: str, photo: Any, faces: Any) -> None:
    """Keep the faces of a photo in the settings; those of a photo that is no longer asked for are dropped.

    Args:
        settings: of the scene.
        path: the photo as the settings named it when the work began.
        photo: the :class:`~..face.Photo`.
        faces: its faces, the largest first.

    """
    if settings.photo != path:
        return
    number = settings.face_number if settings.looked_at == settings.photo else 1
    settings.forget_faces()
    settings.looked_at = settings.photo
    for face in faces:
        item = settings.faces.add()
        x, y, width, height = (float(v) for v in face.box)
        item.box = (x / photo.width, y / photo.height, width / photo.width, height / photo.height)
        item.yaw = face.yaw
        item.pixels = round(width / photo.scale)
        item.warnings = "\n".join(face.warnings)
    settings.face_number = min(number, max(1, len(faces)))
    settings.photo_warnings = "\n".join(photo.warnings) if faces else "\n".join((*photo.warnings, NO_FACE))


CLASSES = (
    HOLOTALK_OT_open_photo,
    HOLOTALK_OT_find_faces,
    HOLOTALK_OT_pick_face,
    HOLOTALK_FH_photo,
)
