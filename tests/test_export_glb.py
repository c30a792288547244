# SPDX-License-Identifier: GPL-3.0-or-later
"""The .glb: judged by the official glTF validator, by Blender's own importer and by reading the file."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import replace

import bpy
import numpy as np
import pytest
from glb_reader import Glb
from PIL import Image
from stand_in_head import ARKIT_NAMES, stand_in_head, stand_in_with_hair

from holotalk_addon.errors import OptionError
from holotalk_addon.head.shape_names import RPM_SHAPES, with_shape_names
from holotalk_addon.outputs import ExportOptions
from holotalk_addon.scene.export import export_head
from holotalk_addon.scene.hologram_scene import new_file
from holotalk_addon.scene.quiet import quiet

VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report)));
"""
BOTH = ExportOptions(shape_names="rpm", eye_bones=True)
MOST_BYTES = 8_000_000


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


@pytest.fixture(scope="module")
def validator(npm):
    """A function that gives the official validator's report on a file."""
    folder = npm("gltf-validator@2.0.0-dev.3.10")

    def report(path):
        command = [shutil.which("node"), "-e", VALIDATE, str(path)]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return json.loads(run.stdout)

    return report


@pytest.mark.parametrize("make", [stand_in_head, stand_in_with_hair])
@pytest.mark.parametrize("options", [ExportOptions(), BOTH])
def test_glb_passes_the_official_validator(make, options, validator, tmp_path):
    path = tmp_path / "a head.glb"
    export_head(make(), path, options)
    issues = validator(path)["issues"]
    assert issues["numErrors"] == 0, issues["messages"]
    assert issues["numWarnings"] == 0, issues["messages"]


@pytest.mark.slow
def test_a_real_head_passes_the_validator_and_is_small(tools, validator, request, tmp_path):
    from holotalk_addon import assets, pipeline

    photos = [assets.demo_portrait()]
    try:
        folder = request.getfixturevalue("photos")
        photos += [folder / "connelly.jpg", folder / "lawrence.jpg"]  # long hair
    except pytest.skip.Exception as missing:
        print(missing)
    for photo in photos:
        head = pipeline.person_from_photo(photo, tools, pipeline.Stages()).head
        path = tmp_path / f"{photo.stem}.glb"
        export_head(head, path, BOTH)
        assert path.stat().st_size < MOST_BYTES, photo
        issues = validator(path)["issues"]
        assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"]
        # The JPEG shows what the texture shows.
        _, content = Glb(path).image("HoloTalk Texture")
        with Image.open(io.BytesIO(content)) as picture:
            error = np.asarray(picture).astype(float) - head.texture[..., :3]
        assert np.sqrt(np.mean(error**2)) < 2.5
        assert np.quantile(np.abs(error), 0.999) < 16


def test_glb_holds_shape_keys_at_the_photos_expression_and_the_texture(tmp_path):
    head = stand_in_head()
    assert export_head(head, tmp_path / "head.glb") == [tmp_path / "head.glb"]
    assert [p.name for p in tmp_path.iterdir()] == ["head.glb"]
    file = Glb(tmp_path / "head.glb")
    (mesh,) = file.json["meshes"]
    assert mesh["extras"]["targetNames"] == list(ARKIT_NAMES)
    np.testing.assert_allclose(mesh["weights"], head.expression, atol=1e-6)
    assert file.image("HoloTalk Texture")[0] == "image/jpeg"
    assert file.image("HoloTalk Lashes Texture")[0] == "image/png"
    materials = {m["name"]: m for m in file.json["materials"]}
    assert len(materials) == 5
    assert all("baseColorTexture" in m["pbrMetallicRoughness"] for m in materials.values())
    assert materials["HoloTalk Lashes"]["alphaMode"] == "BLEND"
    assert "alphaMode" not in materials["HoloTalk Skin"]
    # y up, the face toward +z, metres.
    skin = mesh["primitives"][0]
    assert file.json["materials"][skin["material"]]["name"] == "HoloTalk Skin"
    posed = head.posed_vertices()[np.unique(head.polygons[head.polygon_parts == 0].clip(0))]
    found = file.morphed(skin, mesh["weights"])
    away = np.linalg.norm(found[:, None] - posed, axis=2)
    assert max(away.min(axis=0).max(), away.min(axis=1).max()) < 2e-6
    # The open file is as it was.
    assert not bpy.data.objects
    assert not bpy.data.materials
    assert not bpy.data.images


