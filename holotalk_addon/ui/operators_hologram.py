# SPDX-License-Identifier: GPL-3.0-or-later
"""The main buttons: generate the hologram, preview a frame, render the video; and stopping them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.app.handlers import persistent

from ..errors import OptionError
from ..scene.materials import make_image
from ..scene.own import (
    HOLOGRAM_ROLE,
    PYRAMID_ROLE,
    SIDES_ROLE,
    find_by_role,
    hologram_scene,
    is_own,
    own_sides,
)
from . import session
from .jobs import LANES, LIVE, Job, ThreadJob
from .operator_base import (
    HoloTalkOperator,
    JobOperator,
    StopOperator,
    at_work,
    hand_over,
    idle,
    windowless,
)
from .operators_photo import LOADING, take_faces
from .preferences import scratch_folder
from .settings import (
    adopt_look,
    current_settings,
    layout_of,
    look_of,
    motion_of,
    read_gaze,
    read_settings,
    settings_of,
    write_settings,
)
from .viewport import bring_back, show_front, show_hologram, views_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..head.completion import NamedPicture
    from ..pipeline import Tell

GENERATE_SHARES = {
    LOADING: 0.10,
    "Reading the photo": 0.01,
    "Finding the face": 0.06,
    "Separating the person": 0.03,
    "Fitting the head": 0.02,
    "Meeting the outline": 0.02,
    "Projecting the photo": 0.12,
    "Growing the hair": 0.10,
    "Completing the head": 0.49,
    "Comparing with the photo": 0.05,
}
"""About the time each stage takes on two cores."""
PREVIEW_NAME = "HoloTalk preview.png"
SIDES_NAME = "HoloTalk Sides"
NO_BREAK = "\N{NO-BREAK SPACE}"


class HOLOTALK_OT_generate(JobOperator, bpy.types.Operator):
    """Make a 3D head of the person in the photo, and the hologram's scene with four cameras"""

    bl_idname = "holotalk.generate"
    bl_label = "Generate Hologram"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    job_name = "GENERATE"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a photo with a face."""
        settings = current_settings(context)
        if not settings.photo:
            cls.poll_message_set("Choose a photo first")
            return False
        if settings.looked_at and not settings.faces:
            cls.poll_message_set("No face was found in this photo: choose another")
            return False
        return idle(cls)

    def start(self, context: Any) -> Job:
        """Everything up to the textured head happens in a thread."""
        settings = current_settings(context)
        layout_of(settings), motion_of(settings)  # what cannot work is said before the work
        path, number, complete = settings.photo_path(), settings.face_number, settings.complete.lower()
        exposure = settings.exposure.lower()
        self._scene, self._photo = settings.id_data.session_uid, settings.photo

        def work(tell: Tell) -> Any:
            from ..pipeline import Stages, person_from_photo

            stages = Stages(tell)
            with stages.stage(LOADING):
                tools = session.current().tools()
            return person_from_photo(path, tools, stages, number, complete, exposure=exposure)

        return ThreadJob(work, GENERATE_SHARES, session.current().alone)

    def finish(self, context: Any, result: Any) -> set[str]:
        """Build the scene from the head."""
        from ..pipeline import Stages, build_hologram

        settings = settings_of(self._scene)
        first = hologram_scene() is None
        take_faces(settings, self._photo, result.photo, result.faces)
        # All that there is to say, also of the head; the panel shows the face's own beside them.
        of_head = (text for text in result.warnings if text not in result.face.warnings)
        if settings.photo == self._photo:
            settings.photo_warnings = "\n".join(of_head)
        values = read_settings(settings)
        build_hologram(
            result.head,
            layout_of(settings),
            motion_of(settings),
            settings.sides.lower(),
            settings.engine.lower(),
            Stages(),
        )
        _keep_sides(result.pictures)
        scene = hologram_scene()
        if first:
            write_settings(values, scene.holotalk)
        scene.holotalk.video_look = ""
        read_gaze(scene.holotalk)
        if first and context.window is not None:
            session.current().former_views[HOLOGRAM_ROLE] = views_of(context.window)
        show_hologram(context, scene, first=first)
        self.lane_state(context).message = "The hologram is ready: render its video."
        context.window_manager.holotalk.forget_preview()
        for warning in result.warnings:
            self.report({"WARNING"}, warning)
        return {"FINISHED"}


def _keep_sides(pictures: Sequence[NamedPicture]) -> None:
    """Keep the picture of the head's sides before and after their completion in the open file, in the place
    of a former one."""
    import numpy as np

    from ..cae.learned import SIDES

    former = own_sides()
    if former is not None:
        bpy.data.images.remove(former)
    for picture in pictures:
        if picture.name == SIDES:
            opaque = np.full((*picture.pixels.shape[:2], 1), 255, dtype=np.uint8)
            image = make_image(np.concatenate([picture.pixels, opaque], axis=2), SIDES_NAME, SIDES_ROLE)
            image.use_fake_user = True  # nothing but the panel shows it


class HOLOTALK_OT_cancel(StopOperator, bpy.types.Operator):
    """Stop what HoloTalk does now; nothing is changed"""

    bl_idname = "holotalk.cancel"
    bl_label = "Cancel"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Something must be at work."""
        return at_work(cls)


