# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports: judged by Blender's own importers and by reading the files."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from glb_reader import Glb
from PIL import Image
from stand_in_head import LEFT_HAIR, RIGHT_HAIR, stand_in_head, stand_in_with_hair

from holotalk_addon.errors import OptionError, OutputError
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.outputs import ExportOptions
from holotalk_addon.scene import compat
from holotalk_addon.scene.export import export_head, save_blend
from holotalk_addon.scene.head_object import read_head
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, new_file
from holotalk_addon.scene.quiet import quiet
from holotalk_addon.scene.render import render_hologram


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


def test_obj_is_posed_textured_and_whole(tmp_path):
    head = stand_in_head()
    written = export_head(head, tmp_path / "my head.obj")
    assert [p.name for p in written] == ["my head.obj", "my_head.mtl", "my_head_texture.png"]
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in written}
    lines = written[0].read_text().splitlines()
    points = np.array([[float(x) for x in line.split()[1:]] for line in lines if line.startswith("v ")])
    np.testing.assert_allclose(points, head.posed_vertices(), atol=1e-6)
    assert "mtllib my_head.mtl" in lines
    assert written[1].read_text().count("map_Kd my_head_texture.png") == 5
    with Image.open(written[2]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), head.texture)
    with quiet():
        bpy.ops.wm.obj_import(filepath=str(written[0]), forward_axis="NEGATIVE_Z", up_axis="Y")
    (obj,) = bpy.data.objects
    assert len(obj.data.polygons) == len(head.polygons)
    assert len(obj.data.materials) == 5
    uvs = np.array([loop.vector for loop in obj.data.uv_layers[0].uv])
    order = np.argsort(head.polygon_parts, kind="stable")
    expected = head.uvs[order][head.polygons[order] >= 0]
    np.testing.assert_allclose(uvs, expected, atol=1e-5)


def test_ply_has_the_colours_of_the_texture(tmp_path):
    head = stand_in_head()
    export_head(head, tmp_path / "head.ply")
    with quiet():
        bpy.ops.wm.ply_import(filepath=str(tmp_path / "head.ply"), forward_axis="NEGATIVE_Z", up_axis="Y")
    (obj,) = bpy.data.objects
    mesh = obj.data
    assert len(mesh.vertices) > 10 * len(head.vertices)
    colours = np.array([c.color_srgb for c in mesh.attributes.active_color.data])[:, :3] * 255
    points = np.array([obj.matrix_world @ v.co for v in mesh.vertices])  # Blender's axes
    for side, axis, sign in (
        ((120, 160, 205), 0, 1), ((150, 190, 120), 0, -1), ((196, 150, 122), 1, -1), ((112, 84, 62), 1, 1),
    ):  # fmt: skip
        near = (points[:, axis] * sign > 0.06) & (np.abs(points[:, 1 - axis]) < 0.03) & (points[:, 2] < 0.08)
        near &= points[:, 2] > 0.05
        assert near.sum() > 20
        assert np.abs(np.median(colours[near], axis=0) - side).max() < 25


def test_saved_blend_opens_again_with_its_strips_and_renders_the_same(tmp_path):
    head = stand_in_head()
    hologram = build_hologram(
        HeadSubject(head), pyramid_layout(200), loop_motion("turntable", 1, 4), engine="workbench"
    )
    render_hologram(hologram, tmp_path / "before.png")
    path = tmp_path / "a hologram.blend"
    save_blend(path, hologram)
    save_blend(path, hologram)  # replaces, and leaves no backup
    assert {p.name for p in tmp_path.iterdir()} == {"before.png", "a hologram.blend"}
    with quiet():
        bpy.ops.wm.open_mainfile(filepath=str(path))
    assert bpy.context.window.scene.name == hologram.hologram
    scene = bpy.data.scenes[hologram.hologram]
    strips = [s for s in compat.strips(scene) if s.type == "SCENE"]
    assert sorted(s.scene.name for s in strips) == sorted(hologram.views)
    assert bpy.data.images["HoloTalk Texture"].packed_file is not None
    render_hologram(hologram, tmp_path / "after.png")
    assert (tmp_path / "after.png").read_bytes() == (tmp_path / "before.png").read_bytes()
    # Blender's own Render Animation, in the file as it was saved.
    scene.render.filepath = str(tmp_path / "own.mp4")
    with quiet():
        bpy.ops.render.render(animation=True, scene=scene.name)
    assert (tmp_path / "own.mp4").stat().st_size > 1000


def test_export_to_blend_saves_the_whole_hologram(tmp_path):
    export_head(stand_in_head(), tmp_path / "head.blend")
    new_file()
    with quiet():
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    assert "Hologram" in bpy.data.scenes
    assert len(bpy.data.objects["HoloTalk Head"].data.shape_keys.key_blocks) == 53


