# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of heads share: parts of the model, and a person of whom all is known."""

import numpy as np

from holotalk_addon.face import rotation_from_angles
from holotalk_addon.head.camera import Camera
from holotalk_addon.head.head import PARTS

FLIP = np.array([-1.0, 1.0, 1.0])


def part(model, name):
    return model.vertex_parts == PARTS.index(name)


def known_person(model, seed):
    """Landmarks of a known head before a known camera."""
    rng = np.random.default_rng(seed)
    camera = Camera.of_picture(900, 1200, 1800.0)
    identity = rng.normal(0, 0.7, len(model.identity_basis))
    expression = np.zeros(52)
    expression[rng.choice(52, 4, replace=False)] = rng.uniform(0.2, 0.6, 4)
    angles = rng.uniform(-20, 20, 3)
    R = rotation_from_angles(*angles)
    t = np.array([*rng.uniform(-0.05, 0.05, 2), -rng.uniform(0.6, 1.2)])
    vertices = model.vertices(identity, expression)
    points = camera.project(model.landmarks(vertices) @ R.T + t)
    iris = camera.project(model.poles(vertices) @ R.T + t)
    nearly = rotation_from_angles(*(angles + rng.normal(0, 2.0, 3)))
    mesh = np.column_stack([points, np.zeros(468)])
    return camera, mesh, iris, nearly, angles, t, model.vertices(identity)