class HOLOTALK_OT_stop_live(StopOperator, bpy.types.Operator):
    """End the live link; the head stays as it is now"""

    bl_idname = "holotalk.stop_live"
    bl_label = "Stop Live Link"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}
    lane = LIVE

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a live link."""
        return at_work(cls)


class HOLOTALK_OT_preview_frame(JobOperator, bpy.types.Operator):
    """Render one frame as the phone will show it, and estimate how long the whole video takes"""

    bl_idname = "holotalk.preview_frame"
    bl_label = "Preview Frame"
    bl_options: ClassVar[set[str]] = {"REGISTER"}
    job_name = "PREVIEW"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a hologram."""
        return hologram_is_there(cls) and idle(cls)

    def start(self, context: Any) -> Job:
        """Render a still into the add-on's own folder."""
        return render_job(scratch_folder() / PREVIEW_NAME)

    def finish(self, context: Any, result: Any) -> set[str]:
        """Show the still and the estimate."""
        state = context.window_manager.holotalk
        state.preview, state.estimate = str(scratch_folder() / PREVIEW_NAME), result
        self.lane_state(context).message = f"The whole video takes about {duration(result)}."
        self.report({"INFO"}, f"The whole video takes about {duration(result)}")
        return {"FINISHED"}


class HOLOTALK_OT_render_video(HoloTalkOperator, bpy.types.Operator):
    """Render the looping video for the pyramid; Blender stays free meanwhile"""

    bl_idname = "holotalk.render_video"
    bl_label = "Render Video"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(name="Video", subtype="FILE_PATH", options={"SKIP_SAVE"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_glob: bpy.props.StringProperty(default="*.mp4", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a hologram."""
        return hologram_is_there(cls) and idle(cls)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask where the video goes."""
        if not self.filepath:
            settings = current_settings(context)
            again = settings.video if settings.video_look else ""
            self.filepath = again or suggested_path(settings, "hologram.mp4")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: Any) -> bool:
        """The name ends in .mp4, so that the browser can warn of a file that is there."""
        return with_ending(self, ".mp4")

    def run(self, context: Any) -> set[str]:
        """Begin in the background where there is a window, else render here."""
        if not self.filepath:
            raise OptionError("The video has no name yet: give the path of an .mp4 file.")
        path = Path(bpy.path.abspath(bpy.path.ensure_ext(self.filepath, ".mp4")))
        if windowless(context):
            seconds = render_job(path).run()
            return _rendered(self, context, path, look_of(hologram_scene()), seconds)
        return hand_over(
            self, context, lambda: bpy.ops.holotalk.render_behind("INVOKE_DEFAULT", filepath=str(path))
        )


class HOLOTALK_OT_render_behind(JobOperator, bpy.types.Operator):
    """Render the video in a second Blender"""

    bl_idname = "holotalk.render_behind"
    bl_label = "Render Video Behind the Window"
    bl_options: ClassVar[set[str]] = {"INTERNAL", "UNDO"}
    job_name = "RENDER"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """There must be a hologram."""
        return hologram_is_there(cls) and idle(cls)

    def start(self, context: Any) -> Job:
        """Make the job."""
        self._look = look_of(hologram_scene())
        _warn_of_paintings(self)
        return render_job(Path(self.filepath))

    def finish(self, context: Any, result: Any) -> set[str]:
        """Say where the video is."""
        return _rendered(self, context, Path(self.filepath), self._look, result)


def render_job(output: Path) -> Job:
    """A render of the open file's hologram to a ``.mp4`` or ``.png``; it tells the seconds a video takes."""
    from ..scene.second_blender import BackgroundRender

    return BackgroundRender(output, scratch_folder())


def suggested_path(settings: Any, name: str) -> str:
    """Where a result may go: beside the photo, else beside the .blend, else at home."""
    if settings.photo:
        photo = settings.photo_path()
        return str(photo.with_name(f"{photo.stem} {name}"))
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    return str(folder / name)


def with_ending(operator: Any, ending: str) -> bool:
    """For :meth:`check`: give the chosen name its ending; returns whether that changed it."""
    path = bpy.path.ensure_ext(operator.filepath, ending)
    changed = path != operator.filepath and not operator.filepath.endswith(("/", "\\"))
    if changed:
        operator.filepath = path
    return changed


def _warn_of_paintings(operator: Any) -> None:
    """A second Blender opens a copy of the file, and a copy has no unsaved pixels."""
    names = [i.name for i in bpy.data.images if i.is_dirty and not is_own(i) and i.type == "IMAGE"]
    if names:
        operator.report({"WARNING"}, f"Not saved yet, so not in the video: {', '.join(names)}")


def _rendered(operator: Any, context: Any, path: Path, look: str, seconds: float) -> set[str]:
    settings = current_settings(context)
    settings.video, settings.video_look = str(path), look
    operator.lane_state(context).message = f"{path.name} is ready ({duration(seconds)})."
    operator.report({"INFO"}, f"{path.name} is ready")
    return {"FINISHED"}


def duration(seconds: float) -> str:
    """``45 s``, ``3 min``, ``1 h 5 min``, with spaces at which no line breaks."""
    minutes = round(seconds / 60)
    if seconds < 90:
        text = f"{max(1, round(seconds))} s"
    elif minutes < 60:
        text = f"{minutes} min"
    else:
        text = f"{minutes // 60} h {minutes % 60} min"
    return text.replace(" ", NO_BREAK)


def hologram_is_there(cls: Any) -> bool:
    """For polls: whether there is a hologram; says so where there is none."""
    if hologram_scene() is None:
        cls.poll_message_set("Generate a hologram first")
        return False
    return True


@persistent
def stop_before_load(*_: object) -> None:
    """Another file is opened: what is at work for this one ends."""
    session.current().stop_jobs()


@persistent
def follow_undo(*_: object) -> None:
    """Where the hologram was undone, the viewports show again what they showed before it."""
    own = session.current()
    if find_by_role(bpy.data.scenes, PYRAMID_ROLE) is None:
        bring_back(own.former_views.pop(PYRAMID_ROLE, []))
    if hologram_scene() is not None:
        return
    bring_back(own.former_views.pop(HOLOGRAM_ROLE, []))
    state = bpy.context.window_manager.holotalk
    state.work.message = ""
    state.forget_preview()


@persistent
def follow_redo(*_: object) -> None:
    """Where the hologram was brought back, it is shown again."""
    scene, own = hologram_scene(), session.current()
    if scene is None or HOLOGRAM_ROLE in own.former_views:
        return
    for window in bpy.context.window_manager.windows:
        if window.scene == scene:
            own.former_views[HOLOGRAM_ROLE] = views_of(window)
            show_front(window, scene)
            return


@persistent
def forget_run(*_: object) -> None:
    """Another file was opened: messages about the former one go, and the panel shows what is in this one."""
    session.current().former_views.clear()
    if hologram_scene() is not None:
        adopt_look(hologram_scene())
    state = bpy.context.window_manager.holotalk
    state.forget_preview()
    for name in LANES:
        state.lane(name).forget()


CLASSES = (
    HOLOTALK_OT_generate,
    HOLOTALK_OT_cancel,
    HOLOTALK_OT_stop_live,
    HOLOTALK_OT_preview_frame,
    HOLOTALK_OT_render_video,
    HOLOTALK_OT_render_behind,
)