def test_lashes_have_a_picture_of_their_own_and_look_the_same(tmp_path):
    head = stand_in_head()
    export_head(head, tmp_path / "head.glb")
    file = Glb(tmp_path / "head.glb")
    with Image.open(io.BytesIO(file.image("HoloTalk Lashes Texture")[1])) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[0] * pixels.shape[1] < 0.05 * head.texture.shape[0] * head.texture.shape[1]
    (lashes,) = [
        p
        for p in file.mesh("HoloTalk Head")["primitives"]
        if file.json["materials"][p["material"]]["name"] == "HoloTalk Lashes"
    ]
    uvs = file.accessor(lashes["attributes"]["TEXCOORD_0"]).astype(float)
    assert ((uvs > 0) & (uvs < 1)).all()
    # Each triangle's middle shows the same in its picture as in the head's texture.
    middles = uvs[file.accessor(lashes["indices"]).reshape(-1, 3)].mean(axis=1)
    mine = head.uvs[head.polygon_parts == 2]
    expected = np.concatenate([mine[:, [0, 1, 2]].mean(axis=1), mine[:, [0, 2, 3]].mean(axis=1)])
    rows, columns = head.texture.shape[:2]
    x, y = (expected * [columns, rows]).astype(int).T
    u, v = (middles * pixels.shape[1::-1]).astype(int).T
    np.testing.assert_array_equal(
        np.sort(pixels[v, u], axis=0), np.sort(head.texture[rows - 1 - y, x], axis=0)
    )
    assert (pixels[v, u, 3] == 128).all()


def test_glb_has_hair_as_a_node_of_its_own(tmp_path):
    head = stand_in_with_hair()
    assert export_head(head, tmp_path / "head.glb") == [tmp_path / "head.glb"]
    file = Glb(tmp_path / "head.glb")
    nodes = {node["name"]: node for node in file.json["nodes"]}
    assert set(nodes) == {"HoloTalk Head", "HoloTalk Hair"}
    # A child that stands where its parent stands, so it goes wherever the head is put.
    assert file.json["nodes"].index(nodes["HoloTalk Hair"]) in nodes["HoloTalk Head"]["children"]
    assert not {"translation", "rotation", "scale", "matrix"} & set(nodes["HoloTalk Hair"])
    mesh = file.mesh("HoloTalk Hair")
    assert not any("targets" in primitive for primitive in mesh["primitives"])
    materials = {}
    for primitive in mesh["primitives"]:
        material = file.json["materials"][primitive["material"]]
        materials[material["name"]] = material
    assert set(materials) == {"HoloTalk Hair", "HoloTalk Hair Edge"}
    assert materials["HoloTalk Hair"].get("alphaMode", "OPAQUE") == "OPAQUE"
    assert materials["HoloTalk Hair Edge"]["alphaMode"] == "BLEND"
    assert not materials["HoloTalk Hair Edge"].get("doubleSided", False)
    sources = set()
    for material in materials.values():
        texture = file.json["textures"][material["pbrMetallicRoughness"]["baseColorTexture"]["index"]]
        sources.add(file.json["images"][texture["source"]]["name"])
    assert sources == {"HoloTalk Hair Texture"}
    bounds = [file.json["accessors"][p["attributes"]["POSITION"]] for p in mesh["primitives"]]
    np.testing.assert_allclose(np.min([b["min"] for b in bounds], 0), head.hair.vertices.min(0), atol=1e-5)
    np.testing.assert_allclose(np.max([b["max"] for b in bounds], 0), head.hair.vertices.max(0), atol=1e-5)

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


def test_ready_player_mes_shapes_are_what_the_table_says(tmp_path):
    head = stand_in_with_hair()
    export_head(head, tmp_path / "head.glb", ExportOptions(shape_names="rpm"))
    file = Glb(tmp_path / "head.glb")
    mesh = file.mesh("HoloTalk Head")
    names = mesh["extras"]["targetNames"]
    assert names == [*ARKIT_NAMES, *RPM_SHAPES]
    assert set(names[52:57]) == {"mouthOpen", "mouthSmile", "eyesClosed", "eyesLookUp", "eyesLookDown"}
    assert [name.removeprefix("viseme_") for name in names[57:]] == (
        ["sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U"]
    )
    np.testing.assert_allclose(mesh["weights"], [*head.expression, *[0] * 20], atol=1e-6)
    skin = mesh["primitives"][0]

    def shift(name):
        return file.accessor(skin["targets"][names.index(name)]["POSITION"])

    np.testing.assert_allclose(shift("viseme_aa"), 0.6 * shift("jawOpen"), atol=2e-6)
    blink = shift("eyeBlinkLeft") + shift("eyeBlinkRight")
    assert np.abs(blink).max() > 1e-3
    np.testing.assert_allclose(shift("eyesClosed"), blink, atol=2e-6)
    assert not shift("viseme_sil").any()
    with quiet():
        bpy.ops.import_scene.gltf(filepath=str(tmp_path / "head.glb"))
    keys = bpy.data.objects["HoloTalk Head"].data.shape_keys.key_blocks
    assert [key.name for key in keys][1:] == names


