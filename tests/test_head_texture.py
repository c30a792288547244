# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo on the texture: where it lands, what the camera saw, what is filled in."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from heads import FLIP, known_person, part

from holotalk_addon import assets
from holotalk_addon.face import person_mask, rotation_from_angles
from holotalk_addon.head.camera import Camera
from holotalk_addon.head.completion import SeenHead
from holotalk_addon.head.fill import mirror_and_fill
from holotalk_addon.head.fitting import fit_head
from holotalk_addon.head.texture import bake_photo, texels


@pytest.fixture(scope="session")
def model(tools):
    return tools.model


@pytest.fixture(scope="module")
def parsing(demo_person, tools):
    return tools.parsing(demo_person.photo.pixels, demo_person.face.mesh)


@pytest.fixture(scope="module")
def mask(demo_person, parsing):
    return person_mask(demo_person.photo, parsing, demo_person.face.mesh)


@pytest.fixture(scope="module")
def layout(model):
    return texels(model, 512)


def test_every_texel_knows_its_place(model, layout):
    uv = np.einsum("nc,ncd->nd", layout.weights, model.triangle_uvs[layout.triangle].astype(np.float64))
    x, y = layout.texel % layout.size + 0.5, layout.texel // layout.size + 0.5
    assert np.abs(uv * layout.size - np.column_stack([x, layout.size - y])).max() < 0.01
    assert (np.diff(layout.texel) > 0).all()
    # A field that is linear in the texture is drawn exactly.
    drawn = layout.draw(model, np.ones(len(model.mean)))
    assert np.allclose(drawn.ravel()[layout.texel], 1.0, atol=1e-5)
    assert drawn.sum() == pytest.approx(len(layout.texel), rel=1e-5)


def test_the_photo_lands_where_it_belongs(demo_person, model, layout, mask):
    """A photo whose colours are its coordinates: every seen texel must name its own place."""
    height, width = demo_person.photo.pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    coordinates = np.stack([x * 255 / width, y * 255 / height, np.zeros_like(x)], axis=-1).astype(np.uint8)
    baked = bake_photo(model, demo_person.fit, layout, coordinates, np.ones_like(mask))
    at = demo_person.fit.to_camera(demo_person.fit.posed(model))
    place = demo_person.fit.camera.project(layout.interpolate(model, at).astype(np.float64))
    seen = baked.seen.ravel()[layout.texel] > 0.5
    assert seen.sum() > 0.15 * len(seen)
    found = baked.colour.reshape(-1, 3)[layout.texel][seen, :2] * [width, height]
    assert np.abs(found - place[seen] + 0.5).max() < 4.0  # a grey level is two pixels


