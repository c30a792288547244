# SPDX-License-Identifier: GPL-3.0-or-later
"""The hologram as Blender scenes: one for each view, and one whose sequencer lays them out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import bpy
import numpy as np

from ..errors import MissingPartError, OptionError
from ..hologram.framing import frame_panel
from ..hologram.layout import PyramidLayout, pyramid_layout
from ..hologram.motion import FIRST_FRAME, LoopMotion
from ..performance.performance import Performance
from . import compat
from .own import (
    EMPTY_ROLE,
    HOLOGRAM_ROLE,
    LOOK,
    TAG,
    find_by_role,
    hologram_collection,
    hologram_scene,
    is_own,
    own_blocks,
    remove_empty,
    remove_object,
    remove_since,
    tag,
)
from .performing import apply_performance, change_rate, read_performance
from .rig import RIG_NAME, aim_camera, make_camera, make_empty, make_turntable, set_motion
from .subject import Subject, hologram_subject, is_subject, read_subject
from .succession import Succession

Sides = Literal["around", "front"]
SIDES: tuple[Sides, ...] = ("around", "front")
Engine = Literal["auto", "workbench", "eevee", "cycles"]
ENGINES: tuple[Engine, ...] = ("auto", "workbench", "eevee", "cycles")

COLLECTION_NAME = "HoloTalk"
HOLOGRAM_NAME = "Hologram"
STRIP_ROLE = "strip"
EEVEE_SAMPLES = 4
CYCLES_SAMPLES = 16


@dataclass(frozen=True)
class HologramScene:
    """A hologram that stands in the open .blend, by the names of its parts."""

    layout: PyramidLayout
    motion: LoopMotion
    sides: Sides
    engine: Engine
    collection: str
    subject: str
    """The subject's first object: the head."""
    turntable: str
    """The empty that carries the subject and the loop's keyframes."""
    cameras: tuple[str, ...]
    """front, right, back, left; the sides ``front`` have one."""
    views: tuple[str, ...]
    """The view scenes, one for each camera."""
    hologram: str
    """The scene whose sequencer holds the four scene strips."""


