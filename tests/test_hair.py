# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair as a volume: it meets the outline of the photo, is where hair is, and bald heads stay bald."""

import dataclasses
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "blender_scripts" / "evaluate.py"


@pytest.fixture(scope="module")
def evaluate():
    spec = importlib.util.spec_from_file_location("evaluate", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def given(tools, demo_person):
    """The demo portrait as a completion gets it."""
    from holotalk_addon import pipeline

    return pipeline.completion_input(demo_person.photo, tools, pipeline.Stages(), 1, 512)[2]


@pytest.fixture(scope="module")
def hair(demo_person):
    assert demo_person.head.hair is not None
    return demo_person.head.hair


def texels(hair):
    """(F, 4) the texel under the middle of each polygon; the texture goes on round the head."""
    uv = hair.polygon_uvs.mean(axis=1)
    rows, columns = hair.texture.shape[:2]
    return hair.texture[((1 - uv[:, 1]) * rows).astype(int), (uv[:, 0] * columns).astype(int) % columns]


def drawn(hair):
    """(F,) the polygons whose middle is solid."""
    return texels(hair)[:, 3] > 127


def test_head_and_hair_meet_the_outline(evaluate, tools, demo_person):
    with_hair, without = evaluate.outline_iou(tools, demo_person)
    assert with_hair > 0.89
    assert without < 0.75, "the measure sees that hair is missing"


def test_hair_is_where_hair_is(hair, demo_person):
    vertices, used = hair.vertices, np.unique(hair.polygons[drawn(hair)])
    x, y, z = vertices[used].T
    head = demo_person.head.vertices
    assert y.max() > head[:, 1].max() + 0.005, "over the crown"
    assert z.min() < head[:, 2].min() - 0.002, "behind the head"
    assert y.min() > -0.10, "short hair ends at the neck"
    face = (np.abs(x) < 0.03) & (z > 0.06)
    assert y[face].min() > 0.02, "nothing hangs before the eyes"
    assert abs(x.max() + x.min()) < 0.02, "both sides alike"


def test_hair_is_a_sound_surface(hair):
    assert hair.polygons.min() >= 0
    assert hair.polygons.max() == len(hair.vertices) - 1
    corners = hair.vertices[hair.polygons].astype(float)
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    outward = corners.mean(axis=1) - [0, 0.03, -0.01]
    outward[outward[:, 1] < 0, 1] = 0
    assert ((normal * outward).sum(axis=1) > 0).mean() > 0.97, "counter-clockwise from outside"
    assert hair.soft.any()
    assert 0 < drawn(hair)[hair.soft].mean() < 1, "edges are see-through in places"
    assert drawn(hair)[~hair.soft].all(), "the rest is opaque"
    assert hair.fade.min() >= 0
    assert hair.fade.max() == 1
    assert np.isfinite(hair.vertices).all()


def test_unseen_hair_has_the_colour_of_the_seen(hair, given):
    """The back of the head, which no photo from the front shows."""
    from holotalk_addon.head.hair_mask import hair_mask

    mask = hair_mask(given)
    rows, columns = np.nonzero(cv2.erode(mask.hair, np.ones((5, 5))) > 0.5)
    place = (np.stack([columns, rows], axis=1) + 0.5) / mask.scale + mask.corner
    seen = given.pixels[place[:, 1].astype(int), place[:, 0].astype(int)].astype(float).mean(axis=0)
    back = drawn(hair) & (hair.vertices[hair.polygons].mean(axis=1)[:, 2] < -0.08)
    painted = texels(hair)[back, :3]
    assert np.abs(painted.mean(axis=0) - seen).max() < 40
    assert painted.std(axis=0).max() > 2, "with the grain of strands"


def test_the_same_photo_grows_the_same_hair(hair, given):
    from holotalk_addon.head.hair_volume import grow_hair

    again = grow_hair(given)
    for field in dataclasses.fields(hair):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(hair, field.name))


def test_a_bald_head_stays_bald(tools, given):
    """The fitted head itself, drawn in skin colour all over, is all there is of the person."""
    from holotalk_addon.head.hair_volume import grow_hair
    from holotalk_addon.head.raster import barycentric, pixel_centres, rasterize

    model, fit = tools.model, given.fit
    at = fit.to_camera(fit.posed(model))
    corners = fit.camera.project(at)[model.triangles]
    height, width = given.person.shape
    raster = rasterize(corners, -at[model.triangles][..., 2], width, height)
    pixel, triangle, centre = pixel_centres(raster)
    shade = np.einsum(
        "nc,nc->n",
        barycentric(corners, triangle, centre),
        (0.6 + 0.4 * np.clip(model.normals(at)[:, 2], 0, 1))[model.triangles[triangle]],
    )
    pixels = np.full((height * width, 3), 90, dtype=np.uint8)
    pixels[pixel] = np.clip(shade[:, None] * [205, 160, 135], 0, 255)
    person = np.zeros(height * width, dtype=np.float32)
    person[pixel] = 1
    bald = dataclasses.replace(
        given, pixels=pixels.reshape(height, width, 3), person=person.reshape(height, width)
    )
    assert grow_hair(bald) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "longest"), [("connelly.jpg", True), ("sample_4.jpg", False), ("justin.png", False)]
)
def test_long_hair_falls_and_short_hair_does_not(evaluate, tools, photos, name, longest):
    from holotalk_addon import pipeline

    path = photos / name
    if not path.exists():
        pytest.skip(f"{name} is not in HOLOTALK_PHOTOS")
    person = pipeline.person_from_photo(path, tools, pipeline.Stages(), texture_size=512)
    hair = person.head.hair
    lowest = hair.vertices[np.unique(hair.polygons[drawn(hair)])][:, 1].min()
    assert lowest < -0.12 if longest else lowest > -0.11
    assert evaluate.outline_iou(tools, person)[0] > 0.88