def test_a_blend_has_ready_player_mes_shapes_and_exports_them_once(tmp_path):
    rpm = ExportOptions(shape_names="rpm")
    export_head(stand_in_head(), tmp_path / "head.blend", rpm)
    new_file()
    with quiet():
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    obj = bpy.data.objects["HoloTalk Head"]
    names = [key.name for key in obj.data.shape_keys.key_blocks]
    assert len(names) == 1 + 52 + 20
    assert "viseme_PP" in names
    export_head(read_head(obj), tmp_path / "head.glb", rpm)
    assert Glb(tmp_path / "head.glb").mesh("HoloTalk Head")["extras"]["targetNames"] == names[1:]


@pytest.mark.parametrize("kind", ["glb", "obj", "ply", "stl"])
def test_exports_are_the_same_every_time(kind, tmp_path):
    contents = []
    for k in range(2):
        (tmp_path / str(k)).mkdir()
        written = export_head(stand_in_with_hair(), tmp_path / str(k) / f"head.{kind}")
        contents.append([path.read_bytes() for path in written])
    assert contents[0] == contents[1]


def test_exports_that_cannot_be_are_refused(tmp_path):
    head = stand_in_head()
    with pytest.raises(OptionError, match=r"\.glb"):
        export_head(head, tmp_path / "head.fbx")
    for kind in ("glb", "obj", "ply", "stl", "blend"):
        with pytest.raises(OutputError, match="does not exist"):
            export_head(head, tmp_path / "nowhere" / f"head.{kind}")
    with pytest.raises(OptionError, match=r"\.blend"):
        save_blend(tmp_path / "head.zip")
    for kind, options, says in (
        ("obj", ExportOptions(shape_names="rpm"), "no shapes to name"),
        ("glb", ExportOptions(shape_names="vrm"), "arkit or rpm"),
        ("blend", ExportOptions(eye_bones=True), "export a .glb"),
        ("ply", ExportOptions(height_mm=100.0), "for a .stl"),
        ("stl", ExportOptions(height_mm=5.0), "20 to 1000 mm"),
        ("stl", ExportOptions(height_mm=float("nan")), "20 to 1000 mm"),
    ):
        with pytest.raises(OptionError, match=says):
            export_head(head, tmp_path / f"head.{kind}", options)
    assert not list(tmp_path.iterdir())


# --- hair ---------------------------------------------------------------------------------------------


def test_obj_has_hair_as_an_object_of_its_own(tmp_path):
    head = stand_in_with_hair()
    written = export_head(head, tmp_path / "my head.obj")
    names = ["my head.obj", "my_head.mtl", "my_head_texture.png", "my_head_hair_texture.png"]
    assert [p.name for p in written] == names
    assert {p.name for p in tmp_path.iterdir()} == set(names)
    with Image.open(written[3]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), head.hair.texture)
    library = written[1].read_text().split("newmtl ")
    hair, edge = library[-2:]
    assert hair.startswith("HoloTalk_Hair\n")
    assert edge.startswith("HoloTalk_Hair_Edge\n")
    assert "map_Kd my_head_hair_texture.png" in hair
    assert "map_d" not in hair
    assert "map_d -imfchan m my_head_hair_texture.png" in edge
    with quiet():
        bpy.ops.wm.obj_import(filepath=str(written[0]), forward_axis="NEGATIVE_Z", up_axis="Y")
    assert {obj.name for obj in bpy.data.objects} == {"HoloTalk_Head", "HoloTalk_Hair"}
    obj = bpy.data.objects["HoloTalk_Hair"]
    assert [m.name for m in obj.data.materials] == ["HoloTalk_Hair", "HoloTalk_Hair_Edge"]
    order = np.argsort(head.hair.soft, kind="stable")
    used = head.hair.polygons[order] >= 0
    corners = np.array([obj.data.vertices[loop.vertex_index].co for loop in obj.data.loops])
    np.testing.assert_allclose(corners, head.hair.vertices[head.hair.polygons[order][used]], atol=1e-5)
    uvs = np.array([loop.vector for loop in obj.data.uv_layers[0].uv])
    np.testing.assert_allclose(uvs, head.hair.uvs[order][used], atol=1e-5)
    # Without hair nothing of it is written.
    assert len(export_head(stand_in_head(), tmp_path / "bald.obj")) == 3
    assert "Hair" not in (tmp_path / "bald.obj").read_text() + (tmp_path / "bald.mtl").read_text()


