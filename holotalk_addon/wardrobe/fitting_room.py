# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not change from look to look, made once per head model: the room that people are fitted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.base_mesh import BaseMesh
from ..head.morphable_model import HeadModel
from ..head.skin_optics import skin_table
from ..head.surface import vertex_normals
from .space import Cage, Space, make_cage, make_space
from .strands import HairDrawing, draw_hair


@dataclass(frozen=True)
class FittingRoom:
    """Precomputed fields about the mean head, in head axes and metres. Opening one takes some seconds."""

    model: HeadModel
    skin: NDArray[np.float32]
    """the table of :mod:`..head.skin_optics`"""
    normals: NDArray[np.float32]
    """(V, 3) of the mean head"""
    space: Space
    """what lies around the mean head: how far from skin, and which way out"""
    cage: Cage
    """carries what was made around the mean head to a person's"""
    hair_room: NDArray[np.float32]
    """(V,) how far MakeHuman's hair helper geometry stands off the skin, over its middle on the scalp"""
    torso: NDArray[np.float32]
    """(B, 3) metres: neck, shoulders and chest below the mean head"""
    torso_faces: NDArray[np.int32]
    """(C, 4)"""
    hair: HairDrawing
    """straight locks without colour"""
    curls: HairDrawing
    """curled ones"""


def open_fitting_room(
    model: HeadModel,
    mesh: BaseMesh,
    body: NDArray[np.floating],
    outer: NDArray[np.bool_],
    rng: np.random.Generator,
) -> FittingRoom:
    """Prepare everything that all looks on one model share.

    Args:
        model: the head model.
        mesh: MakeHuman's whole body.
        body: (B, 3) its vertices as they lie about the model's mean head: metres, head axes.
        outer: (V,) the model's vertices on the outside, without mouth and eye sockets.
        rng: draws the locks.
    """
    normals = model.normals(model.mean)
    helper, helper_faces = _piece(body, mesh.faces[mesh.groups == "helper-hair"])
    faces = mesh.faces[mesh.groups == "body"]
    corners = body[faces]
    near = (corners[..., 1].max(axis=1) > -0.50) & (corners[..., 1].max(axis=1) < -0.10)
    near &= np.abs(corners[..., 0]).max(axis=1) < 0.36
    torso, torso_faces = _piece(body, faces[near])
    return FittingRoom(
        model=model,
        skin=skin_table(),
        normals=normals,
        space=make_space(model, normals, outer, torso, _quad_normals(torso, torso_faces)),
        cage=make_cage(model, outer),
        hair_room=_hair_room(model, helper, helper_faces),
        torso=torso,
        torso_faces=torso_faces,
        hair=draw_hair(rng),
        curls=draw_hair(rng, 34, 0.13),
    )


def _piece(
    vertices: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The vertices some faces use, and the faces over them."""
    used, index = np.unique(faces, return_inverse=True)
    return vertices[used].astype(np.float32), index.reshape(faces.shape).astype(np.int32)


def _hair_room(
    model: HeadModel, helper: NDArray[np.float32], faces: NDArray[np.int32]
) -> NDArray[np.float32]:
    """(V,) distance to the helper's surface, 1 in the middle of the scalp's; within 0.5 ... 1.7."""
    t = (np.arange(6) + 0.5) / 6
    a, b = (g.ravel()[:, None, None] for g in np.meshgrid(t, t))
    c = helper[faces].transpose(1, 0, 2)
    samples = (1 - a) * ((1 - b) * c[0] + b * c[1]) + a * ((1 - b) * c[3] + b * c[2])
    distance = _distance(model.mean, samples.reshape(-1, 3))
    middle = float(np.median(distance[model.region("scalp") > 0.9]))
    return np.clip(distance / middle, 0.5, 1.7).astype(np.float32)


def _distance(points: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) from each of (N, 3) points to the nearest of (M, 3) others. Blender's Python has no SciPy."""
    to = others.astype(np.float64)
    squares = (to**2).sum(axis=1)
    nearest = [
        ((part**2).sum(axis=1) + (squares - 2 * part @ to.T).min(axis=1))
        for part in np.array_split(points.astype(np.float64), 1 + len(points) // 256)
    ]
    return np.asarray(np.sqrt(np.maximum(np.concatenate(nearest), 0)))


def _quad_normals(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    return vertex_normals(vertices, np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]]))
