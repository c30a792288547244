# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose of faces: rotations and angles, meshes of known pose, real photos."""

import numpy as np
import pytest
from faces import faces, models, photo

from holotalk_addon.face import (
    angles_from_rotation,
    find_faces,
    photo_from_pixels,
    pose_six_points,
    rotation_from_angles,
)
from holotalk_addon.face.pose import SIX_OF_68, SIX_POINTS, STABLE_POINTS, mesh_rotation


def test_angles_and_rotations_are_inverses():
    random = np.random.default_rng(4)
    for _ in range(200):
        angles = random.uniform((-89, -179, -179), (89, 179, 179))
        R = rotation_from_angles(*angles)
        assert np.allclose(R @ R.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) == pytest.approx(1.0)
        assert np.allclose(angles_from_rotation(R), angles, atol=1e-6)


def test_what_the_signs_mean():
    nose, crown = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert (rotation_from_angles(30, 0, 0) @ nose)[0] > 0.4  # to the picture's right
    assert (rotation_from_angles(0, 30, 0) @ nose)[1] > 0.4  # raised
    assert (rotation_from_angles(0, 0, 30) @ crown)[0] > 0.4  # clockwise: the crown goes to the right
    assert np.allclose(rotation_from_angles(0, 0, 0), np.eye(3))


def synthetic_mesh(R: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The mesh that the network would give of ``shape`` (head axes) turned by ``R``, in 512 px pictures."""
    camera = shape @ R.T * 900.0
    return camera * [1.0, -1.0, -1.0] + [256.0, 256.0, 0.0]


@pytest.mark.parametrize("angles", [(0, 0, 0), (35, 0, 0), (-50, 20, 10), (10, -25, -40), (5, 5, 170)])
def test_pose_of_a_known_mesh_is_exact(angles):
    shape = faces("astronaut")[0].mesh * [1.0, -1.0, -1.0]
    shape = (shape - shape[list(STABLE_POINTS)].mean(axis=0)) / 900.0
    R = rotation_from_angles(*angles)
    found = mesh_rotation(synthetic_mesh(R, shape), shape, 768.0, 512, 512)
    assert np.allclose(found, R, atol=1e-9)


def test_the_direction_to_the_face_counts():
    """A head at the picture's right that looks along the camera's axis: the crop by itself shows it
    turned outward, but it is not turned."""
    shape = faces("astronaut")[0].mesh * [1.0, -1.0, -1.0]
    shape = (shape - shape[list(STABLE_POINTS)].mean(axis=0)) / 9000.0
    off_axis = 20.0
    x = 256.0 + 768.0 * np.tan(np.radians(off_axis))
    seen = synthetic_mesh(rotation_from_angles(off_axis, 0, 0), shape) + np.array([x - 256.0, 0.0, 0.0])
    yaw, pitch, roll = angles_from_rotation(mesh_rotation(seen, shape, 768.0, 512, 512))
    assert abs(yaw) < 0.5
    assert abs(pitch) < 0.5
    assert abs(roll) < 0.5


def test_yaw_changes_its_sign_under_mirroring():
    for name in ("stock-emotions-a-2.jpg", "breakingbad.jpg"):
        face = faces(name)[0]
        pixels = np.ascontiguousarray(photo(name).pixels[:, ::-1])
        mirrored = find_faces(photo_from_pixels(pixels), models())[0]
        assert abs(face.yaw) > 20
        assert abs(face.yaw + mirrored.yaw) < 6
        assert abs(face.pitch - mirrored.pitch) < 6
        assert abs(face.roll + mirrored.roll) < 6


@pytest.mark.parametrize(
    ("name", "sign"), [("stock-emotions-a-2.jpg", 1), ("breakingbad.jpg", -1), ("lawrence.jpg", 1)]
)
def test_the_nose_points_where_it_does(name, sign):
    """As seen by eye: to the picture's right (+) or left."""
    face = faces(name)[0]
    assert np.sign(face.yaw) == sign
    assert abs(face.yaw) > 10
    assert np.allclose(angles_from_rotation(face.rotation), (face.yaw, face.pitch, face.roll))


@pytest.mark.parametrize("name", ["astronaut", "justin.png", "stock-emotions-a-4.jpg", "takeo.ppm"])
def test_faces_that_look_at_the_camera(name):
    face = faces(name)[0]
    assert abs(face.yaw) < 8
    assert abs(face.pitch) < 15
    assert abs(face.roll) < 8


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 5, 0), (-40, -10, 15), (10, 20, -30)])
def test_six_points_of_their_own_head_give_its_pose(angles):
    R = rotation_from_angles(*angles)
    camera = SIX_POINTS @ R.T + [100.0, 50.0, -3000.0]
    picture = np.zeros((68, 2))
    picture[list(SIX_OF_68)] = np.column_stack(
        [320 - 700 * camera[:, 0] / camera[:, 2], 240 + 700 * camera[:, 1] / camera[:, 2]]
    )
    found = pose_six_points(picture, 700.0, 640, 480)
    assert np.allclose(angles_from_rotation(found), angles, atol=0.1)


def test_the_baseline_agrees_roughly_on_frontal_faces():
    face, picture = faces("astronaut")[0], photo("astronaut")
    R = pose_six_points(face.landmarks68, picture.focal_px, picture.width, picture.height)
    assert np.abs(np.subtract(angles_from_rotation(R), (face.yaw, face.pitch, face.roll))).max() < 25
