# SPDX-License-Identifier: GPL-3.0-or-later
"""The .stl: judged by trimesh's reader, as a slicer would see it."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Vector
from mathutils.bvhtree import BVHTree
from stand_in_head import stand_in_head, stand_in_with_hair

from holotalk_addon.outputs import ExportOptions
from holotalk_addon.scene.export import export_head
from holotalk_addon.scene.hologram_scene import new_file

trimesh = pytest.importorskip("trimesh")

THINNEST = 0.002
"""The share of a solid that may be thinner: sharp locks of hair are ridges, not walls."""


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


def printed(head, tmp_path, height=None):
    """The file as trimesh reads it: it merges corners at the same place, as slicers do."""
    path = tmp_path / "head.stl"
    assert export_head(head, path, ExportOptions(height_mm=height)) == [path]
    assert not path.read_bytes().startswith(b"solid")  # else readers take it for text
    return trimesh.load(path)


def check(solid, height):
    """One closed body with its outside outside, as high as asked for, on a flat base that it can stand on."""
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.body_count == 1
    assert solid.extents[2] == pytest.approx(height, abs=0.5)
    assert solid.bounds[0, 2] == pytest.approx(0.0, abs=0.01)
    assert 0.3 * solid.convex_hull.volume < solid.volume < 0.95 * solid.convex_hull.volume
    level = (solid.face_normals[:, 2] < -0.999) & (solid.triangles_center[:, 2] < 0.05)
    base = solid.area_faces[level].sum()
    assert base > 0.02 * height**2
    # It stands: the centre of its weight is above the base.
    corners = solid.triangles[level].reshape(-1, 3)[:, :2]
    around = np.radians(np.arange(0, 360, 15))
    ways = np.stack([np.cos(around), np.sin(around)], axis=1)
    assert (ways @ solid.center_mass[:2] < (corners @ ways.T).max(axis=0)).all()


def walls(solid, samples=10_000):
    """(N,) how far it is from points all over the surface straight through to a surface that faces the other
    way (within 25 degrees), in the file's millimetres: where the solid is a wall, its thickness."""
    places, faces = trimesh.sample.sample_surface(solid, samples, seed=7)
    tree = BVHTree.FromPolygons(solid.vertices.tolist(), solid.faces.tolist())
    found = []
    for place, normal in zip(places, solid.face_normals[faces], strict=True):
        _, far, _, thick = tree.ray_cast(Vector(place - 1e-3 * normal), Vector(-normal))
        if far is not None and far.dot(Vector(normal)) < -0.9:
            found.append(thick)
    assert len(found) > 0.1 * samples
    return np.array(found)


@pytest.mark.parametrize("make", [stand_in_head, stand_in_with_hair])
def test_a_made_up_head_is_one_solid_of_the_height_asked_for(make, tmp_path):
    solid = printed(make(), tmp_path, 60.0)
    check(solid, 60.0)
    assert len(solid.faces) * 50 < 25_000_000
    # The open file is as it was.
    assert not bpy.data.objects
    assert not bpy.data.meshes


@pytest.mark.slow
def test_the_demo_portrait_can_be_printed(demo_person, tmp_path):
    head = demo_person.head
    solid = printed(head, tmp_path)
    check(solid, 100.0)
    assert np.quantile(walls(solid), THINNEST) > 1.0
    # Back to metres and the head's axes: the crown is where the hair's is.
    scale = 100.0 / (head.hair.vertices[:, 1].max() - _floor(head))
    points = np.asarray(solid.vertices) / scale
    shown = np.stack([points[:, 0], points[:, 2] + _floor(head), -points[:, 1]], axis=1)
    # The face is the photo's, its expression too: all skin of the face lies on the solid's surface.
    tree = BVHTree.FromPolygons(shown.tolist(), solid.faces.tolist())
    posed = head.posed_vertices()
    face = np.unique(head.polygons[head.polygon_parts == 0])
    face = face[
        (posed[face, 2] > 0.085) & (np.abs(posed[face, 0]) < 0.04) & (np.abs(posed[face, 1] + 0.02) < 0.02)
    ]
    away = [tree.find_nearest(Vector(point))[3] for point in posed[face].tolist()]
    assert np.quantile(away, 0.9) < 0.002
    assert len(face) > 100
    # Mouth (the portrait's is open) and eyes are solid: nothing goes in deeper than the teeth.
    for x, y in ((0.0, -0.066), (0.01, -0.068), (-0.01, -0.068), (0.033, 0.0), (-0.033, 0.0)):
        hit, _, _, _ = tree.ray_cast(Vector((x, y, 0.3)), Vector((0, 0, -1)))
        assert hit.z > 0.07, (x, y)


def _floor(head):
    """Where the print's base is, from its own height and the crown's."""
    from holotalk_addon.scene.export_stl import CUT_M

    return CUT_M + head.vertices[head.fade <= 0, 1].max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["connelly", "lawrence", "einstein"])
def test_long_and_wild_hair_can_be_printed(name, tools, photos, tmp_path):
    from holotalk_addon import pipeline

    photo = photos / f"{name}.jpg"
    head = pipeline.person_from_photo(photo, tools, pipeline.Stages(), texture_size=512).head
    solid = printed(head, tmp_path)
    check(solid, 100.0)
    assert np.quantile(walls(solid), THINNEST) > 1.0
    # It has the hair: as wide as that is, in the head's own scale.
    scale = 100.0 / (head.hair.vertices[:, 1].max() - _floor(head))
    above = head.hair.vertices[head.hair.vertices[:, 1] > _floor(head)]
    assert solid.extents[0] == pytest.approx(scale * np.ptp(above[:, 0]), rel=0.06)