def test_visemes_look_as_they_must(demo_person):
    head = with_shape_names(replace(demo_person.head, expression=0 * demo_person.head.expression), "rpm")
    neutral = head.vertices
    lip = {
        name: int(np.argmin(np.linalg.norm(neutral - place, axis=1)))
        for name, place in _lips(demo_person).items()
    }

    def gap(shape):
        shown = neutral + head.expression_deltas[head.expression_names.index(shape)]
        return shown[lip["upper"], 1] - shown[lip["lower"], 1]

    def width(shape):
        shown = neutral + head.expression_deltas[head.expression_names.index(shape)]
        return shown[lip["left"], 0] - shown[lip["right"], 0]

    closed = gap("viseme_sil")
    assert gap("viseme_PP") < closed + 0.0005
    assert gap("viseme_aa") > closed + 0.01
    assert gap("viseme_aa") > gap("viseme_E") > gap("viseme_I")
    assert width("viseme_I") > width("viseme_sil") + 0.004
    assert width("viseme_U") < width("viseme_sil") - 0.004
    assert width("viseme_O") < width("viseme_sil") - 0.004


def _lips(person):
    """The inner middle of the lips and the corners of the mouth on the neutral head, by the face mesh's
    points 13, 14, 61 and 291."""
    from holotalk_addon import pipeline

    model = pipeline.load_tools().model
    places = np.einsum("lk,lkd->ld", model.landmarks468_weights, person.head.vertices[model.landmarks468])
    return {"upper": places[13], "lower": places[14], "right": places[61], "left": places[291]}


def test_shapes_that_cannot_be_made_are_refused():
    head = stand_in_head()
    names = tuple("gone" if name == "jawOpen" else name for name in head.expression_names)
    with pytest.raises(OptionError, match="lost the shape jawOpen"):
        with_shape_names(replace(head, expression_names=names), "rpm")


# --- eye bones ----------------------------------------------------------------------------------------


def _matrix(x, y, z, w):
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _skinned(file, name, turns=None):
    """(N, 3) points of a mesh as a reader of glTF shows it, some bones turned; (N,) their bones."""
    nodes = file.json["nodes"]
    (skin,) = file.json["skins"]
    inverse = file.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    world = {}

    def visit(number, above):
        node, own = nodes[number], np.eye(4)
        own[:3, :3] = _matrix(*(turns or {}).get(node["name"], node.get("rotation", (0, 0, 0, 1))))
        own[:3, 3] = node.get("translation", (0, 0, 0))
        world[number] = above @ own
        for child in node.get("children", ()):
            visit(child, world[number])

    for root in file.json["scenes"][0]["nodes"]:
        visit(root, np.eye(4))
    mesh, shown, bones = file.mesh(name), [], []
    for primitive in mesh["primitives"]:
        points = file.morphed(primitive, mesh.get("weights", ()))
        joints = file.accessor(primitive["attributes"]["JOINTS_0"])[:, 0]
        weights = file.accessor(primitive["attributes"]["WEIGHTS_0"])
        assert (weights == [255, 0, 0, 0]).all()
        moves = np.stack([world[joint] @ inverse[k] for k, joint in enumerate(skin["joints"])])[joints]
        shown.append(np.einsum("nij,nj->ni", moves[:, :3, :3], points) + moves[:, :3, 3])
        bones.append([nodes[skin["joints"][joint]]["name"] for joint in joints])
    return np.concatenate(shown), np.concatenate(bones)