@pytest.mark.parametrize("aside", [-0.03, 0.0, 0.03], ids=["too far left", "fitted", "too far right"])
def test_the_ground_never_reaches_the_head(demo_person, model, layout, parsing, mask, aside):
    """Also not where the head was placed beside the person, half of it over the ground."""
    fit = replace(demo_person.fit, translation=demo_person.fit.translation + np.array([aside, 0.0, 0.0]))
    pixels = demo_person.photo.pixels
    around = cv2.dilate((mask > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    assert 0.1 < around.mean() < 0.9
    painted = pixels.copy()
    painted[around] = MAGENTA
    plain, magenta = (bake_photo(model, fit, layout, photo, mask) for photo in (pixels, painted))
    shown = plain.seen > 0.02
    assert shown.mean() > 0.1
    # What between the lips is teeth is told by colours beside them, half of which are the ground's here.
    same = np.ones(layout.size**2, dtype=bool)
    same[layout.texel[layout.of_part(model, "teeth")]] = False
    assert np.array_equal(plain.seen.ravel()[same], magenta.seen.ravel()[same])
    assert np.abs(plain.colour - magenta.colour)[shown].max() < 0.02
    finished = mirror_and_fill(SeenHead(model, fit, layout, painted, mask, magenta, parsing))
    assert magenta_texels(finished.pixels) == 0
    # Without the mask it would reach it: the test sees that.
    careless = bake_photo(model, fit, layout, painted, np.ones_like(mask))
    if aside:
        assert magenta_texels(careless.colour * 255, careless.seen > 0.02) > 100


MAGENTA = (255, 0, 255)


def magenta_texels(pixels, chosen=True):
    red, green, blue = (pixels[..., k].astype(int) for k in range(3))
    return int(((red > green + 60) & (blue > green + 60) & chosen).sum())


def test_only_what_the_camera_saw_counts_as_seen(demo_person, model):
    seen = demo_person.seen
    layout = texels(model, seen.shape[0])
    drawn_part = layout.draw(model, part(model, "lashes").astype(float))
    assert (drawn_part > 0.5).sum() > 50
    assert seen[drawn_part > 0.5].max() == 0
    normals = model.normals(demo_person.fit.to_camera(demo_person.fit.posed(model)))
    away = layout.draw(model, (normals[:, 2] < -0.1).astype(float)) > 0.99
    assert away.sum() > 1000
    assert seen[away].max() == 0
    assert seen[layout.draw(model, model.region("mouth_inside")) > 0.99].mean() < 0.2
    # The face itself was seen.
    assert seen[layout.draw(model, model.region("face")) > 0.99].mean() > 0.6
    outside = np.ones(seen.size, dtype=bool)
    outside[layout.texel] = False
    assert (seen.ravel()[outside] == 0).all()


def test_what_lies_behind_the_nose_is_not_seen(model):
    """From far to one side the other cheek is hidden by the nose, and the other ear by the head."""
    camera, mesh, iris, _, _, _, _ = known_person(model, 4)
    fit = fit_head(model, camera, mesh, iris, np.eye(3))
    R = rotation_from_angles(60.0, 0.0, 0.0)
    fit = replace(
        fit, rotation=R, translation=np.array([0.0, 0.0, -0.9]), camera=Camera(1500.0, 450.0, 600.0)
    )
    layout = texels(model, 256)
    white = np.full((1200, 900, 3), 255, np.uint8)
    baked = bake_photo(model, fit, layout, white, np.ones((1200, 900)))
    ears = layout.draw(model, model.region("ears")) > 0.9
    x = layout.draw(model, model.mean[:, 0])
    # The nose points to the picture's right: the person's right ear is before the camera.
    assert baked.seen[ears & (x < 0)].mean() > 0.3
    assert baked.seen[ears & (x > 0)].max() == 0


def test_alpha_is_full_but_on_the_lashes(demo_person, model):
    texture = demo_person.head.texture
    assert texture.dtype == np.uint8
    assert texture.shape[2] == 4
    layout = texels(model, texture.shape[0])
    lashes = layout.draw(model, part(model, "lashes").astype(float)) > 0.5
    assert (texture[~lashes, 3] == 255).all()
    assert texture[lashes, 3].min() == 0
    assert 20 < texture[lashes, 3].mean() < 200


def test_a_mirrored_photo_bakes_the_mirrored_texture(demo_person, model, layout, mask):
    """Taking each colour from the opposite place is baking the flipped photo on the flipped head."""
    fit, pixels = demo_person.fit, demo_person.photo.pixels
    width = pixels.shape[1]
    F = np.diag(FLIP)
    flipped_fit = replace(
        fit,
        rotation=F @ fit.rotation @ F,
        translation=F @ fit.translation,
        vertices=(fit.vertices[model.mirror] * FLIP).astype(np.float32),
        expression=_swap_sides(model, fit.expression),
        camera=replace(fit.camera, centre_x=width - fit.camera.centre_x),
    )
    opposite = bake_photo(model, fit, layout, pixels, mask, mirrored=True)
    flipped = bake_photo(
        model,
        flipped_fit,
        layout,
        np.ascontiguousarray(pixels[:, ::-1]),
        np.ascontiguousarray(mask[:, ::-1]),
    )
    both = (opposite.seen > 0.5) & (flipped.seen > 0.5)
    assert both.sum() > 0.1 * both.size
    apart = np.abs(opposite.colour - flipped.colour).max(axis=-1)[both]
    assert np.quantile(apart, 0.99) < 0.02
    assert np.abs(opposite.seen - flipped.seen).mean() < 0.01


def _swap_sides(model, expression):
    names = [str(name) for name in model.expression_names]

    def twin(name):
        for a, b in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(a):
                return name[: -len(a)] + b
        return name

    return np.array([expression[names.index(twin(name))] for name in names])


def test_the_finished_head_has_the_colours_of_the_person(demo_person, model):
    texture = demo_person.head.texture[..., :3].astype(float) / 255
    layout = texels(model, texture.shape[0])
    face = (layout.draw(model, model.region("face")) > 0.99) & (demo_person.seen > 0.9)
    neck = layout.draw(model, model.region("neck")) > 0.99
    skin, throat = texture[face].mean(axis=0), texture[neck].mean(axis=0)
    assert np.abs(skin / skin.sum() - throat / throat.sum()).max() < 0.06  # the same hue, also where filled
    hair = texture[layout.draw(model, model.region("scalp")) > 0.99].mean(axis=0)
    assert hair.sum() < 0.75 * skin.sum()  # dark brown hair all round
    inside = np.zeros(texture.shape[:2], dtype=bool).ravel()
    inside[layout.texel] = True
    assert texture.reshape(-1, 3)[inside].max(axis=1).min() > 0.005  # nothing was left black


def test_the_demo_portrait_is_the_public_domain_picture():
    from PIL import Image

    with Image.open(assets.demo_portrait()) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), skimage.data.astronaut())


def test_the_edge_of_the_picture_is_not_darkened():
    from holotalk_addon.head.texture import sample_picture

    plain = np.full((8, 8, 3), 0.6, dtype=np.float32)
    places = np.array([[0.1, 4.0], [0.25, 0.25], [7.9, 7.9], [4.0, 4.0]])
    assert sample_picture(plain, places, cv2.BORDER_REPLICATE) == pytest.approx(0.6, abs=1e-3)
    outside = np.array([[-5.0, 4.0], [20.0, 4.0]])
    assert np.abs(sample_picture(plain[..., 0], outside)).max() == 0
