# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering the hologram to a video or a still, and single views.

Every output takes two passes: the views are rendered to PNGs in a temporary folder, then laid out
as image strips by a temporary sequencer scene whose result equals that of the four scene
strips. So a turntable needs one camera only: camera k at a frame sees what camera 0 sees a
quarter turn of the loop away, k times. And work can be stopped between frames.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, OutputError
from ..hologram.framing import frame_view
from ..hologram.motion import FIRST_FRAME, LoopMotion, loop_motion
from ..outputs import replacing
from ..progress import Progress, silent
from . import compat
from .hologram_scene import HologramScene, make_black_world, make_scene, place_strip
from .mp4 import index_first
from .own import own_blocks, remove_since, tag
from .quiet import quiet, wake_gpu
from .render_plan import render_plan
from .rig import UP_AXIS, aim_camera, make_camera
from .subject import Subject

LAYOUT_NAME = "HoloTalk Video"
VIEWS_SHARE = 0.88
"""Of the time a video takes, about so much goes into its views; the rest is layout and encoding."""
FRAMES_PER_CALL = 8
"""Rendering several frames in one call spares Blender's start-up for each; between the calls the
caller can cancel."""


def render_hologram(hologram: HologramScene, path: Path, progress: Progress = silent) -> None:
    """Render the hologram to ``path``: a ``.mp4`` of the whole loop, or a ``.png`` of its first frame.

    Args:
        hologram: What :func:`build_hologram` returned.
        path: The output; an existing one is replaced in one step when the new one is complete.
        progress: Told the fraction done; whatever it raises ends the render and leaves no file.

    Raises:
        OptionError: Another extension.
        OutputError: The output cannot be written.

    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".mp4", ".png"):
        raise OptionError(f"Cannot write '{path.name}': choose a name that ends in .mp4 or .png.")
    first, frames = FIRST_FRAME, hologram.motion.frames
    with (
        replacing(path) as beside,
        tempfile.TemporaryDirectory(prefix="holotalk-") as folder,
        _plain_texture_filter(),
    ):
        shown = range(first, first + (frames if kind == ".mp4" else 1))
        sequences = _render_panels(hologram, Path(folder), shown, progress)
        with _layout_scene(hologram, sequences) as scene:
            if kind == ".mp4":
                compat.output_mp4(scene)
            else:
                compat.output_png(scene, alpha=False)
            scene.render.filepath = str(beside)
            _run(scene, shown if kind == ".mp4" else None, _portion(progress, VIEWS_SHARE, 1.0))
        if beside.stat().st_size == 0:
            raise OutputError(f"Blender wrote nothing to {path}: is the disk full?")
        if kind == ".mp4":
            index_first(beside)
        progress(1.0)


def _portion(progress: Progress, start: float, end: float) -> Progress:
    """A progress of its own for the share ``start`` .. ``end`` of the whole."""
    return lambda part: progress(start + (end - start) * part)


def _render_panels(
    hologram: HologramScene, folder: Path, shown: range, progress: Progress
) -> list[list[Path]]:
    """Render what the panels need; returns for each of the four its pictures, frame by frame."""
    plan = render_plan(hologram, shown)
    count, done = sum(len(frames) for frames in plan.wanted.values()), 0
    for view, frames in plan.wanted.items():
        scene = bpy.data.scenes[hologram.views[view]]
        render_frames(
            scene,
            frames,
            folder / f"{view}_",
            _portion(progress, VIEWS_SHARE * done / count, VIEWS_SHARE * (done + len(frames)) / count),
        )
        done += len(frames)
    return [[folder / f"{plan.source[k]}_{f:05d}.png" for f in plan.needed[k]] for k in range(4)]


def render_frames(scene: Any, frames: Sequence[int], stem: Path, progress: Progress) -> None:
    """Render frames of a view scene to ``<stem><frame, five digits>.png``, RGBA."""
    compat.output_png(scene, alpha=True)
    kept = scene.render.filepath
    scene.render.filepath = f"{stem}#####"
    done = 0
    try:
        for chunk in _chunks(frames):
            _run(
                scene,
                chunk,
                _portion(progress, done / len(frames), (done + len(chunk)) / len(frames)),
            )
            done += len(chunk)
    finally:
        scene.render.filepath = kept


def _chunks(frames: Sequence[int]) -> Iterator[range]:
    """Runs of consecutive frames, of at most :data:`FRAMES_PER_CALL`."""
    start = last = None
    for frame in frames:
        if start is None or last is None:
            start = last = frame
        elif frame == last + 1 and frame - start < FRAMES_PER_CALL:
            last = frame
        else:
            yield range(start, last + 1)
            start = last = frame
    if start is not None and last is not None:
        yield range(start, last + 1)


@contextlib.contextmanager
def _plain_texture_filter() -> Iterator[None]:
    """Without anisotropic filtering: on Mesa's software renderer it draws stray texels, single
    pixels of another part of the texture, where a surface is seen at a grazing angle.
    """
    preferences = bpy.context.preferences
    kept, dirty = preferences.system.anisotropic_filter, preferences.is_dirty
    preferences.system.anisotropic_filter = "FILTER_0"
    try:
        yield
    finally:
        preferences.system.anisotropic_filter = kept
        preferences.is_dirty = dirty


def _run(scene: Any, frames: range | None, progress: Progress) -> None:
    """One render call: of some frames to the scene's path, or of a still (``None``).

    Blender swallows exceptions of its handlers, so what ``progress`` raises waits until the call has ended.
    """
    raised: list[BaseException] = []
    written = 0

    def told(*_: object) -> None:
        nonlocal written
        written += 1
        if not raised:
            try:
                progress(min(1.0, written / len(frames or [0])))
            except BaseException as error:  # noqa: BLE001 - raised again below
                raised.append(error)

    wake_gpu()
    handlers = bpy.app.handlers.render_write
    handlers.append(told)
    kept = scene.frame_start, scene.frame_end, scene.frame_current
    try:
        with quiet():
            if frames is None:
                scene.frame_set(FIRST_FRAME)
                bpy.ops.render.render(write_still=True, scene=scene.name)
            else:
                scene.frame_start, scene.frame_end = frames[0], frames[-1]
                bpy.ops.render.render(animation=True, scene=scene.name)
    finally:
        handlers.remove(told)
        scene.frame_start, scene.frame_end = kept[:2]
        scene.frame_set(kept[2])
    if raised:
        raise raised[0]


@contextlib.contextmanager
def _layout_scene(hologram: HologramScene, sequences: Sequence[Sequence[Path]]) -> Iterator[Any]:
    """A temporary scene whose sequencer lays four picture sequences out as the panels."""
    scene = make_scene(LAYOUT_NAME, hologram.layout.frame, hologram.motion, "workbench", None)
    try:
        scene.render.film_transparent = False
        compat.add_ground(scene, len(sequences[0]))
        strips = compat.strips(scene)
        for k, pictures in enumerate(sequences):
            strip = strips.new_image(
                name=hologram.layout.panels[k].name,
                filepath=str(pictures[0]),
                channel=k + 2,
                frame_start=FIRST_FRAME,
                fit_method="ORIGINAL",
            )
            for picture in pictures[1:]:
                strip.elements.append(picture.name)
            compat.set_duration(strip, len(pictures))
            place_strip(strip, hologram.layout, k)
        yield scene
    finally:
        bpy.data.scenes.remove(scene)


def render_picture(
    picture: NDArray[np.uint8], path: Path, seconds: float = 10.0, fps: int = 24, progress: Progress = silent
) -> None:
    """Write a still picture to a ``.png``, or to a ``.mp4`` that shows it for ``seconds``.

    Args:
        picture: (H, W, 3) sRGB, first row on top; H and W even.
        path: The output; an existing one is replaced in one step when the new one is complete.
        seconds: Length of the video.
        fps: Its frames a second.
        progress: Told the fraction done.

    Raises:
        OptionError: Another extension.
        OutputError: The output cannot be written.

    """
    from PIL import Image

    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".mp4", ".png"):
        raise OptionError(f"Cannot write '{path.name}': choose a name that ends in .mp4 or .png.")
    with replacing(path) as beside, tempfile.TemporaryDirectory(prefix="holotalk-") as folder:
        if kind == ".png":
            Image.fromarray(picture).save(beside, "PNG")
            progress(1.0)
            return
        still = Path(folder) / "still.png"
        Image.fromarray(picture).save(still)
        motion = loop_motion("still", seconds, fps)
        scene = make_scene(LAYOUT_NAME, (picture.shape[1], picture.shape[0]), motion, "workbench", None)
        try:
            strip = compat.strips(scene).new_image(
                name="Still", filepath=str(still), channel=1, frame_start=FIRST_FRAME, fit_method="ORIGINAL"
            )
            compat.set_duration(strip, motion.frames)
            compat.output_mp4(scene)
            scene.render.filepath = str(beside)
            _run(scene, range(FIRST_FRAME, FIRST_FRAME + motion.frames), progress)
            index_first(beside)
        finally:
            bpy.data.scenes.remove(scene)


def render_views(
    subject: Subject,
    yaws: Sequence[float],
    size: int = 512,
    engine: str = "auto",
    progress: Progress = silent,
) -> list[NDArray[np.uint8]]:
    """Single unmirrored views of a subject, a head with the photo's expression, on black.

    Args:
        subject: What is to be seen.
        yaws: Degrees it is turned: at +90 the nose points to the picture's right.
        size: Side of the pictures in pixels.
        engine: As for :func:`build_hologram`.
        progress: Told the fraction done.

    Returns:
        One (size, size, 3) sRGB picture for each yaw, first row on top. Scale and centre are the
        same for any choice of yaws. The open file is as it was.

    """
    from ..face.pictures import open_picture

    if not 16 <= size <= 8192:
        raise OptionError(f"A view of {size} pixels cannot be rendered: choose 16 to 8192.")
    with temporary_subject(subject) as (obj, collection):
        framing = frame_view(subject.points(), size)
        motion = LoopMotion("still", max(1, len(yaws)), 24)
        scene = make_scene("HoloTalk Views", (size, size), motion, engine, make_black_world())
        scene.collection.children.link(collection)
        scene.camera = make_camera("HoloTalk View", "single view", None, collection)
        aim_camera(scene.camera, framing, 0.0)
        scene.render.film_transparent = False
        for frame, yaw in enumerate(yaws, FIRST_FRAME):
            obj.rotation_euler[UP_AXIS] = np.radians(yaw)
            obj.keyframe_insert("rotation_euler", index=UP_AXIS, frame=frame)
        if len(yaws):
            tag(obj.animation_data.action, "views")
        with tempfile.TemporaryDirectory(prefix="holotalk-") as folder, _plain_texture_filter():
            frames = range(FIRST_FRAME, FIRST_FRAME + len(yaws))
            render_frames(scene, frames, Path(folder) / "view_", progress)
            pictures = []
            for frame in frames:
                with open_picture(Path(folder) / f"view_{frame:05d}.png") as picture:
                    pictures.append(np.asarray(picture.convert("RGB"), dtype=np.uint8))
            return pictures


@contextlib.contextmanager
def temporary_subject(subject: Subject) -> Iterator[tuple[Any, Any]]:
    """A subject's first object in a collection that no scene has yet, as ``(object, collection)``. Afterwards
    all that HoloTalk made meanwhile is gone again.
    """
    before = own_blocks()
    try:
        collection = tag(bpy.data.collections.new("HoloTalk Temporary"), "temporary")
        yield subject.make(collection), collection
    finally:
        remove_since(before)


def write_views(
    subject: Subject,
    yaws: Sequence[float],
    folder: Path,
    size: int = 512,
    *,
    engine: str = "auto",
    progress: Progress = silent,
) -> list[Path]:
    """:func:`render_views` to ``view_<yaw>.png`` in ``folder``, which must exist; returns the paths."""
    from PIL import Image

    paths = []
    for yaw, picture in zip(yaws, render_views(subject, yaws, size, engine, progress), strict=True):
        path = Path(folder) / f"view_{yaw:g}.png"
        with replacing(path) as beside:
            Image.fromarray(picture).save(beside)
        paths.append(path)
    return paths
