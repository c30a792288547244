# SPDX-License-Identifier: GPL-3.0-or-later
"""Random people of known shape, plainly painted and rendered, as the face network sees them.

What the network gets wrong on them is known exactly: the head model's landmark places and their errors
are measured here, and the fit is judged on others of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..face import rotation_from_angles
from ..face.mesh import fit_mesh
from ..face.networks import Network
from ..head.base_mesh import BaseMesh, Bust
from ..head.camera import Camera
from ..head.head import PARTS
from ..head.landmark_errors import eye_distance, upright
from ..head.morphable_model import HeadModel, align_similarity, opposite_name
from ..head.raster import Raster, barycentric, pixel_centres, rasterize
from .identity_targets import IdentityTargets

PICTURE = 640
DISTANCE_M = 0.75
CAMERA = Camera.of_picture(PICTURE, PICTURE, 1.5 * PICTURE)
_TRIED = 0.6  # strength at which the response to expressions is measured: as strong as they are in photos


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
    """Which of the model's triangles each pixel shows, lashes aside."""
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
    for shape in random_shapes(model, mesh, bust, targets, count, rng):
        expression = rng.uniform(0, 0.7, 52) * (rng.random(52) < 0.1)
        rotation = rotation_from_angles(rng.normal(0, 14), rng.normal(0, 7), rng.normal(0, 5))
        yield render_person(model, network, shape, expression, rotation, rng)


def random_shapes(
    model: HeadModel,
    mesh: BaseMesh,
    bust: Bust,
    targets: IdentityTargets,
    count: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.float64]]:
    """Yield (V, 3) metres, head axes: random people at rest, laid on the mean head."""
    base = bust.carry(mesh.vertices)
    head = bust.above_cut > 0.6
    for weights in targets.random_people(count, rng):
        shape = base + _mixed(weights, targets.deltas)
        yield align_similarity(shape[head], model.mean[head], shape)


def render_person(
    model: HeadModel,
    network: Network,
    shape: NDArray[np.float64],
    expression: NDArray[np.float64],
    rotation: NDArray[np.float64],
    rng: np.random.Generator,
) -> RenderedPerson:
    """Paint one person and find their points.

    Args:
        model: the morphable model.
        network: the 468-point network.
        shape: (V, 3) metres, head axes, at rest.
        expression: (52,) strengths.
        rotation: (3, 3) head axes -> camera axes.
        rng: decides colours and light.
    """
    posed = shape + _mixed(expression, model.expression_basis)
    at = posed @ rotation.T + np.array([0.0, 0.0, -DISTANCE_M])
    picture, raster = _paint(model, posed, at, rng)
    face = CAMERA.project(at[model.region("face") > 0.5])
    middle, side = (face.min(axis=0) + face.max(axis=0)) / 2, float(np.ptp(face, axis=0).max())
    points, score = fit_mesh(network, picture, middle, 1.5 * side)
    return RenderedPerson(shape, expression, rotation, picture, raster, points, score)


def expression_response(
    model: HeadModel,
    network: Network,
    shapes: Iterable[NDArray[np.float64]],
    partner: NDArray[np.integer],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(52, 468, 2) how far the points fall behind their places with each expression at full strength.

    Every person is drawn at rest and with each expression, all else alike: what is wrong with the points
    anyway drops out of the difference. x right and y down in the upright face, in distances between the outer
    eye corners.

    Args:
        model: the morphable model with its landmarks.
        network: the 468-point network.
        shapes: (V, 3) metres, head axes: the people at rest.
        partner: (468,) each point's counterpart on the other side.
        rng: decides their poses, colours and light.
    """
    strengths = _TRIED * np.eye(len(model.expression_names))
    found = []
    for shape in shapes:
        rotation = rotation_from_angles(rng.normal(0, 10), rng.normal(0, 5), 0.0)
        look = int(rng.integers(1 << 31))
        misses = []
        for expression in (np.zeros(len(strengths)), *strengths):
            person = render_person(model, network, shape, expression, rotation, np.random.default_rng(look))
            true = CAMERA.project(person.in_camera(model.landmarks(person.posed(model))))
            misses.append((person.mesh[:, :2] - true) @ upright(rotation) / eye_distance(true, rotation))
        found.append((np.stack(misses[1:]) - misses[0]) / _TRIED)
    one_side = np.mean(found, axis=0)
    names = [str(name) for name in model.expression_names]
    twins = [names.index(opposite_name(name)) for name in names]
    return np.asarray((one_side + one_side[twins][:, partner] * [-1.0, 1.0]) / 2.0)


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
    """Skin, lips, brows, eyes with irises and lashes, teeth, tongue, short hair, one light, on grey."""
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
    colour[model.vertex_parts == PARTS.index("teeth")] = 0.8
    colour[model.vertex_parts == PARTS.index("tongue")] = tone * [0.8, 0.45, 0.45]
    colour[model.vertex_parts == PARTS.index("lashes")] = tone * 0.15
    xy, depth = CAMERA.project(at)[model.triangles], -at[model.triangles][..., 2]
    solid = model.polygon_parts[model.triangle_polygon] != PARTS.index("lashes")
    index = np.flatnonzero(solid).astype(np.int32)
    found = rasterize(xy[index], depth[index], PICTURE, PICTURE)
    raster = Raster(np.where(found.triangle >= 0, index[found.triangle], -1).astype(np.int32), found.depth)
    pixel, triangle, centre = pixel_centres(rasterize(xy, depth, PICTURE, PICTURE))
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
