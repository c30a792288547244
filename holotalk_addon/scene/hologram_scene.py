# SPDX-License-Identifier: GPL-3.0-or-later
"""The hologram as Blender scenes: one for each view, and one whose sequencer lays them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import bpy
import numpy as np

from ..errors import MissingPartError, OptionError
from ..head.head import Head
from ..hologram.framing import frame_panel, lit_points
from ..hologram.layout import PyramidLayout
from ..hologram.motion import FIRST_FRAME, LoopMotion
from . import compat
from .head_object import make_head_object
from .own import EMPTY_ROLE, remove_empty, remove_own, tag
from .rig import make_rig, make_turntable

Sides = Literal["around", "front"]
SIDES: tuple[Sides, ...] = ("around", "front")
Engine = Literal["auto", "workbench", "eevee", "cycles"]
ENGINES: tuple[Engine, ...] = ("auto", "workbench", "eevee", "cycles")

COLLECTION_NAME = "HoloTalk"
HOLOGRAM_NAME = "Hologram"
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
    head: str
    """The head object."""
    turntable: str
    """The empty that carries the head and the loop's keyframes."""
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
    head: Head,
    layout: PyramidLayout,
    motion: LoopMotion,
    sides: str = "around",
    engine: str = "auto",
) -> HologramScene:
    """Build the hologram into the open file; a former one is replaced, all else is left alone.

    Args:
        head: The person.
        layout: Where the panels go.
        motion: The loop.
        sides: ``around``: each panel its own true side; ``front``: the front view on all four.
        engine: ``auto`` (EEVEE, unlit), ``workbench``, ``eevee`` or ``cycles``.

    Raises:
        OptionError: Unknown sides or engine.
        MissingPartError: This Blender has no such engine.

    """
    if sides not in SIDES:
        raise OptionError(f"There are no sides '{sides}': choose around or front.")
    if engine not in ENGINES:
        raise OptionError(f"There is no engine '{engine}': choose auto, workbench, eevee or cycles.")
    remove_own()
    collection = tag(bpy.data.collections.new(COLLECTION_NAME), "collection")
    head_object = make_head_object(head, collection)
    turntable = make_turntable(head_object, motion, collection)
    camera_yaws = [panel.camera_yaw for panel in layout.panels] if sides == "around" else [0.0]
    yaws = np.subtract.outer(motion.yaws(), np.array(camera_yaws)).ravel()
    framing = frame_panel(lit_points(head), yaws, layout)
    cameras = make_rig(layout, framing, sides, collection)
    world = make_black_world()
    views = []
    for camera in cameras:
        scene = make_scene(camera.name, (layout.panel_width, layout.panel_height), motion, engine, world)
        scene.collection.children.link(collection)
        scene.camera = camera
        views.append(scene)
    hologram = make_scene(HOLOGRAM_NAME, layout.frame, motion, "workbench", world)
    hologram.collection.children.link(collection)  # so that its viewport shows the head
    hologram.camera = cameras[0]
    hologram.render.film_transparent = False
    compat.add_ground(hologram, motion.frames)
    strips = compat.strips(hologram)
    for k in range(4):
        view = views[k % len(views)]
        strip = strips.new_scene(
            name=layout.panels[k].name.capitalize(), scene=view, channel=k + 2, frame_start=FIRST_FRAME
        )
        strip.scene_camera = view.camera
        place_strip(strip, layout, k)
    compat.output_mp4(hologram)
    hologram.render.filepath = "//hologram.mp4"
    remove_empty()
    return HologramScene(
        layout=layout,
        motion=motion,
        sides=sides,
        engine=engine,
        collection=collection.name,
        head=head_object.name,
        turntable=turntable.name,
        cameras=tuple(camera.name for camera in cameras),
        views=tuple(view.name for view in views),
        hologram=hologram.name,
    )


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
    scene.frame_start, scene.frame_end = FIRST_FRAME, FIRST_FRAME + motion.frames - 1
    scene.frame_current = FIRST_FRAME
    render = scene.render
    render.resolution_x, render.resolution_y = resolution
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.fps, render.fps_base = motion.fps, 1.0
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


def make_black_world() -> Any:
    """A world that gives no light: black reflects nothing in the pyramid."""
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
        raise MissingPartError("This Blender has no Cycles: choose --engine auto.") from error
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = CYCLES_SAMPLES
    cycles.use_denoising = False  # nothing is lit, so nothing is noisy
    cycles.use_adaptive_sampling = False
    cycles.seed = 0
    # Emission alone: light goes from the head to the camera, through a few lashes.
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = 16
