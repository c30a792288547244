# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports: judged by the official glTF validator, by Blender's own importers and by reading the files."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import replace

import bpy
import numpy as np
import pytest
from PIL import Image
from stand_in_head import ARKIT_NAMES, LEFT_HAIR, RIGHT_HAIR, stand_in_head, stand_in_with_hair

from holotalk_addon.errors import OptionError, OutputError
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.scene import compat
from holotalk_addon.scene.export import export_head, save_blend
from holotalk_addon.scene.head_object import read_head
from holotalk_addon.scene.hologram_scene import build_hologram, new_file
from holotalk_addon.scene.quiet import quiet
from holotalk_addon.scene.render import render_hologram

VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report)));
"""


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    """A function that gives the official validator's report on a file."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node is not installed")
    folder = tmp_path_factory.mktemp("validator")
    command = [npm, "install", "--no-audit", "--no-fund", "gltf-validator@2.0.0-dev.3.10"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install gltf-validator within two minutes")
    if done.returncode:
        pytest.skip(f"npm cannot install gltf-validator: {done.stderr.strip()[-200:]}")

    def report(path):
        run = subprocess.run(
            [node, "-e", VALIDATE, str(path)], cwd=folder, capture_output=True, text=True, check=True
        )
        return json.loads(run.stdout)

    return report


def _glb_json(path):
    content = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    size = struct.unpack_from("<I", content, 12)[0]
    return json.loads(content[20 : 20 + size])


@pytest.mark.parametrize("make", [stand_in_head, stand_in_with_hair])
def test_glb_passes_the_official_validator(make, validator, tmp_path):
    path = tmp_path / "a head.glb"
    export_head(make(), path)
    issues = validator(path)["issues"]
    assert issues["numErrors"] == 0, issues["messages"]
    assert issues["numWarnings"] == 0, issues["messages"]


def test_glb_holds_shape_keys_at_the_photos_expression_and_the_texture(tmp_path):
    head = stand_in_head()
    assert export_head(head, tmp_path / "head.glb") == [tmp_path / "head.glb"]
    assert [p.name for p in tmp_path.iterdir()] == ["head.glb"]
    content = _glb_json(tmp_path / "head.glb")
    (mesh,) = content["meshes"]
    assert mesh["extras"]["targetNames"] == list(ARKIT_NAMES)
    np.testing.assert_allclose(mesh["weights"], head.expression, atol=1e-6)
    (image,) = content["images"]
    assert image["mimeType"] == "image/png"
    materials = {m["name"]: m for m in content["materials"]}
    assert len(materials) == 5
    assert all("baseColorTexture" in m["pbrMetallicRoughness"] for m in materials.values())
    assert materials["HoloTalk Lashes"]["alphaMode"] == "BLEND"
    assert "alphaMode" not in materials["HoloTalk Skin"]
    # y up, the face toward +z, metres: the bounds of the skin are those of the head.
    skin = next(
        p for p in mesh["primitives"] if content["materials"][p["material"]]["name"] == "HoloTalk Skin"
    )
    bounds = content["accessors"][skin["attributes"]["POSITION"]]
    points = head.vertices[np.unique(head.polygons[head.polygon_parts == 0].clip(0))]
    np.testing.assert_allclose(bounds["min"], points.min(0), atol=1e-5)
    np.testing.assert_allclose(bounds["max"], points.max(0), atol=1e-5)
    # The open file is as it was.
    assert not bpy.data.objects
    assert not bpy.data.materials


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
    expected = head.polygon_uvs[order][head.polygons[order] >= 0]
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
    hologram = build_hologram(head, pyramid_layout(200), loop_motion("turntable", 1, 4), engine="workbench")
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


@pytest.mark.parametrize("kind", ["glb", "obj", "ply"])
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
    for kind in ("glb", "obj", "ply", "blend"):
        with pytest.raises(OutputError, match="does not exist"):
            export_head(head, tmp_path / "nowhere" / f"head.{kind}")
    with pytest.raises(OptionError, match=r"\.blend"):
        save_blend(tmp_path / "head.zip")
    assert not list(tmp_path.iterdir())


# --- hair ---------------------------------------------------------------------------------------------


def test_glb_has_hair_as_a_node_of_its_own(tmp_path):
    head = stand_in_with_hair()
    assert export_head(head, tmp_path / "head.glb") == [tmp_path / "head.glb"]
    content = _glb_json(tmp_path / "head.glb")
    nodes = {node["name"]: node for node in content["nodes"]}
    assert set(nodes) == {"HoloTalk Head", "HoloTalk Hair"}
    # A child that stands where its parent stands, so it goes wherever the head is put.
    assert content["nodes"].index(nodes["HoloTalk Hair"]) in nodes["HoloTalk Head"]["children"]
    assert not {"translation", "rotation", "scale", "matrix"} & set(nodes["HoloTalk Hair"])
    mesh = content["meshes"][nodes["HoloTalk Hair"]["mesh"]]
    assert not any("targets" in primitive for primitive in mesh["primitives"])
    materials = {}
    for primitive in mesh["primitives"]:
        material = content["materials"][primitive["material"]]
        materials[material["name"]] = material
    assert set(materials) == {"HoloTalk Hair", "HoloTalk Hair Edge"}
    assert materials["HoloTalk Hair"].get("alphaMode", "OPAQUE") == "OPAQUE"
    assert materials["HoloTalk Hair Edge"]["alphaMode"] == "BLEND"
    assert not materials["HoloTalk Hair Edge"].get("doubleSided", False)
    sources = set()
    for material in materials.values():
        texture = content["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]]
        sources.add(content["images"][texture["source"]]["name"])
    assert sources == {"HoloTalk Hair Texture"}
    assert len(content["images"]) == 2
    bounds = [content["accessors"][p["attributes"]["POSITION"]] for p in mesh["primitives"]]
    np.testing.assert_allclose(np.min([b["min"] for b in bounds], 0), head.hair.vertices.min(0), atol=1e-5)
    np.testing.assert_allclose(np.max([b["max"] for b in bounds], 0), head.hair.vertices.max(0), atol=1e-5)
    assert not bpy.data.objects
    assert not bpy.data.images

    with quiet():
        bpy.ops.import_scene.gltf(filepath=str(tmp_path / "head.glb"))
    obj = bpy.data.objects["HoloTalk Hair"]
    assert obj.parent == bpy.data.objects["HoloTalk Head"]
    assert len(obj.data.polygons) == (head.hair.polygons >= 0).sum() - 2 * len(
        head.hair.polygons
    )  # triangles
    image = bpy.data.images["HoloTalk Hair Texture"]
    pixels = np.array(image.pixels[:]).reshape(head.hair.texture.shape)[::-1]
    np.testing.assert_allclose(pixels * 255, head.hair.texture, atol=0.51)


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
    np.testing.assert_allclose(uvs, head.hair.polygon_uvs[order][used], atol=1e-5)
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
        uvs = head.hair.polygon_uvs + np.array([turns, 0], dtype=np.float32)
        export_head(replace(head, hair=replace(head.hair, polygon_uvs=uvs)), tmp_path / name)
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
    hologram = build_hologram(stand_in_with_hair(), pyramid_layout(200), loop_motion("still", 1, 4))
    head, hair = bpy.data.objects[hologram.head], bpy.data.objects["HoloTalk Hair"]
    locks = bpy.data.collections.new("Locks")
    bpy.data.collections["HoloTalk"].children.link(locks)
    locks.objects.link(hair)
    bpy.data.collections["HoloTalk"].objects.unlink(hair)
    export_head(read_head(head), tmp_path / "head.glb")
    assert len(_glb_json(tmp_path / "head.glb")["meshes"]) == 2


def test_hidden_hair_is_left_out_of_exports_and_the_blend_holds_it(tmp_path):
    hologram = build_hologram(stand_in_with_hair(), pyramid_layout(200), loop_motion("still", 1, 4))
    save_blend(tmp_path / "head.blend", hologram)
    with quiet():
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    head, hair = bpy.data.objects["HoloTalk Head"], bpy.data.objects["HoloTalk Hair"]
    assert hair.parent == head
    assert bpy.data.images["HoloTalk Hair Texture"].packed_file is not None
    export_head(read_head(head), tmp_path / "with.glb")
    assert len(_glb_json(tmp_path / "with.glb")["meshes"]) == 2
    hair.hide_render = True
    export_head(read_head(head), tmp_path / "without.glb")
    assert len(_glb_json(tmp_path / "without.glb")["meshes"]) == 1
    assert bpy.data.objects["HoloTalk Hair"] == hair  # the user's scene is as it was