def test_eye_bones_hold_the_eyes_at_the_photos_gaze_once(demo_person, tmp_path):
    # A gaze that is not straight ahead: half out to the person's left, a little up.
    head = demo_person.head
    strengths = dict.fromkeys(("eyeLookOutLeft", "eyeLookInRight"), 0.7) | dict.fromkeys(
        ("eyeLookUpLeft", "eyeLookUpRight"), 0.3
    )
    expression = np.array(
        [
            strengths.get(name, 0.0 if name.startswith("eyeLook") else value)
            for name, value in zip(head.expression_names, head.expression, strict=True)
        ],
        dtype=np.float32,
    )
    head = replace(head, expression=expression)
    export_head(head, tmp_path / "head.glb", ExportOptions(eye_bones=True))
    file = Glb(tmp_path / "head.glb")
    # Names and places are Ready Player Me's.
    bones = [file.json["nodes"][joint]["name"] for joint in file.json["skins"][0]["joints"]]
    assert bones == ["Head", "LeftEye", "RightEye"]
    kids = [file.json["nodes"][k]["name"] for k in file.node("Head")["children"]]
    assert sorted(kids) == ["LeftEye", "RightEye"]
    balls = np.unique(head.polygons[head.polygon_parts == 1])
    balls = balls[balls >= 0]
    for name, sign in (("LeftEye", 1), ("RightEye", -1)):
        ball = head.vertices[balls[head.vertices[balls, 0] * sign > 0]]
        place = np.add(file.node("Head")["translation"], file.node(name)["translation"])
        spread = np.linalg.norm(ball - place, axis=1)
        assert np.ptp(spread) < 0.001  # the centre of the ball
    # As the file is, the eyes look where the photo's do: the pupils are where the shapes put them.
    posed, rest = head.posed_vertices(), head.vertices
    shown, of = _skinned(file, "HoloTalk Eyes")
    assert set(of) == {"LeftEye", "RightEye"}
    for name, sign in (("LeftEye", 1), ("RightEye", -1)):
        ball = balls[rest[balls, 0] * sign > 0]
        pupil = ball[rest[ball, 2].argmax()]
        straight = _skinned(file, "HoloTalk Eyes", {"LeftEye": (0, 0, 0, 1), "RightEye": (0, 0, 0, 1)})[0]
        row = np.flatnonzero((np.abs(straight - rest[pupil]).max(axis=1) < 1e-5) & (of == name))[0]
        moved, wanted = shown[row] - straight[row], posed[pupil] - rest[pupil]
        assert np.linalg.norm(wanted) > 0.003
        assert np.linalg.norm(moved - wanted) < 0.0012
    # The lids follow the gaze as ever, and no target turns the eyes a second time.
    lids, eyes = file.mesh("HoloTalk Head"), file.mesh("HoloTalk Eyes")
    np.testing.assert_allclose(lids["weights"], expression, atol=1e-6)
    assert not any(eyes["weights"])
    assert "eyeLookOutLeft" in eyes["extras"]["targetNames"]
    # A turn about y to the person's left moves the left pupil to +x, and nothing but the left eye.
    half = np.radians(20) / 2
    turned, _ = _skinned(file, "HoloTalk Eyes", {"LeftEye": (0, np.sin(half), 0, np.cos(half))})
    front = shown[:, 2] > shown[:, 2].max() - 0.003
    assert (turned - straight)[front & (of == "LeftEye"), 0].min() > 0.003
    assert np.abs(turned - shown)[of == "RightEye"].max() < 1e-6
    for name in ("HoloTalk Head", "HoloTalk Hair"):
        assert set(_skinned(file, name)[1]) == {"Head"}


def test_blender_shows_a_head_with_eye_bones_where_it_was(tmp_path):
    head = stand_in_with_hair()
    export_head(head, tmp_path / "head.glb", BOTH)
    with quiet():
        bpy.ops.import_scene.gltf(filepath=str(tmp_path / "head.glb"))
    armature = bpy.data.objects["Armature"]
    assert {bone.name for bone in armature.data.bones} == {"Head", "LeftEye", "RightEye"}
    graph = bpy.context.evaluated_depsgraph_get()
    points = np.concatenate(
        [
            np.array([obj.matrix_world @ v.co for v in obj.evaluated_get(graph).data.vertices])
            for obj in bpy.data.objects
            if obj.type == "MESH" and obj.name.startswith("HoloTalk")
        ]
    )
    posed = np.concatenate([head.posed_vertices(), head.hair.vertices])
    wanted = np.stack([posed[:, 0], -posed[:, 2], posed[:, 1]], axis=1)
    np.testing.assert_allclose(points.min(axis=0), wanted.min(axis=0), atol=1e-4)
    np.testing.assert_allclose(points.max(axis=0), wanted.max(axis=0), atol=1e-4)
