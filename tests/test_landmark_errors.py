# SPDX-License-Identifier: GPL-3.0-or-later
"""The network's errors as statistics: what was put in is found again."""

from __future__ import annotations

import numpy as np
import pytest

from holotalk_addon.face import rotation_from_angles
from holotalk_addon.head.landmark_errors import (
    MODES,
    drift_of,
    eye_distance,
    measure_errors,
    pose_terms,
    upright,
)

POINTS = 468
PARTNER = np.arange(POINTS) ^ 1  # points in pairs, one on each side


@pytest.fixture(scope="module")
def measured():
    """Errors that drift to the right by 0.1 of the eyes' distance for every radian of yaw, with noise."""
    rng = np.random.default_rng(4)
    rotations = np.stack(
        [rotation_from_angles(*angles) for angles in rng.normal(0, 1, (200, 3)) * [14, 7, 5]]
    )
    yaw = np.array([pose_terms(rotation)[1] for rotation in rotations])
    errors = rng.normal(0, 0.004, (200, POINTS, 2))
    errors[..., 0] += 0.1 * yaw[:, None]
    return measure_errors(errors, rotations, PARTNER)


def test_the_drift_that_was_put_in_is_found(measured):
    assert measured.drift.shape == (6, POINTS, 2)
    np.testing.assert_allclose(measured.drift[1, :, 0], 0.1, atol=0.015)
    assert abs(measured.drift[1, :, 1].mean()) < 0.001
    assert np.abs(measured.drift[[0, 2]]).mean() < 0.002


def test_what_is_left_is_the_noise_alone(measured):
    assert measured.modes.shape == (MODES, POINTS, 2)
    np.testing.assert_allclose(measured.sigma, 0.004, rtol=0.25)


def test_a_mirrored_face_drifts_the_mirrored_way(measured):
    turned, mirrored = rotation_from_angles(20, 5, 0), rotation_from_angles(-20, 5, 0)
    one, other = drift_of(measured.drift, turned, 100.0), drift_of(measured.drift, mirrored, 100.0)
    np.testing.assert_allclose(other[PARTNER] * [-1, 1], one, atol=1e-9)
    assert one[:, 0].mean() == pytest.approx(100 * 0.1 * np.radians(20), rel=0.1)


def test_drift_follows_a_tilted_head(measured):
    level = drift_of(measured.drift, rotation_from_angles(20, 0, 0), 100.0).mean(axis=0)
    tilted_by = rotation_from_angles(20, 0, 30)
    tilted = drift_of(measured.drift, tilted_by, 100.0).mean(axis=0)
    # A clockwise tilt in the picture turns right toward down.
    assert np.degrees(np.arctan2(tilted[1], tilted[0]) - np.arctan2(level[1], level[0])) == pytest.approx(
        30, abs=1
    )
    np.testing.assert_allclose(tilted @ upright(tilted_by), level, atol=0.2)


def test_eyes_are_as_far_apart_however_the_face_turns():
    points = np.zeros((POINTS, 3))
    points[33, 0], points[263, 0] = -50.0, 50.0
    assert eye_distance(points, np.eye(3)) == pytest.approx(100.0)
    assert eye_distance(points * np.cos(np.radians(40)), rotation_from_angles(40, 0, 0)) == pytest.approx(
        100.0
    )


def test_far_turned_faces_count_as_the_farthest_that_were_measured():
    np.testing.assert_allclose(
        pose_terms(rotation_from_angles(80, 0, 0)), pose_terms(rotation_from_angles(36, 0, 0)), atol=1e-9
    )
