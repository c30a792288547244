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
from holotalk_addon.scene.head_object import read_head, use_plain_names
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, find_hologram, new_file, update_hologram
from holotalk_addon.scene.own import role_of, tag
from holotalk_addon.scene.render_plan import fast_way_holds


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


def _build(kind="turntable", sides="around", engine="auto", screen="up", head=None):
    layout = pyramid_layout(320, screen=screen)
    return build_hologram(
        HeadSubject(head or stand_in_head()), layout, loop_motion(kind, 1, 12), sides, engine
    )


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
    obj = bpy.data.objects[hologram.subject]
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
    assert [obj.name for obj in meshes] == ["HoloTalk Head"] == [hologram.subject]
    obj = meshes[0]
    assert [m.name for m in obj.data.materials] == [f"HoloTalk {part.capitalize()}" for part in PARTS]
    assert len(obj.data.vertices) == len(head.vertices)
    assert [len(p.vertices) for p in obj.data.polygons] == (head.polygons >= 0).sum(1).tolist()
    assert [p.material_index for p in obj.data.polygons] == head.polygon_parts.tolist()
    assert all(p.use_smooth for p in obj.data.polygons)
    assert not obj.data.validate(verbose=True)  # nothing had to be mended
    uvs = np.array([loop.vector for loop in obj.data.uv_layers["UVMap"].uv])
    np.testing.assert_allclose(uvs, head.uvs[head.polygons >= 0], atol=1e-6)
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
    assert bpy.data.objects[hologram.subject].parent == turntable
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
    assert first.subject == "HoloTalk Head.001"
    second = _build()
    assert _kinds() == counts
    assert second == first
    assert cube.name == "HoloTalk Head"
    assert cube.data.materials[0] == material
    assert (own.name, own.render.resolution_x, list(own.objects)) == ("Mine", 777, [cube])
    assert bpy.data.objects[second.subject].type == "MESH"
    assert bpy.data.objects[second.subject] != cube


@pytest.mark.parametrize("bad", [{"sides": "top"}, {"engine": "povray"}])
def test_unknown_sides_and_engines_are_refused(bad):
    with pytest.raises(OptionError, match="choose"):
        _build(**bad)


def test_building_again_and_again_leaves_one_head_on_the_turntable():
    for _ in range(3):
        hologram = _build()
        head = bpy.data.objects[hologram.subject]
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
    assert obj.parent.name == hologram.subject == "HoloTalk Head"
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
    assert len(bpy.data.objects[hologram.subject].data.vertices) == len(head.vertices)


def test_hair_turns_with_the_head():
    hologram = _build(head=stand_in_with_hair())
    hair, head = bpy.data.objects["HoloTalk Hair"], bpy.data.objects[hologram.subject]
    start = _world(hair, hologram, 1)
    quarter = _world(hair, hologram, 4)
    np.testing.assert_allclose(quarter, _world(head, hologram, 4), atol=1e-6)
    # A quarter turn: what pointed forward points to the person's former left.
    np.testing.assert_allclose(quarter[:3, :3] @ (0, -1, 0), start[:3, :3] @ (1, 0, 0), atol=1e-5)


def test_hair_is_read_back_as_it_was_made_and_as_the_user_changed_it():
    made = stand_in_with_hair()
    head = bpy.data.objects[_build(head=made).subject]
    read = read_head(head).hair
    for name in ("polygons", "soft", "texture"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made.hair, name))
        assert getattr(read, name).dtype == getattr(made.hair, name).dtype
    for name in ("vertices", "uvs", "fade"):
        np.testing.assert_allclose(getattr(read, name), getattr(made.hair, name), atol=1e-6)
    assert read_head(head, shape_only=True).hair.texture.shape == (1, 1, 4)

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
    head = bpy.data.objects[hologram.subject]
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
    find_hair(bpy.data.objects[hologram.subject]).hide_render = True
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
    assert hair.parent.name == second.subject
    without = _build()
    assert hat.parent.name == without.subject
    bpy.data.objects.remove(hat)
    assert _kinds() == bald
    assert not any(
        "Hair" in block.name for block in (*bpy.data.objects, *bpy.data.materials, *bpy.data.images)
    )
    assert read_head(bpy.data.objects[without.subject]).hair is None
    _build(head=stand_in_with_hair())
    assert _kinds() == counts
    assert set(bpy.data.objects.keys()) == names


