# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people of known shape, plainly painted and rendered, as the face network sees them.

What the network gets wrong on them is known exactly: the head model's landmark places and their errors
are measured here, and the fit is judged on others of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..face import rotation_from_angles
from ..face.mesh import fit_mesh
from ..face.networks import Network
from .base_mesh import BaseMesh, Bust
from .camera import Camera
from .head import PARTS
from .morphable_model import HeadModel, align_similarity
from .people import IdentityTargets
from .raster import Raster, barycentric, pixel_centres, rasterize

PICTURE = 640
DISTANCE_M = 0.75
CAMERA = Camera.of_picture(PICTURE, PICTURE, 1.5 * PICTURE)

_OPAQUE = ("skin", "eyes", "teeth", "tongue")


@dataclass(frozen=True)
class RenderedPerson:
    """One of them, before :data:`CAMERA`."""

    vertices: NDArray[np.float64]
    """(V, 3) metres, head axes: the neutral truth."""
    expression: NDArray[np.float64]
    """(52,) strengths."""
    rotation: NDArray[np.float64]
    """(3, 3) head axes -> camera axes."""
    picture: NDArray[np.uint8]
    """(PICTURE, PICTURE, 3) sRGB."""
    raster: Raster
    """Which of the model's triangles each pixel shows."""
    mesh: NDArray[np.float64]
    """(468, 3) what the network found, pixels."""
    score: float
    """The network's own face score."""

    def posed(self, model: HeadModel) -> NDArray[np.float64]:
        """(V, 3) metres, head axes, with the expression."""
        return np.asarray(self.vertices + _mixed(self.expression, model.expression_basis))

    def in_camera(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3) head axes -> camera axes, metres."""
        return np.asarray(points @ self.rotation.T + np.array([0.0, 0.0, -DISTANCE_M]))


def rendered_people(
    model: HeadModel,
    mesh: BaseMesh,
    bust: Bust,
    targets: IdentityTargets,
    network: Network,
    count: int,
    rng: np.random.Generator,
) -> Iterator[RenderedPerson]:
    """Yield random people over the model's whole range, turned up to about 30 degrees, with expressions.

    Args:
        model: the morphable model; only its mean, regions, parts and expressions are used.
        mesh: the base mesh.
        bust: its cut.
        targets: its identity targets.
        network: the 468-point network.
        count: how many.
        rng: decides everything about them.
    """
    base = bust.carry(mesh.vertices)
    head = bust.above_cut > 0.6
    for weights in targets.random_people(count, rng):
        shape = base + _mixed(weights, targets.deltas)
        shape = align_similarity(shape[head], model.mean[head], shape)
        expression = rng.uniform(0, 0.7, 52) * (rng.random(52) < 0.1)
        rotation = rotation_from_angles(rng.normal(0, 14), rng.normal(0, 7), rng.normal(0, 5))
        posed = shape + _mixed(expression, model.expression_basis)
        at = posed @ rotation.T + np.array([0.0, 0.0, -DISTANCE_M])
        picture, raster = _paint(model, posed, at, rng)
        face = CAMERA.project(at[model.region("face") > 0.5])
        middle, side = (face.min(axis=0) + face.max(axis=0)) / 2, float(np.ptp(face, axis=0).max())
        points, score = fit_mesh(network, picture, middle, 1.5 * side)
        yield RenderedPerson(shape, expression, rotation, picture, raster, points, score)


def _mixed(weights: NDArray[np.float64], shapes: NDArray[np.floating]) -> NDArray[np.floating]:
    """(V, 3) the weighted sum of (K, V, 3) shapes, of which most weigh nothing, in the shapes' precision."""
    used = np.flatnonzero(weights)
    return np.asarray(np.tensordot(weights[used].astype(shapes.dtype), shapes[used], axes=1))


def _paint(
    model: HeadModel,
    posed: NDArray[np.float64],
    at: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], Raster]:
    """Skin, lips, brows, eyes with irises, short hair, one light, on grey."""
    tone = rng.uniform(0.25, 0.9) * np.array([1.0, 0.78, 0.68])
    colour = np.tile(tone, (len(posed), 1))

    def paint(where: NDArray[np.floating], with_colour: NDArray[np.float64]) -> None:
        colour[:] = colour * (1 - where[:, None]) + with_colour * where[:, None]

    paint(model.region("lips"), tone * [0.85, 0.55, 0.55])
    paint(model.region("scalp"), tone * 0.3)
    paint(model.region("brows"), tone * 0.35)
    paint(model.region("mouth_inside"), np.array([0.2, 0.08, 0.08]))
    eyes = model.vertex_parts == PARTS.index("eyes")
    colour[eyes] = 0.85
    opaque = np.isin(model.polygon_parts[model.triangle_polygon], [PARTS.index(p) for p in _OPAQUE])
    index = np.flatnonzero(opaque).astype(np.int32)
    xy = CAMERA.project(at)[model.triangles]
    found = rasterize(xy[index], -at[model.triangles[index]][..., 2], PICTURE, PICTURE)
    raster = Raster(np.where(found.triangle >= 0, index[found.triangle], -1).astype(np.int32), found.depth)
    pixel, triangle, centre = pixel_centres(raster)
    weights = barycentric(xy, triangle, centre)
    corners = model.triangles[triangle]
    light = rng.normal(0, 0.35, 3) + np.array([0.0, 0.4, 1.0])
    shade = 0.35 + 0.75 * np.clip(model.normals(at) @ (light / np.linalg.norm(light)), 0, 1)
    lit = np.einsum("nc,ncd->nd", weights, (colour * shade[:, None])[corners])
    place = np.einsum("nc,ncd->nd", weights, posed[corners])
    on_eye = eyes[corners[:, 0]]
    for pole in model.poles(posed):  # an iris of 12 mm, a pupil of 4
        distance = np.linalg.norm(place - pole, axis=1)
        lit[on_eye & (distance < 0.006)] = (0.25, 0.18, 0.12)
        lit[on_eye & (distance < 0.002)] = 0.02
    picture = np.full((PICTURE**2, 3), 90, dtype=np.uint8)
    picture[pixel] = np.clip(lit * 255, 0, 255)
    return picture.reshape(PICTURE, PICTURE, 3), raster
