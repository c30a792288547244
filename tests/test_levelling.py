# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo on its side or askew makes the head that the upright one makes."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from faces import case_path, faces, models, photo

from holotalk_addon import pipeline
from holotalk_addon.face import find_faces, levelled, photo_from_pixels, read_photo
from holotalk_addon.face.pose import level_yaw, rotation_from_angles, tilt
from holotalk_addon.head.hair_mask import hair_mask

TEXTURE = 512


def tilted_by(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """The picture turned clockwise on a canvas that holds it, its edge going on."""
    height, width = pixels.shape[:2]
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    size = math.ceil(width * cos + height * sin), math.ceil(width * sin + height * cos)
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), -degrees, 1.0)
    matrix[:, 2] += [(size[0] - width) / 2, (size[1] - height) / 2]
    return cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def test_an_upright_photo_stays_as_it_is():
    picture, found = photo("astronaut"), faces("astronaut")
    level = levelled(picture, found, found[0])
    assert level.photo is picture
    assert level.face is found[0]
    assert level.turned == 0.0


@pytest.mark.parametrize(("quarters", "turned"), [(1, -90.0), (2, 180.0), (3, 90.0)])
def test_quarter_turns_are_exact(quarters, turned):
    upright = skimage.data.astronaut()[:, 60:]  # not square
    picture = photo_from_pixels(np.ascontiguousarray(np.rot90(upright, quarters)))
    found = find_faces(picture, models())
    level = levelled(picture, found, found[0])
    assert (level.turned - turned) % 360.0 == 0.0
    assert np.array_equal(level.photo.pixels, upright)
    assert (level.photo.original_width, level.photo.original_height) == (452, 512)
    assert level.photo.alpha is None
    assert level.photo.inside is None
    # As it is found in the upright picture; the network's rest is good for a pixel or two.
    again = find_faces(photo_from_pixels(np.ascontiguousarray(upright)), models())[0]
    for name in ("mesh", "landmarks68", "iris", "eye_contour"):
        off = np.abs(getattr(level.face, name) - getattr(again, name))[..., :2]
        assert off.mean() < 2.0, name
    assert np.abs(level.face.box - again.box).max() < 4.0
    assert np.allclose(level.face.rotation, again.rotation, atol=0.06)
    for angle in ("yaw", "pitch", "roll"):
        assert abs(getattr(level.face, angle) - getattr(again, angle)) < 4.0, angle
    assert level.face.warnings == found[0].warnings


@pytest.mark.parametrize("degrees", [40.0, -40.0, 130.0])
def test_a_tilted_photo_is_levelled_about_its_middle(degrees):
    picture = photo_from_pixels(tilted_by(skimage.data.astronaut(), degrees))
    found = find_faces(picture, models())
    level = levelled(picture, found, found[0])
    face = level.face
    assert abs(tilt(face.rotation)) < 1e-6
    assert level.turned == pytest.approx(tilt(found[0].rotation))
    # What was in the middle is in the middle: the camera's axis.
    old, new = picture, level.photo
    assert new.focal_px == old.focal_px
    middle = cv2.getRectSubPix(old.pixels, (1, 1), (old.width / 2 - 0.5, old.height / 2 - 0.5))[0, 0]
    moved = cv2.getRectSubPix(new.pixels, (1, 1), (new.width / 2 - 0.5, new.height / 2 - 0.5))[0, 0]
    assert np.abs(middle.astype(int) - moved).max() <= 6
    # Points go where their pixels went.
    before = cv2.remap(old.pixels, *(found[0].mesh[:, None, :2] - 0.5).astype(np.float32).T[:, 0], 1)
    after = cv2.remap(new.pixels, *(face.mesh[:, None, :2] - 0.5).astype(np.float32).T[:, 0], 1)
    assert np.abs(before.astype(int) - after).mean() < 4.0
    # Nothing is lost, and what lies beyond the photo says so.
    assert new.inside is not None
    assert new.alpha is not None
    assert abs(int(new.inside.sum()) - old.width * old.height) < 4 * (old.width + old.height)
    assert not new.inside[0, 0]
    assert new.alpha[~new.inside].max() == 0
    ring = cv2.erode(new.inside.astype(np.uint8), np.ones((3, 3))) > 0
    assert new.alpha[ring].min() == 255
    assert new.inside[tuple(face.mesh[:, 1::-1].astype(int).T)].all()
    # The face's own eye line is level now.
    right, left = face.eye_contour.mean(axis=1)
    assert abs(math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))) < 12