def test_hair_that_the_user_renamed_is_the_users():
    hologram = _build(head=stand_in_with_hair())
    bpy.data.objects["HoloTalk Hair"].name = "Wig"
    assert find_hair(bpy.data.objects[hologram.subject]).name == "Wig"
    again = _build()
    wig = bpy.data.objects["Wig"]
    assert [c.name for c in wig.users_collection] == ["Kept heads"]
    assert wig.users_collection[0].hide_render
    assert len(wig.data.polygons) == len(stand_in_hair(stand_in_head()).polygons)
    assert find_hair(bpy.data.objects[again.subject]) is None
    assert wig.data.materials[1].node_tree.nodes["Texture"].image is not None
    assert read_head(bpy.data.objects[again.subject]).hair is None


def test_a_head_that_the_user_renamed_keeps_its_hair():
    hologram = _build(head=stand_in_with_hair())
    anna, hair = bpy.data.objects[hologram.subject], bpy.data.objects["HoloTalk Hair"]
    anna.name = "Anna"
    again = _build(head=stand_in_with_hair())
    assert again.subject == "HoloTalk Head"
    assert (hair.name, hair.parent) == ("Anna Hair", anna)
    assert hair.users_collection == anna.users_collection
    assert hair.users_collection[0].hide_render
    new = find_hair(bpy.data.objects[again.subject])
    assert new.name == "HoloTalk Hair"
    assert new != hair
    assert float(np.ptp(read_head(bpy.data.objects[again.subject]).hair.vertices[:, 1])) > HAIR_GAP


def _hair_objects():
    return [obj for obj in bpy.data.objects if role_of(obj) == "hair"]


def _move(obj, collection):
    for former in obj.users_collection:
        former.objects.unlink(obj)
    collection.objects.link(obj)


def _lens():
    return bpy.data.objects[find_hologram().cameras[0]].data.lens


def _update(kind="sway"):
    """Another motion, and back: the cameras are framed anew."""
    for motion in (loop_motion(kind, 1, 12), loop_motion("turntable", 1, 12)):
        hologram = find_hologram()
        update_hologram(hologram, hologram.layout, motion, hologram.sides, hologram.engine)


@pytest.mark.parametrize("above", ["HoloTalk", "Mine"])
def test_hair_that_the_user_moved_to_another_collection_is_still_the_heads(above):
    if above == "Mine":
        bpy.context.scene.collection.children.link(bpy.data.collections.new(above))
        bpy.data.objects.new("Cube", None)  # without it the empty scene goes
        bpy.data.collections["Mine"].objects.link(bpy.data.objects["Cube"])
    _build()
    bald = _kinds()
    hologram = _build(head=stand_in_with_hair(0.06))
    lens, head = _lens(), bpy.data.objects[hologram.subject]
    locks = bpy.data.collections.new("Locks")
    bpy.data.collections[above].children.link(locks)
    _move(bpy.data.objects["HoloTalk Hair"], locks)
    counts = _kinds()

    assert find_hair(head).name == "HoloTalk Hair"
    assert read_head(head).hair is not None
    _update()
    assert _lens() == pytest.approx(lens, rel=1e-6)
    assert fast_way_holds(find_hologram())
    mesh, lit = find_hair(head).data, bpy.data.materials.new("Lit")
    unlit, mesh.materials[0] = mesh.materials[0], lit
    assert not fast_way_holds(find_hologram())
    mesh.materials[0] = unlit
    bpy.data.materials.remove(lit)

    again = _build(head=stand_in_with_hair(0.06))
    (hair,) = _hair_objects()
    assert (hair.name, hair.parent.name) == ("HoloTalk Hair", again.subject)
    assert hair.users_collection == (locks,)
    assert _kinds() == counts
    without = _build()
    assert not _hair_objects()
    assert not locks.objects
    assert [c.name for c in bpy.data.objects[without.subject].users_collection] == ["HoloTalk"]
    bpy.data.collections.remove(locks)
    assert _kinds() == bald


