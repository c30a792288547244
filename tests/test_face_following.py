# SPDX-License-Identifier: GPL-3.0-or-later
"""A face from frame to frame: found again where it was, and a head whose identity is known already."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from faces import faces, models

from holotalk_addon.face import find_faces, follow_face, photo_from_pixels, rotation_from_angles
from holotalk_addon.head.camera import Camera
from holotalk_addon.head.fitting import fit_head

CAMERA = Camera.of_picture(512, 512, 768.0)


def moved(across: float, down: float, turned: float) -> np.ndarray:
    """The demo portrait shifted by pixels and turned by degrees about its face."""
    x, y, w, h = faces("astronaut")[0].box
    matrix = cv2.getRotationMatrix2D((x + w / 2, y + h / 2), -turned, 1.0)
    matrix[:, 2] += (across, down)
    return cv2.warpAffine(skimage.data.astronaut(), matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("motion", [(0, 0, 0), (14, -9, 0), (-25, 20, 8)])
def test_a_face_that_moved_a_little_is_found_where_it_went(motion):
    photo = photo_from_pixels(moved(*motion))
    found = follow_face(photo, models(), faces("astronaut")[0])
    assert found is not None
    searched = find_faces(photo, models())[0]
    assert np.abs(found.mesh - searched.mesh)[:, :2].mean() < 1.5
    assert abs(found.yaw - searched.yaw) < 3


@pytest.mark.parametrize("gone", ["another place", "nobody"])
def test_a_face_that_is_not_there_is_lost(gone):
    pixels = moved(190, 120, 0) if gone == "another place" else np.full((512, 512, 3), 120, np.uint8)
    assert follow_face(photo_from_pixels(pixels), models(), faces("astronaut")[0]) is None


def seen(model, identity, expression, rotation):
    """(468, 3) where the landmarks of such a head are in a picture."""
    posed = model.vertices(identity) + np.tensordot(expression, model.expression_basis, axes=1)
    at = model.landmarks(posed) @ rotation.T + np.array([0.0, 0.0, -0.7])
    return np.column_stack([CAMERA.project(at), np.zeros(468)])


def test_a_known_identity_is_held_and_the_rest_is_found(tools):
    model = tools.model
    rng = np.random.default_rng(4)
    identity = rng.standard_normal(len(model.identity_basis))
    calm, names = np.zeros(len(model.expression_basis)), [str(n) for n in model.expression_names]
    front, turned = rotation_from_angles(0, 0, 0), rotation_from_angles(18, -8, 5)
    known = fit_head(model, CAMERA, seen(model, identity, calm, front), None, front)
    talking = calm.copy()
    talking[names.index("jawOpen")] = 0.6
    points = seen(model, identity, talking, turned)
    fit = fit_head(model, CAMERA, points, None, turned, known)
    assert np.array_equal(fit.identity, known.identity)
    assert np.array_equal(fit.vertices, known.vertices)
    assert fit.expression[names.index("jawOpen")] == pytest.approx(0.6, abs=0.15)
    assert np.degrees(np.arccos((np.trace(fit.rotation @ turned.T) - 1) / 2)) < 3
    assert fit.nme_percent < 2.0
    freely = fit_head(model, CAMERA, points, None, turned)
    assert np.linalg.norm(freely.vertices - known.vertices, axis=1).max() > 0.001, "else it would be the same"