def new_file() -> None:
    """Start from an empty file: for the command line, never for a user's open file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    tag(bpy.context.scene, EMPTY_ROLE)


def build_hologram(
    subject: Subject,
    layout: PyramidLayout,
    motion: LoopMotion,
    sides: str = "around",
    engine: str = "auto",
    performance: Performance | None = None,
) -> HologramScene:
    """Build the hologram into the open file; all else in it is left alone.

    The subject of a former hologram is replaced, a head with its hair; its scenes, cameras and turntable are
    used again: what a user has added to them stays. A former head or hair that the user renamed or copied is
    the user's: it stays too, hidden, in a collection of the hologram's scene.

    Args:
        subject: What turns.
        layout: Where the panels go.
        motion: The loop.
        sides: ``around``: each panel its own true side; ``front``: the front view on all four.
        engine: ``auto`` (EEVEE, unlit), ``workbench``, ``eevee`` or ``cycles``.
        performance: What it does beside turning; its first moment falls on the loop's first frame.

    Raises:
        OptionError: Unknown sides or engine.
        MissingPartError: This Blender has no such engine.

    """
    _check(sides, engine)
    before = own_blocks()
    try:
        collection = hologram_collection()
        if collection is None:
            collection = tag(bpy.data.collections.new(COLLECTION_NAME), "collection")
        former = [obj for obj in collection.objects if is_subject(obj)]
        obj = subject.make(collection)
        succession = Succession(obj, former, collection)
        succession.take_place()  # before framing, which leaves out what is hidden from renders
        if performance is not None:
            apply_performance(obj, performance, motion.fps)
        hologram = _arrange(obj, collection, layout, motion, sides, engine)
    except BaseException:
        remove_since(before)
        raise
    succession.replace_former(bpy.data.scenes[hologram.hologram])
    remove_empty()
    return replace(hologram, subject=obj.name)


def update_hologram(
    hologram: HologramScene, layout: PyramidLayout, motion: LoopMotion, sides: str, engine: str
) -> HologramScene:
    """Change how a hologram is shown, in place; the subject and all keyframes but a new motion's stay.

    Raises:
        OptionError: Unknown sides or engine.
        MissingPartError: This Blender has no such engine.

    """
    _check(sides, engine)
    collection = bpy.data.collections[hologram.collection]
    return _arrange(bpy.data.objects[hologram.subject], collection, layout, motion, sides, engine)


def find_hologram() -> HologramScene | None:
    """The hologram that stands in the open file, or None. Renamed parts are found too."""
    scene, collection, subject = hologram_scene(), hologram_collection(), hologram_subject()
    if scene is None or collection is None or subject is None or LOOK not in scene:
        return None
    turntable = find_by_role(collection.objects, "turntable")
    if turntable is None:
        return None
    look = json.loads(scene[LOOK])
    layout = pyramid_layout(look["size"], look["gap"], look["screen"], tuple(look["frame"]))
    sides, engine = look["sides"], look["engine"]
    names = [panel.name for panel in (layout.panels if sides == "around" else layout.panels[:1])]
    cameras = [find_by_role(collection.objects, f"camera {name}") for name in names]
    views = [find_by_role(bpy.data.scenes, f"view {name}") for name in names]
    if None in cameras or None in views:
        return None
    return HologramScene(
        layout=layout,
        motion=LoopMotion(look["motion"], look["frames"], look["fps"]),
        sides=sides,
        engine=engine,
        collection=collection.name,
        subject=subject.name,
        turntable=turntable.name,
        cameras=tuple(camera.name for camera in cameras),
        views=tuple(view.name for view in views),
        hologram=scene.name,
    )


def _check(sides: str, engine: str) -> None:
    if sides not in SIDES:
        raise OptionError(f"There are no sides '{sides}': choose around or front.")
    if engine not in ENGINES:
        raise OptionError(f"There is no engine '{engine}': choose auto, workbench, eevee or cycles.")


def _arrange(
    obj: Any, collection: Any, layout: PyramidLayout, motion: LoopMotion, sides: str, engine: str
) -> HologramScene:
    """Set the subject on the turntable, the cameras round it, and their views into the hologram's scene."""
    hologram = hologram_scene()
    before = json.loads(hologram[LOOK]) if hologram is not None and LOOK in hologram else {}
    look = {
        "size": layout.size,
        "gap": layout.gap,
        "screen": layout.screen,
        "frame": list(layout.frame),
        "motion": motion.kind,
        "frames": motion.frames,
        "fps": motion.fps,
        "sides": sides,
        "engine": engine,
    }
    turntable = make_turntable(collection)
    obj.parent = turntable
    if any(before.get(name) != look[name] for name in ("motion", "frames")):
        set_motion(turntable, motion)
    camera_yaws = [panel.camera_yaw for panel in layout.panels] if sides == "around" else [0.0]
    yaws = np.subtract.outer(motion.yaws(), np.array(camera_yaws)).ravel()
    if before.get("fps", motion.fps) != motion.fps:
        change_rate(obj, before["fps"], motion.fps)
    points = read_subject(obj).points(read_performance(obj, motion))
    framing = frame_panel(points, yaws, layout)
    rig = make_empty(RIG_NAME, "rig", collection)
    rig.empty_display_size = 0.02
    world = make_black_world()
    cameras, views = [], []
    for k, panel in enumerate(layout.panels):
        camera_role, view_role = f"camera {panel.name}", f"view {panel.name}"
        if k >= len(camera_yaws):
            _remove_view(collection, camera_role, view_role)
            continue
        name = f"HoloTalk {panel.name.capitalize()}"
        camera = make_camera(name, camera_role, rig, collection)
        aim_camera(camera, framing, panel.camera_yaw)
        size = (layout.panel_width, layout.panel_height)
        scene = _own_scene(name, view_role, size, motion, engine, world, before.get("engine"))
        if collection.name not in scene.collection.children:
            scene.collection.children.link(collection)
        scene.camera = camera
        cameras.append(camera)
        views.append(scene)
    # Its strips are rendered by their own scenes: the engine here is for the viewport alone.
    hologram = _own_scene(
        HOLOGRAM_NAME, HOLOGRAM_ROLE, layout.frame, motion, engine, world, before.get("engine")
    )
    hologram.render.film_transparent = False
    if collection.name not in hologram.collection.children:
        hologram.collection.children.link(collection)  # so that its viewport shows the head
    hologram.camera = cameras[0]
    _lay_out(hologram, views, layout, motion)
    compat.fit_video_rate(hologram)
    hologram[LOOK] = json.dumps(look)
    return HologramScene(
        layout=layout,
        motion=motion,
        sides=cast(Sides, sides),
        engine=cast(Engine, engine),
        collection=collection.name,
        subject=obj.name,
        turntable=turntable.name,
        cameras=tuple(camera.name for camera in cameras),
        views=tuple(view.name for view in views),
        hologram=hologram.name,
    )


def _own_scene(
    name: str,
    role: str,
    resolution: tuple[int, int],
    motion: LoopMotion,
    engine: str,
    world: Any,
    engine_before: str | None,
) -> Any:
    """The scene of this role; one that is there keeps all but size, frames and an engine that changes."""
    scene = find_by_role(bpy.data.scenes, role)
    if scene is None:
        scene = tag(make_scene(name, resolution, motion, engine, world), role)
        scene.render.filepath = "//hologram.mp4"
        if role == HOLOGRAM_ROLE:
            compat.output_mp4(scene)
        return scene
    _set_extent(scene, resolution, motion)
    if engine != engine_before:
        set_engine(scene, engine)
    return scene


def _remove_view(collection: Any, camera_role: str, view_role: str) -> None:
    """Take away a side that is not shown any more."""
    scene = find_by_role(bpy.data.scenes, view_role)
    camera = find_by_role(collection.objects, camera_role)
    if scene is not None and is_own(scene):
        bpy.data.scenes.remove(scene)
    if camera is not None and is_own(camera):
        remove_object(camera)