def test_the_users_hair_in_another_collection_leaves_the_picture_with_its_head():
    hologram = _build(head=stand_in_with_hair())
    locks = bpy.data.collections.new("Locks")
    bpy.data.collections["HoloTalk"].children.link(locks)
    hair, anna = bpy.data.objects["HoloTalk Hair"], bpy.data.objects[hologram.subject]
    _move(hair, locks)
    wig = hair.copy()
    wig.name = "Wig"
    locks.objects.link(wig)
    anna.name = "Anna"
    for _ in range(2):  # what is kept stays as it is when the next head is built
        again = _build(head=stand_in_with_hair())
        assert (hair.name, hair.parent, wig.name, wig.parent) == ("Anna Hair", anna, "Wig", anna)
        for obj in (anna, hair, wig):
            assert [c.name for c in obj.users_collection] == ["Kept heads"]
        assert find_hair(bpy.data.objects[again.subject]).name == "HoloTalk Hair"
        assert len(_hair_objects()) == 3


def test_hair_that_hangs_on_something_on_the_head_is_the_heads():
    head = bpy.data.objects[_build(head=stand_in_with_hair()).subject]
    hair = find_hair(head)
    before = read_head(head).hair.vertices
    handle = bpy.data.objects.new("My handle", None)
    bpy.data.collections["HoloTalk"].objects.link(handle)
    handle.parent, hair.parent = head, handle
    handle.location.z, hair.location.x = 0.01, 0.02
    assert find_hair(head) == hair
    moved = read_head(head).hair.vertices - before
    np.testing.assert_allclose(moved, np.tile((0.02, 0.01, 0.0), (len(moved), 1)), atol=1e-6)
    _build(head=stand_in_with_hair())
    assert len(_hair_objects()) == 1


def test_hair_that_is_in_no_collection_any_more_is_gone():
    head = bpy.data.objects[_build(head=stand_in_with_hair()).subject]
    bpy.data.collections["HoloTalk"].objects.unlink(find_hair(head))
    assert find_hair(head) is None
    _build(head=stand_in_with_hair())
    (hair,) = _hair_objects()
    assert [c.name for c in hair.users_collection] == ["HoloTalk"]


@pytest.mark.parametrize("hidden", [("hide_render",), ("hide_viewport",), ("hide_render", "hide_viewport")])
def test_hair_that_the_user_hid_stays_hidden_on_the_next_head(hidden):
    _build()
    bald = _lens()
    _build(head=stand_in_with_hair(0.06))
    lens, hair = _lens(), bpy.data.objects["HoloTalk Hair"]
    hat = bpy.data.objects.new("My hat", None)
    bpy.data.collections["HoloTalk"].objects.link(hat)
    hat.parent = hair
    for name in hidden:
        setattr(hair, name, True)
    counts = _kinds()
    again = _build(head=stand_in_with_hair(0.06))
    (hair,) = _hair_objects()
    assert {name for name in ("hide_render", "hide_viewport") if getattr(hair, name)} == set(hidden)
    assert hair.name == hair.data.name == hair.data.materials[0].name == "HoloTalk Hair"
    assert hat.parent == hair
    assert _kinds() == counts
    in_picture = "hide_render" not in hidden
    assert (read_head(bpy.data.objects[again.subject]).hair is not None) == in_picture
    assert _lens() == pytest.approx(lens if in_picture else bald, rel=1e-6)


