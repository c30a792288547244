# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of a photo are the person."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import skimage.data
from faces import PORTRAITS, faces, models, network, parsing, photo

from holotalk_addon.face import (
    find_faces,
    person_mask,
    photo_from_pixels,
)
from holotalk_addon.face.mask import guided_coefficients


@pytest.mark.parametrize("name", ["astronaut", *PORTRAITS])
def test_the_mask_holds_the_face_and_not_the_ground(name):
    picture, face = photo(name), faces(name)[0]
    mask = person_mask(picture, parsing(name), face.mesh)
    assert mask.shape == picture.pixels.shape[:2]
    assert mask.dtype == np.float32
    assert 0.0 <= mask.min() <= mask.max() <= 1.0
    columns, rows = (face.mesh[:, :2].T).astype(int)
    ok = (columns >= 0) & (rows >= 0) & (columns < picture.width) & (rows < picture.height)
    inner = ok & (np.linalg.norm(face.mesh[:, :2] - face.mesh[1, :2], axis=1) < 0.45 * face.box[2])
    assert mask[rows[inner], columns[inner]].mean() > 0.97
    assert mask[: picture.height // 20, : picture.width // 20].mean() < 0.1
    assert mask[: picture.height // 20, -(picture.width // 20) :].mean() < 0.1


def test_the_mask_is_one_piece():
    mask = person_mask(photo("astronaut"), parsing("astronaut"), faces("astronaut")[0].mesh)
    count, _ = cv2.connectedComponents((mask > 0.5).astype(np.uint8))
    assert count == 2  # the ground and the person


def test_the_mask_follows_the_photo_more_closely_than_the_network():
    """Hair against the bright wall: the mask's edge lies on the photo's."""
    picture, face = photo("astronaut"), faces("astronaut")[0]
    mask = person_mask(picture, parsing("astronaut"), face.mesh)
    grey = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    crown = slice(20, 60), slice(175, 275)
    ground, hair = mask[crown] < 0.2, mask[crown] > 0.8
    assert ground.sum() > 300
    assert hair.sum() > 300
    assert grey[crown][ground].mean() - grey[crown][hair].mean() > 40


def test_what_the_file_calls_transparent_is_ground():
    picture, face = photo("astronaut"), faces("astronaut")[0]
    alpha = np.full(picture.pixels.shape[:2], 255, np.uint8)
    alpha[:, 225:] = 0
    mask = person_mask(replace(picture, alpha=alpha), parsing("astronaut"), face.mesh)
    assert mask[:, 225:].max() == 0.0
    assert mask[122, 200] > 0.9


def test_the_mask_of_one_of_several_is_without_the_others():
    picture, found = photo("group-1.jpg"), faces("group-1.jpg")
    for number, face in enumerate(found):
        mask = person_mask(picture, parsing("group-1.jpg", number), face.mesh)
        for other in found:
            x, y = other.mesh[1, :2].astype(int)
            if other is face:
                assert mask[y, x] > 0.9
            else:
                assert mask[y, x] == 0


def test_the_mask_of_a_face_at_the_edge():
    pixels = np.ascontiguousarray(skimage.data.astronaut()[90:, 200:])
    picture = photo_from_pixels(pixels)
    face = find_faces(picture, models())[0]
    mask = person_mask(picture, network()(pixels, face.mesh), face.mesh)
    assert mask.shape == pixels.shape[:2]
    assert mask[30, 20] > 0.8


def test_guided_filter_moves_an_edge_on_to_the_guide():
    guide = np.zeros((60, 80, 3), np.float32)
    guide[:, 40:] = (0.8, 0.6, 0.5)
    rough = np.zeros((60, 80), np.float32)
    rough[:, 36:] = 1.0  # four pixels off
    rough = cv2.GaussianBlur(rough, (0, 0), 3)
    planes = guided_coefficients(guide, rough, 8, 1e-3)
    sharp = (planes[..., :3] * guide).sum(axis=-1) + planes[..., 3]
    assert rough[30, 40] - rough[30, 39] < 0.1
    assert sharp[30, 40] - sharp[30, 39] > 0.4
    assert np.ptp(sharp[30, 25:40]) < 0.6
    flat = guided_coefficients(
        np.full((40, 40, 3), 0.5, np.float32), np.full((40, 40), 0.3, np.float32), 4, 1e-3
    )
    assert np.allclose((flat[..., :3] * 0.5).sum(axis=-1) + flat[..., 3], 0.3, atol=1e-4)
