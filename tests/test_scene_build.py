# SPDX-License-Identifier: GPL-3.0-or-later
"""The hologram as Blender data: an ordinary head object, four cameras, scenes with strips; and nothing
else in the file is disturbed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from stand_in_head import ARKIT_NAMES, EYE, HAIR_GAP, stand_in_hair, stand_in_head, stand_in_with_hair

from holotalk_addon.errors import OptionError
from holotalk_addon.head.head import PARTS
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.scene import compat
from holotalk_addon.scene.axes import from_blender, to_blender
from holotalk_addon.scene.hair_object import find_hair
from holotalk_addon.scene.head_object import read_head
from holotalk_addon.scene.hologram_scene import build_hologram, find_hologram, new_file, update_hologram
from holotalk_addon.scene.own import role_of


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


def _build(kind="turntable", sides="around", engine="auto", screen="up", head=None):
    layout = pyramid_layout(320, screen=screen)
    return build_hologram(head or stand_in_head(), layout, loop_motion(kind, 1, 12), sides, engine)


def _kinds():
    """How many data-blocks of each kind the file holds."""
    kinds = (
        "scenes", "objects", "meshes", "materials", "images", "cameras", "worlds", "actions",
        "collections", "shape_keys", "node_groups",
    )  # fmt: skip
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


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

    first = _build()
    counts = _kinds()
    assert first.head == "HoloTalk Head.001"
    second = _build()
    assert _kinds() == counts
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


# --- hair ---------------------------------------------------------------------------------------------


def _world(obj, hologram, frame):
    scene = bpy.data.scenes[hologram.views[0]]
    scene.frame_set(frame)
    layer = scene.view_layers[0]
    layer.update()
    return np.array(obj.evaluated_get(layer.depsgraph).matrix_world)


def test_hair_is_an_object_of_its_own_on_the_head():
    head = stand_in_with_hair()
    hologram = _build(head=head)
    obj = bpy.data.objects["HoloTalk Hair"]
    assert role_of(obj) == "hair"
    assert obj.parent.name == hologram.head == "HoloTalk Head"
    assert [c.name for c in obj.users_collection] == ["HoloTalk"]
    assert [m.name for m in obj.data.materials] == ["HoloTalk Hair", "HoloTalk Hair Edge"]
    opaque, edge = obj.data.materials
    assert (opaque.surface_render_method, edge.surface_render_method) == ("DITHERED", "BLENDED")
    assert (opaque.use_backface_culling, edge.use_backface_culling) == (False, True)
    assert {m.node_tree.nodes["Texture"].image.name for m in (opaque, edge)} == {"HoloTalk Hair Texture"}
    assert bpy.data.images["HoloTalk Hair Texture"].packed_file is not None
    assert [p.material_index for p in obj.data.polygons] == head.hair.soft.tolist()
    assert all(p.use_smooth for p in obj.data.polygons)
    assert obj.data.shape_keys is None
    assert [m.type for m in obj.modifiers] == ["MASK"]  # its lowest row is dark
    assert not obj.data.validate(verbose=True)
    fade = [value.value for value in obj.data.attributes["holotalk_fade"].data]
    np.testing.assert_allclose(fade, head.hair.fade, atol=1e-6)
    # The head itself is what it is without hair.
    assert len(bpy.data.objects[hologram.head].data.vertices) == len(head.vertices)


def test_hair_turns_with_the_head():
    hologram = _build(head=stand_in_with_hair())
    hair, head = bpy.data.objects["HoloTalk Hair"], bpy.data.objects[hologram.head]
    start = _world(hair, hologram, 1)
    quarter = _world(hair, hologram, 4)
    np.testing.assert_allclose(quarter, _world(head, hologram, 4), atol=1e-6)
    # A quarter turn: what pointed forward points to the person's former left.
    np.testing.assert_allclose(quarter[:3, :3] @ (0, -1, 0), start[:3, :3] @ (1, 0, 0), atol=1e-5)


def test_hair_is_read_back_as_it_was_made_and_as_the_user_changed_it():
    made = stand_in_with_hair()
    head = bpy.data.objects[_build(head=made).head]
    read = read_head(head).hair
    for name in ("polygons", "soft", "texture"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made.hair, name))
        assert getattr(read, name).dtype == getattr(made.hair, name).dtype
    for name in ("vertices", "polygon_uvs", "fade"):
        np.testing.assert_allclose(getattr(read, name), getattr(made.hair, name), atol=1e-6)
    assert read_head(head, with_texture=False).hair.texture.shape == (1, 1, 4)

    obj = find_hair(head)
    obj.location.z += 0.01  # up
    obj.data.vertices[0].co.x += 0.02
    moved = read_head(head).hair.vertices - made.hair.vertices
    np.testing.assert_allclose(moved[1:], np.tile((0.0, 0.01, 0.0), (len(moved) - 1, 1)), atol=1e-6)
    np.testing.assert_allclose(moved[0], (0.02, 0.01, 0.0), atol=1e-6)

    # A copy of the user's serves where ours is hidden.
    copy = obj.copy()
    copy.data = obj.data.copy()
    copy.name = "Wig"
    head.users_collection[0].objects.link(copy)
    copy.location.z += 0.05
    assert find_hair(head) == obj
    obj.hide_render = True
    assert find_hair(head) == copy
    assert read_head(head).hair.vertices[1, 1] == pytest.approx(made.hair.vertices[1, 1] + 0.06, abs=1e-6)
    copy.hide_render = True
    assert read_head(head).hair is None
    bpy.data.objects.remove(copy)
    bpy.data.objects.remove(obj)
    assert read_head(head).hair is None


def test_hair_that_lost_its_texture_says_so_when_it_is_needed():
    hologram = _build(head=stand_in_with_hair())
    head = bpy.data.objects[hologram.head]
    for material in find_hair(head).data.materials:
        material.node_tree.nodes["Texture"].image = None
    update_hologram(hologram, pyramid_layout(200), hologram.motion, "around", "auto")
    with pytest.raises(OptionError, match="hide it from renders"):
        read_head(head)
    find_hair(head).hide_render = True
    assert read_head(head).hair is None


def test_cameras_step_back_for_hair_and_come_near_again_without():
    bald = _build()
    lens = bpy.data.objects[bald.cameras[0]].data.lens
    hologram = _build(head=stand_in_with_hair(0.06))
    with_hair = bpy.data.objects[hologram.cameras[0]].data.lens
    assert with_hair < 0.9 * lens
    find_hair(bpy.data.objects[hologram.head]).hide_render = True
    hologram = update_hologram(
        find_hologram(), hologram.layout, hologram.motion, hologram.sides, hologram.engine
    )
    assert bpy.data.objects[hologram.cameras[0]].data.lens == pytest.approx(lens, rel=1e-6)


def test_building_again_replaces_hair_and_leaves_none_on_a_head_without():
    _build()
    bald = _kinds()
    first = _build(head=stand_in_with_hair())
    counts, names = _kinds(), set(bpy.data.objects.keys())
    hat = bpy.data.objects.new("My hat", None)
    bpy.data.collections["HoloTalk"].objects.link(hat)
    hat.parent = bpy.data.objects["HoloTalk Hair"]
    uid = hat.parent.session_uid
    second = _build(head=stand_in_with_hair())
    assert second == first == find_hologram()
    hair = bpy.data.objects["HoloTalk Hair"]
    assert hair.session_uid != uid
    assert hat.parent == hair
    assert hair.parent.name == second.head
    without = _build()
    assert hat.parent.name == without.head
    bpy.data.objects.remove(hat)
    assert _kinds() == bald
    assert not any(
        "Hair" in block.name for block in (*bpy.data.objects, *bpy.data.materials, *bpy.data.images)
    )
    assert read_head(bpy.data.objects[without.head]).hair is None
    _build(head=stand_in_with_hair())
    assert _kinds() == counts
    assert set(bpy.data.objects.keys()) == names


def test_hair_that_the_user_renamed_is_the_users():
    hologram = _build(head=stand_in_with_hair())
    bpy.data.objects["HoloTalk Hair"].name = "Wig"
    assert find_hair(bpy.data.objects[hologram.head]).name == "Wig"
    again = _build()
    wig = bpy.data.objects["Wig"]
    assert [c.name for c in wig.users_collection] == ["Kept heads"]
    assert wig.users_collection[0].hide_render
    assert len(wig.data.polygons) == len(stand_in_hair(stand_in_head()).polygons)
    assert wig.data.materials[1].node_tree.nodes["Texture"].image is not None
    assert read_head(bpy.data.objects[again.head]).hair is None


def test_a_head_that_the_user_renamed_keeps_its_hair():
    hologram = _build(head=stand_in_with_hair())
    anna, hair = bpy.data.objects[hologram.head], bpy.data.objects["HoloTalk Hair"]
    anna.name = "Anna"
    again = _build(head=stand_in_with_hair())
    assert again.head == "HoloTalk Head"
    assert (hair.name, hair.parent) == ("Anna Hair", anna)
    assert hair.users_collection == anna.users_collection
    assert hair.users_collection[0].hide_render
    new = find_hair(bpy.data.objects[again.head])
    assert new.name == "HoloTalk Hair"
    assert new != hair
    assert float(np.ptp(read_head(bpy.data.objects[again.head]).hair.vertices[:, 1])) > HAIR_GAP