def test_hair_in_a_collection_that_the_user_hid_is_out_of_the_picture():
    _build()
    bald = _lens()
    hologram = _build(head=stand_in_with_hair(0.06))
    head, hair, lens = bpy.data.objects[hologram.subject], bpy.data.objects["HoloTalk Hair"], _lens()
    locks = bpy.data.collections.new("Locks")
    bpy.data.collections["HoloTalk"].children.link(locks)
    _move(hair, locks)
    locks.hide_render = True
    assert find_hair(head) is None
    assert read_head(head).hair is None
    _update()
    assert _lens() == pytest.approx(bald, rel=1e-6)
    head = bpy.data.objects[_build(head=stand_in_with_hair(0.06)).subject]
    assert find_hair(head) is None
    assert _lens() == pytest.approx(bald, rel=1e-6)
    locks.hide_render = False
    assert find_hair(head).users_collection == (locks,)
    _update()
    assert _lens() == pytest.approx(lens, rel=1e-6)
    # Together with the head's own collection it is no choice about hair.
    _move(find_hair(head), bpy.data.collections["HoloTalk"])
    bpy.data.collections["HoloTalk"].hide_render = True
    assert find_hair(head) is not None


def test_hair_that_the_user_hid_in_one_view_stays_hidden_there():
    hologram = _build(head=stand_in_with_hair())
    layers = [bpy.data.scenes[name].view_layers[0] for name in (hologram.hologram, *hologram.views)]
    bpy.data.objects["HoloTalk Hair"].hide_set(True, view_layer=layers[0])
    _build(head=stand_in_with_hair())
    hair = bpy.data.objects["HoloTalk Hair"]
    assert [hair.hide_get(view_layer=layer) for layer in layers] == [True, False, False, False, False]


def test_hair_hidden_on_a_head_that_the_user_renamed_is_shown_on_the_next_one():
    hologram = _build(head=stand_in_with_hair())
    bpy.data.objects["HoloTalk Hair"].hide_render = True
    bpy.data.objects[hologram.subject].name = "Anna"
    again = _build(head=stand_in_with_hair())
    assert find_hair(bpy.data.objects[again.subject]).name == "HoloTalk Hair"
    assert bpy.data.objects["Anna Hair"].hide_render


@pytest.mark.parametrize("which", ["HoloTalk Hair", "HoloTalk Head"])
def test_faces_of_many_corners_are_framed_and_refused_where_quads_are_needed(which):
    import bmesh  # there is none before bpy

    hologram = _build(head=stand_in_with_hair(0.06))
    lens, mesh = _lens(), bpy.data.objects[which].data
    fine = bmesh.new()
    fine.from_mesh(mesh)
    inner = [edge for edge in fine.edges if [len(face.verts) for face in edge.link_faces] == [4, 4]]
    bmesh.ops.dissolve_edges(fine, edges=[max(inner, key=lambda edge: edge.verts[0].co.z)])
    fine.to_mesh(mesh)
    fine.free()
    assert max(len(polygon.vertices) for polygon in mesh.polygons) > 4
    _update()
    assert _lens() == pytest.approx(lens, rel=1e-6)
    with pytest.raises(OptionError, match="more than four corners"):
        read_head(bpy.data.objects[hologram.subject])


@pytest.mark.parametrize("remove", [True, False])
def test_names_do_without_material_slots_that_the_user_removed(remove):
    head = bpy.data.objects[_build(head=stand_in_with_hair()).subject]
    hair = find_hair(head)
    for obj in (hair, head):
        obj.name += ".001"
        tag(obj, role_of(obj))
        if remove:
            obj.data.materials.pop()
        else:
            obj.data.materials[0] = None
    use_plain_names(head)
    assert (head.name, hair.name) == ("HoloTalk Head", "HoloTalk Hair")
    for material in (*head.data.materials, *hair.data.materials):
        assert material is None or "." not in material.name
    for materials in (head.data.materials, hair.data.materials):
        materials.clear()
    hair.name = "Wig"
    use_plain_names(head)
    assert hair.name == "Wig"  # the user's