def test_ply_has_hair_in_its_colours_and_without_what_is_clear(tmp_path):
    head = stand_in_with_hair()

    def mesh(shown, name):
        new_file()
        export_head(shown, tmp_path / name)
        with quiet():
            bpy.ops.wm.ply_import(filepath=str(tmp_path / name), forward_axis="NEGATIVE_Z", up_axis="Y")
        (obj,) = bpy.data.objects
        return obj.data

    bald = len(mesh(stand_in_head(), "bald.ply").polygons)
    clear = head.hair.texture.copy()
    clear[..., 3] = 0
    opaque = int((~head.hair.soft).sum())
    without_edges = len(mesh(replace(head, hair=replace(head.hair, texture=clear)), "clear.ply").polygons)
    assert without_edges - bald == sum(
        16 if corners == 4 else 12 for corners in (head.hair.polygons[~head.hair.soft] >= 0).sum(1)
    )
    assert without_edges - bald >= 12 * opaque
    data = mesh(head, "head.ply")
    assert without_edges < len(data.polygons) < bald + 16 * len(head.hair.polygons)
    points = np.array([v.co for v in data.vertices])  # as in the file
    colours = np.array([c.color_srgb for c in data.attributes.active_color.data])[:, :3] * 255
    high = points[:, 1] > 0.12  # above all skin
    assert high.sum() > 200
    for sign, colour in ((-1, RIGHT_HAIR), (1, LEFT_HAIR)):
        side = high & (points[:, 0] * sign > 0.01)
        assert np.abs(colours[side] - colour).max() < 2
    corners = np.array([loop.vertex_index for loop in data.loops])
    assert set(corners) == set(range(len(points)))  # no vertex without a face


def test_ply_goes_round_the_texture_of_hair_as_its_coordinates_do(tmp_path):
    head = stand_in_with_hair()
    right, left = head.hair.texture[0, 0, :3].tolist(), head.hair.texture[0, -1, :3].tolist()
    assert (right, left) == (list(RIGHT_HAIR), list(LEFT_HAIR))

    def colours(turns, name):
        uvs = head.hair.uvs + np.array([turns, 0], dtype=np.float32)
        export_head(replace(head, hair=replace(head.hair, uvs=uvs)), tmp_path / name)
        new_file()
        with quiet():
            bpy.ops.wm.ply_import(filepath=str(tmp_path / name), forward_axis="NEGATIVE_Z", up_axis="Y")
        data = bpy.data.objects[0].data
        points = np.array([v.co for v in data.vertices])
        found = np.array([c.color_srgb for c in data.attributes.active_color.data])[:, :3] * 255
        return points, found

    for turns in (1, -1, 0.5):
        points, found = colours(turns, "turned.ply")
        high = points[:, 1] > 0.12  # above all skin
        for sign, colour in ((-1, RIGHT_HAIR), (1, LEFT_HAIR)):
            # Half a turn: what was the right side's is the left side's.
            side = high & (points[:, 0] * (-sign if turns == 0.5 else sign) > 0.01)
            assert side.sum() > 100
            assert np.abs(found[side] - colour).max() < 2


def test_hair_in_another_collection_is_exported(tmp_path):
    hologram = build_hologram(
        HeadSubject(stand_in_with_hair()), pyramid_layout(200), loop_motion("still", 1, 4)
    )
    head, hair = bpy.data.objects[hologram.subject], bpy.data.objects["HoloTalk Hair"]
    locks = bpy.data.collections.new("Locks")
    bpy.data.collections["HoloTalk"].children.link(locks)
    locks.objects.link(hair)
    bpy.data.collections["HoloTalk"].objects.unlink(hair)
    export_head(read_head(head), tmp_path / "head.glb")
    assert len(Glb(tmp_path / "head.glb").json["meshes"]) == 2


def test_hidden_hair_is_left_out_of_exports_and_the_blend_holds_it(tmp_path):
    hologram = build_hologram(
        HeadSubject(stand_in_with_hair()), pyramid_layout(200), loop_motion("still", 1, 4)
    )
    save_blend(tmp_path / "head.blend", hologram)
    with quiet():
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    head, hair = bpy.data.objects["HoloTalk Head"], bpy.data.objects["HoloTalk Hair"]
    assert hair.parent == head
    assert bpy.data.images["HoloTalk Hair Texture"].packed_file is not None
    export_head(read_head(head), tmp_path / "with.glb")
    assert len(Glb(tmp_path / "with.glb").json["meshes"]) == 2
    hair.hide_render = True
    export_head(read_head(head), tmp_path / "without.glb")
    assert len(Glb(tmp_path / "without.glb").json["meshes"]) == 1
    assert bpy.data.objects["HoloTalk Hair"] == hair  # the user's scene is as it was