def _lay_out(hologram: Any, views: list[Any], layout: PyramidLayout, motion: LoopMotion) -> None:
    """Put the views' strips where the panels are, over black; strips of the user's stay."""
    strips = compat.strips(hologram)
    for strip in list(strips):
        if strip.get(TAG) == STRIP_ROLE:
            strips.remove(strip)
    made = [compat.add_ground(hologram, motion.frames)]
    for k in range(4):
        view = views[k % len(views)]
        strip = strips.new_scene(
            name=layout.panels[k].name.capitalize(), scene=view, channel=k + 2, frame_start=FIRST_FRAME
        )
        strip.scene_camera = view.camera
        place_strip(strip, layout, k)
        made.append(strip)
    for strip in made:
        strip[TAG] = STRIP_ROLE


def place_strip(strip: Any, layout: PyramidLayout, panel: int) -> None:
    """Put a strip where a panel belongs, to the pixel.

    The sequencer flips the whole canvas after the transform, not the strip before it: a panel that
    is to be flipped, turned by r and moved to (x, y) takes the flip, the turn -r and the offset
    (x, -y), which the flip then brings to the right place. (A negative scale draws nothing.)
    """
    place = layout.panels[panel]
    strip.blend_type = "ALPHA_OVER"
    strip.use_flip_y = place.mirrored
    strip.transform.filter = "NEAREST"
    strip.transform.offset_x = place.centre[0]
    strip.transform.offset_y = -place.centre[1]
    strip.transform.rotation = np.radians(-place.rotation)


def make_scene(name: str, resolution: tuple[int, int], motion: LoopMotion, engine: str, world: Any) -> Any:
    """A scene with everything about its rendering settled; nothing is left to Blender's defaults."""
    scene = tag(bpy.data.scenes.new(name), "scene")
    scene.world = world
    _set_extent(scene, resolution, motion)
    render = scene.render
    render.film_transparent = True
    render.use_motion_blur = False
    render.dither_intensity = 0.0
    render.use_compositing = False
    render.use_sequencer = True
    render.use_file_extension = True
    render.use_overwrite = True
    for stamp in ("date", "time", "render_time", "frame", "scene", "camera", "filename", "memory"):
        setattr(render, f"use_stamp_{stamp}", False)  # they would change the bytes of a PNG
    # The texture holds the photo's own colours: Standard gives them back as they were.
    scene.display_settings.display_device = "sRGB"
    view = scene.view_settings
    view.view_transform, view.look, view.exposure, view.gamma = "Standard", "None", 0.0, 1.0
    set_engine(scene, engine)
    compat.output_png(scene, alpha=True)
    return scene


def _set_extent(scene: Any, resolution: tuple[int, int], motion: LoopMotion) -> None:
    """Set a scene's size and its frames, so that every pixel and every frame is the loop's own."""
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + motion.frames - 1
    if not scene.frame_start <= scene.frame_current <= scene.frame_end:
        scene.frame_current = FIRST_FRAME
    render = scene.render
    render.resolution_x, render.resolution_y = resolution
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.fps, render.fps_base = motion.fps, 1.0


def make_black_world() -> Any:
    """The world that gives no light (black reflects nothing in the pyramid), made if there is none."""
    world = find_by_role(bpy.data.worlds, "world")
    if world is not None:
        return world
    world = tag(bpy.data.worlds.new("HoloTalk Black"), "world")
    world.color = (0.0, 0.0, 0.0)
    # EEVEE bakes the world into a light probe for every frame. On a processor alone, baking this black
    # one at the default size takes longer than the head itself (1.5 of 2.6 s, measured).
    world.probe_resolution = "128"
    tree = compat.node_tree(world)
    for node in tree.nodes:
        if node.type == "BACKGROUND":
            node.inputs["Strength"].default_value = 0.0
            node.inputs["Color"].default_value = (0.0, 0.0, 0.0, 1.0)
    return world


def set_engine(scene: Any, engine: str) -> None:
    """Choose the engine of a view scene, with settings for an unlit head."""
    render = scene.render
    if engine == "workbench":
        render.engine = "BLENDER_WORKBENCH"
        scene.display.render_aa = "8"
        shading = scene.display.shading
        shading.light, shading.color_type = "FLAT", "TEXTURE"
        shading.show_shadows = shading.show_cavity = shading.show_object_outline = False
        shading.show_specular_highlight = False
        shading.show_backface_culling = True  # no looking into the open bust
        return
    if engine in ("auto", "eevee"):
        render.engine = compat.eevee_name()
        scene.eevee.taa_render_samples = EEVEE_SAMPLES
        scene.eevee.use_shadows = False
        scene.eevee.use_raytracing = False
        scene.eevee.use_fast_gi = False
        return
    try:
        render.engine = "CYCLES"
    except TypeError as error:
        raise MissingPartError("This Blender has no Cycles: choose the engine auto.") from error
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = CYCLES_SAMPLES
    cycles.use_denoising = False  # nothing is lit, so nothing is noisy
    cycles.use_adaptive_sampling = False
    cycles.seed = 0
    # Emission alone: light goes from the head to the camera, through a few lashes.
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = 16
