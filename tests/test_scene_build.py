# SPDX-License-Identifier: GPL-3.0-or-later
"""The hologram as Blender data: an ordinary head object, four cameras, scenes with strips; and nothing
else in the file is disturbed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from stand_in_head import ARKIT_NAMES, EYE, stand_in_head

from holotalk_addon.errors import OptionError
from holotalk_addon.head.head import PARTS
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.scene import compat
from holotalk_addon.scene.axes import from_blender, to_blender
from holotalk_addon.scene.hologram_scene import build_hologram, new_file


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


def _build(kind="turntable", sides="around", engine="auto", screen="up"):
    layout = pyramid_layout(320, screen=screen)
    return build_hologram(stand_in_head(), layout, loop_motion(kind, 1, 12), sides, engine)


def _mesh_points(obj, depsgraph):
    mesh = obj.evaluated_get(depsgraph).to_mesh()
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    return from_blender(points.reshape(-1, 3))


def _only_shape_keys(hologram):
    """The head without its modifiers, and a function that gives its points in head axes."""
    obj = bpy.data.objects[hologram.head]
    for modifier in obj.modifiers:
        modifier.show_viewport = False
    layer = bpy.data.scenes[hologram.views[0]].view_layers[0]

    def points():
        obj.data.update_tag()
        obj.update_tag()
        layer.update()
        return _mesh_points(obj, layer.depsgraph)

    return obj, points


def test_axes_are_a_rotation_and_its_inverse():
    assert to_blender(np.array([1.0, 2.0, 3.0])).tolist() == [1.0, -3.0, 2.0]
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(from_blender(to_blender(points)), points)
    assert np.linalg.det(to_blender(np.eye(3))) == pytest.approx(1.0)


def test_head_is_one_clean_object():
    head = stand_in_head()
    hologram = _build()
    collection = bpy.data.collections["HoloTalk"]
    meshes = [obj for obj in collection.all_objects if obj.type == "MESH"]
    assert [obj.name for obj in meshes] == ["HoloTalk Head"] == [hologram.head]
    obj = meshes[0]
    assert [m.name for m in obj.data.materials] == [f"HoloTalk {part.capitalize()}" for part in PARTS]
    assert len(obj.data.vertices) == len(head.vertices)
    assert [len(p.vertices) for p in obj.data.polygons] == (head.polygons >= 0).sum(1).tolist()
    assert [p.material_index for p in obj.data.polygons] == head.polygon_parts.tolist()
    assert all(p.use_smooth for p in obj.data.polygons)
    assert not obj.data.validate(verbose=True)  # nothing had to be mended
    uvs = np.array([loop.vector for loop in obj.data.uv_layers["UVMap"].uv])
    np.testing.assert_allclose(uvs, head.polygon_uvs[head.polygons >= 0], atol=1e-6)
    fade = [value.value for value in obj.data.attributes["holotalk_fade"].data]
    np.testing.assert_allclose(fade, head.fade, atol=1e-6)
    subdivision = obj.modifiers["Subdivision"]
    assert (subdivision.levels, subdivision.render_levels, subdivision.uv_smooth) == (1, 1, "NONE")
    (image,) = (i for i in bpy.data.images if i.name.startswith("HoloTalk"))
    assert image.packed_file is not None
    pixels = np.array(image.pixels[:]).reshape(*head.texture.shape)[::-1]
    np.testing.assert_allclose(pixels * 255.0, head.texture, atol=0.01)


def test_shape_keys_carry_the_52_expressions_and_the_photo():
    head = stand_in_head()
    obj, points = _only_shape_keys(_build())
    keys = obj.data.shape_keys.key_blocks
    assert [key.name for key in keys] == ["Basis", *ARKIT_NAMES]
    assert all((key.slider_min, key.slider_max) == (0.0, 1.0) for key in keys[1:])
    np.testing.assert_allclose([key.value for key in keys[1:]], head.expression, atol=1e-6)
    np.testing.assert_allclose(points(), head.posed_vertices(), atol=1e-6)
    for key in keys[1:]:
        key.value = 0.0
    neutral = points()
    np.testing.assert_allclose(neutral, head.vertices, atol=1e-6)

    keys["jawOpen"].value = 1.0
    chin = np.argmin(np.linalg.norm(neutral - (0.0, -0.1, 0.06), axis=1))
    assert points()[chin, 1] < neutral[chin, 1] - 0.01
    keys["jawOpen"].value = 0.0
    # The left pupil turns to the person's left, +x; the right eye stays.
    keys["eyeLookOutLeft"].value = 1.0
    moved = points() - neutral
    pupils = [
        np.argmin(np.linalg.norm(neutral - np.add(EYE, (0, 0, 0.014)) * (s, 1, 1), axis=1)) for s in (1, -1)
    ]
    assert moved[pupils[0], 0] > 0.003
    assert np.abs(moved[pupils[1]]).max() == 0


def test_cameras_stand_square_round_the_head_on_one_rig():
    hologram = _build()
    cameras = [bpy.data.objects[name] for name in hologram.cameras]
    assert {camera.parent.name for camera in cameras} == {"HoloTalk Cameras"}
    layer = bpy.data.scenes[hologram.views[0]].view_layers[0]
    layer.update()
    for camera, place in zip(cameras, [(0, 0, 1), (1, 0, 0), (0, 0, -1), (-1, 0, 0)], strict=True):
        matrix = np.array(camera.matrix_world)
        position = from_blender(matrix[:3, 3])
        np.testing.assert_allclose(position / np.linalg.norm(position), place, atol=1e-6)
        np.testing.assert_allclose(from_blender(matrix[:3, 2]), place, atol=1e-6)  # looks at the axis
        np.testing.assert_allclose(from_blender(matrix[:3, 1]), (0, 1, 0), atol=1e-6)  # upright


@pytest.mark.parametrize("kind", ["turntable", "sway", "still"])
def test_loop_is_keyframes_that_say_what_the_motion_says(kind):
    hologram = _build(kind)
    turntable = bpy.data.objects[hologram.turntable]
    assert bpy.data.objects[hologram.head].parent == turntable
    curve = compat.fcurve(turntable, "rotation_euler", 2)
    for frame in range(1, hologram.motion.frames + 1):
        assert np.degrees(curve.evaluate(frame)) == pytest.approx(hologram.motion.yaw_at(frame), abs=1e-3)
    scene = bpy.data.scenes[hologram.views[0]]
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 12, 12)
    # Positive yaw turns the nose toward +x: the action really drives the object.
    if kind == "turntable":
        scene.frame_set(4)  # a quarter of the way
        layer = scene.view_layers[0]
        layer.update()
        nose = np.array(turntable.evaluated_get(layer.depsgraph).matrix_world)[:3, :3] @ to_blender(
            np.array([0.0, 0.0, 1.0])
        )
        np.testing.assert_allclose(from_blender(nose), (1, 0, 0), atol=1e-5)


@pytest.mark.parametrize(("sides", "views"), [("around", 4), ("front", 1)])
def test_hologram_scene_holds_four_scene_strips(sides, views):
    hologram = _build(sides=sides)
    scene = bpy.data.scenes[hologram.hologram]
    strips = sorted((s for s in compat.strips(scene) if s.type == "SCENE"), key=lambda s: s.channel)
    assert [strip.name for strip in strips] == ["Front", "Right", "Back", "Left"]
    assert len({strip.scene.name for strip in strips}) == views == len(hologram.views)
    assert all(
        s.use_flip_y and s.transform.filter == "NEAREST" and s.blend_type == "ALPHA_OVER" for s in strips
    )
    editor = scene.sequence_editor
    assert not editor.use_cache_raw
    assert not editor.use_cache_final
    assert scene.render.use_sequencer
    assert scene.view_settings.view_transform == "Standard"
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 12, 12)
    for name in hologram.views:
        view = bpy.data.scenes[name]
        assert view.render.film_transparent
        assert (view.render.resolution_x, view.render.resolution_y) == (
            hologram.layout.panel_width,
            hologram.layout.panel_height,
        )


def test_building_again_replaces_its_own_and_nothing_else():
    own = bpy.data.scenes.new("Mine")
    cube = bpy.data.objects.new("HoloTalk Head", bpy.data.meshes.new("Cube"))
    own.collection.objects.link(cube)
    material = bpy.data.materials.new("HoloTalk Skin")
    cube.data.materials.append(material)
    own.render.resolution_x = 777
    bpy.data.worlds.new("HoloTalk Black").use_fake_user = True

    def kinds():
        data = bpy.data
        return {
            kind: len(getattr(data, kind))
            for kind in (
                "scenes", "objects", "meshes", "materials", "images", "cameras", "worlds", "actions",
                "collections", "shape_keys", "node_groups",
            )
        }  # fmt: skip

    first = _build()
    counts = kinds()
    assert first.head == "HoloTalk Head.001"
    second = _build()
    assert kinds() == counts
    assert second == first
    assert cube.name == "HoloTalk Head"
    assert cube.data.materials[0] == material
    assert (own.name, own.render.resolution_x, list(own.objects)) == ("Mine", 777, [cube])
    assert bpy.data.objects[second.head].type == "MESH"
    assert bpy.data.objects[second.head] != cube


@pytest.mark.parametrize("bad", [{"sides": "top"}, {"engine": "povray"}])
def test_unknown_sides_and_engines_are_refused(bad):
    with pytest.raises(OptionError, match="choose"):
        _build(**bad)


def test_building_again_and_again_leaves_one_head_on_the_turntable():
    for _ in range(3):
        hologram = _build()
        head = bpy.data.objects[hologram.head]
        assert head.parent.name == hologram.turntable
        objects = [obj.name for obj in bpy.data.collections[hologram.collection].objects]
        assert sorted(objects) == sorted(set(objects))
        assert [name for name in objects if "Head" in name] == [head.name]