def test_what_was_transparent_stays_so():
    pixels = np.ascontiguousarray(np.rot90(skimage.data.astronaut(), 1))
    alpha = np.full((512, 512), 255, np.uint8)
    alpha[:, :60] = 0
    picture = replace(photo_from_pixels(pixels), alpha=alpha)
    found = find_faces(picture, models())
    level = levelled(picture, found, found[0])
    assert np.array_equal(level.photo.alpha, np.rot90(alpha, -1))


def test_all_faces_come_along_and_the_chosen_one_is_among_them():
    picture = photo("group-2.jpg")
    pixels = cv2.resize(np.rot90(picture.pixels), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    lying = photo_from_pixels(np.ascontiguousarray(pixels))
    found = find_faces(lying, models())
    assert len(found) == 3, "turned, none of them is missed"
    level = levelled(lying, found, found[1])
    assert level.face is level.faces[1]
    assert all(abs(face.roll) < 30 for face in level.faces)


@pytest.mark.parametrize("angles", [(30.0, 10.0, 0.0), (-50.0, 20.0, 0.0), (0.0, -20.0, 0.0)])
@pytest.mark.parametrize("turned", [0.0, 90.0, 180.0, -40.0])
def test_tilt_is_the_turn_of_the_picture(angles, turned):
    a = math.radians(turned)  # clockwise in the picture, about the camera's axis
    about = np.array([[math.cos(a), math.sin(a), 0], [-math.sin(a), math.cos(a), 0], [0, 0, 1]])
    R = about @ rotation_from_angles(*angles)
    assert abs((tilt(R) - turned + 180) % 360 - 180) < 1e-9
    assert level_yaw(R) == pytest.approx(angles[0])


# --- the head that comes of it ----------------------------------------------------------------------


def head_of(pixels, tools):
    return pipeline.fitted(photo_from_pixels(pixels), tools, pipeline.Stages(), 1, TEXTURE)


def assert_same_head(upright, turned, tools):
    """Hair, texture and shape agree as far as two runs of the face network do."""
    model = tools.model
    masks = [hair_mask(seen_head) for seen_head in (upright, turned)]
    for name in ("hair", "person"):
        a, b = (getattr(mask, name) for mask in masks)
        assert np.minimum(a, b).sum() / np.maximum(a, b).sum() > 0.88, name
    seen = [seen_head.baked.seen for seen_head in (upright, turned)]
    assert np.minimum(*seen).sum() / np.maximum(*seen).sum() > 0.92
    both = np.minimum(*seen) > 0.5
    colours = [seen_head.baked.colour[both] for seen_head in (upright, turned)]
    assert np.abs(colours[0] - colours[1]).mean() * 255 < 8.0
    posed = [seen_head.fit.posed(model) for seen_head in (upright, turned)]
    assert np.linalg.norm(posed[0] - posed[1], axis=1).mean() < 0.0018


@pytest.fixture(scope="module")
def upright(tools):
    return head_of(read_photo(case_path("16_broad_smile.jpg")).pixels, tools).head


@pytest.mark.slow
def test_the_head_of_a_photo_on_its_head_is_that_of_the_upright_photo(upright, tools):
    turned = head_of(read_photo(case_path("03_turned_on_its_head.jpg")).pixels, tools).head
    assert_same_head(upright, turned, tools)


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 3])
def test_the_head_of_a_photo_on_its_side_is_that_of_the_upright_photo(quarters, upright, tools):
    pixels = read_photo(case_path("16_broad_smile.jpg")).pixels
    pixels = np.ascontiguousarray(np.rot90(pixels, quarters))
    turned = head_of(pixels, tools)
    assert_same_head(upright, turned.head, tools)
    face = turned.taken.face
    # The user is told of the picture as it is.
    assert 0 <= face.box[0] < pixels.shape[1]
    assert abs(abs(face.roll) - 90) < 20
    assert "lies on its side: it was turned upright" in " ".join(face.warnings)


@pytest.mark.slow
def test_the_head_of_a_tilted_photo_is_that_of_the_upright_photo(upright, tools):
    pixels = tilted_by(read_photo(case_path("16_broad_smile.jpg")).pixels, 40.0)
    turned = head_of(pixels, tools)
    assert_same_head(upright, turned.head, tools)
    face = turned.taken.face
    assert abs(face.roll - 40) < 15
    assert turned.head.person[~turned.head.inside].max() == 0.0, "beyond the photo nobody is"
