# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the points of the face mesh lie on the head, and how wrong its network is: part of compiling the
head model.

The network looks at clay heads first, then at painted people; where a point falls is cast back on
to the surface.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..face import mesh as face_mesh
from ..face.networks import Network
from ..face.pose import mesh_rotation
from ..head.landmark_errors import eye_distance, measure_errors, upright
from ..head.morphable_model import HeadModel
from ..head.raster import barycentric, rasterize
from ..head.surface import vertex_normals
from ..progress import Progress
from .rendered_people import (
    CAMERA,
    PICTURE,
    RenderedPerson,
)

_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324, 96, 89, 179, 86, 15, 316, 403, 319, 325)
"""The points on the lower lip's inner edge and rim, which in a closed mouth touch the upper lip."""
_FOLLOWS_JAW = 0.25  # share of the chin's way down from which a place belongs to the lower jaw
_CLAY_HEADS = 16
_CLAY_SIZE = 384


def find_landmarks(
    network: Network,
    mean: NDArray[np.float64],
    components: NDArray[np.float64],
    expressions: NDArray[np.float64],
    triangles: NDArray[np.int32],
    lower_jaw: NDArray[np.int32],
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Where the 468 points lie on the surface: (468, 3) vertices, weights, and the level mesh (468, 3).

    Clay renders of random people with random expressions, seen from the front by an orthographic
    camera, go through the network; each point is cast back on to the visible triangle. The casts are
    averaged on the mean head, made symmetric, and put back on to its surface.
    """
    places = []
    scores = []
    first = np.zeros((face_mesh.POINTS, 3))
    for i in range(_CLAY_HEADS):
        vertices = mean
        if i:  # the first is the mean head itself
            vertices = vertices + np.tensordot(rng.normal(0, 0.8, len(components)), components, axes=1)
            strengths = rng.uniform(0, 0.6, len(expressions)) * (rng.random(len(expressions)) < 0.12)
            vertices = vertices + np.tensordot(strengths, expressions, axes=1)
        points, score, corners, weights = _cast(network, vertices, triangles)
        if i == 0:
            first = points
        scores.append(score)
        if score > 0.8:
            places.append(np.einsum("lc,lcd->ld", weights, mean[corners]))
        progress(0.7 + 0.1 * i / _CLAY_HEADS)
    if len(places) < _CLAY_HEADS // 2:
        raise ValueError(f"The face network does not see the clay heads (scores {np.round(scores, 2)}).")
    corners, weights = _on_surface(np.stack(places), mean, triangles, lower_jaw, partners(first))
    return corners, weights, first


def _on_surface(
    places: NDArray[np.float64],
    mean: NDArray[np.floating],
    triangles: NDArray[np.int32],
    lower_jaw: NDArray[np.int32],
    partner: NDArray[np.intp],
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(468, 3) vertices and weights for (N, 468, 3) casts on the mean head; ``lower_jaw`` (J, 3) are the
    triangles that open with the mouth; ``partner`` (468,) pairs the points of the two sides.

    The median is not moved by casts that fell through the open mouth or past an outline. In a closed
    mouth the lips touch: the nearest surface to a point of the lower one may be the upper one's.
    """
    wanted = np.median(places, axis=0)
    wanted = (wanted + wanted[partner] * [-1.0, 1.0, 1.0]) / 2.0
    vertices = np.asarray(mean, dtype=np.float64)
    corners, weights = _closest_on_surface(wanted, vertices, triangles)
    lower = list(_LOWER_LIP)
    corners[lower], weights[lower] = _closest_on_surface(wanted[lower], vertices, lower_jaw)
    return corners, weights


def lower_jaw_of(triangles: NDArray[np.int32], jaw_open: NDArray[np.float64]) -> NDArray[np.int32]:
    """(J, 3) of (T, 3) triangles those that follow the jaw, by the (V, 3) displacements of ``jawOpen``."""
    down = -jaw_open[:, 1]
    return np.asarray(triangles[(down > _FOLLOWS_JAW * down.max())[triangles].all(axis=1)])


def iris_poles(
    mean: NDArray[np.float64], eyes: list[NDArray[np.intp]], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(2, 3) vertices and weights of the place on each eyeball straight before its centre."""
    poles = []
    for eye in eyes:
        low, high = mean[eye].min(axis=0), mean[eye].max(axis=0)
        poles.append([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2]])
    on_eyes = triangles[np.isin(triangles[:, 0], np.concatenate(eyes))]
    return _closest_on_surface(np.array(poles), mean, on_eyes)


def partners(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,) for each of (N, 3) points its counterpart on the other side: the pairing that leaves the
    least distance between points and mirror images in all (the Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    middle = np.median(points[:, 0])
    centred = points - [middle, 0.0, 0.0]
    reflected = centred * [-1.0, 1.0, 1.0]
    cost = ((centred[None] - reflected[:, None]) ** 2).sum(axis=2)
    return np.asarray(linear_sum_assignment(cost)[1])


def placed_landmarks(
    model: HeadModel,
    people: list[RenderedPerson],
    surface: NDArray[np.int32],
    lower_jaw: NDArray[np.int32],
) -> HeadModel:
    """The model with its landmarks put where the network finds them on painted people, and the mesh of a
    level head as the network sees it."""
    mean = model.mean.astype(np.float64)
    places = []
    for person in people:
        xy = CAMERA.project(person.in_camera(person.posed(model)))[model.triangles]
        x, y = np.clip(person.mesh[:, :2].astype(int), 0, person.raster.triangle.shape[0] - 1).T
        owner = _fill_owner(person.raster.triangle)[y, x]
        weights = np.clip(barycentric(xy, owner, person.mesh[:, :2]), 0.0, 1.0)
        weights /= weights.sum(axis=1, keepdims=True)
        places.append(np.einsum("lc,lcd->ld", weights, mean[model.triangles[owner]]))
    partner = partners(model.canonical_mesh468.astype(np.float64))
    corners, weights = _on_surface(np.stack(places), mean, surface, lower_jaw, partner)
    model = replace(model, landmarks468=corners, landmarks468_weights=weights.astype(np.float32))
    level = []
    for person in people:
        at = person.in_camera(model.landmarks(person.posed(model)))
        # The whole mesh, turned back by the known pose and scaled to metres.
        camera_like = person.mesh * [1.0, -1.0, -1.0] * (-at[:, 2].mean() / CAMERA.focal)
        level.append((camera_like - camera_like.mean(axis=0)) @ person.rotation)
    canonical = np.median(np.stack(level), axis=0)
    canonical = (canonical + canonical[partner] * [-1.0, 1.0, 1.0]) / 2.0
    return replace(model, canonical_mesh468=canonical.astype(np.float32))


def calibrated(model: HeadModel, people: list[RenderedPerson]) -> HeadModel:
    """The model with the statistics of the network's errors on painted people, its response to their
    expressions aside."""
    rotations, errors = [], []
    for person in people:
        truth = CAMERA.project(person.in_camera(model.landmarks(person.posed(model))))
        rotation = mesh_rotation(person.mesh, model.canonical_mesh468, CAMERA.focal, PICTURE, PICTURE)
        miss = (person.mesh[:, :2] - truth) @ upright(rotation) / eye_distance(person.mesh, rotation)
        rotations.append(rotation)
        errors.append(miss - np.tensordot(person.expression, model.landmark_response, axes=1))
    partner = partners(model.canonical_mesh468.astype(np.float64))
    found = measure_errors(np.stack(errors), np.stack(rotations), partner)
    return replace(
        model,
        landmark_drift=found.drift.astype(np.float32),
        landmark_noise=found.modes.astype(np.float32),
        landmark_sigma=found.sigma.astype(np.float32),
    )


def _cast(
    network: Network, vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float64], float, NDArray[np.int32], NDArray[np.float64]]:
    """Render clay from the front, find the mesh, cast it back: points (468, 3) in head axes, the
    network's score, (468, 3) vertices and weights of the triangle under each point.
    """
    size, metres = _CLAY_SIZE, 0.34
    pixels_per_metre = size / metres
    middle = np.array([0.0, -0.02])
    xy = np.stack(
        [
            (vertices[:, 0] - middle[0]) * pixels_per_metre + size / 2,
            size / 2 - (vertices[:, 1] - middle[1]) * pixels_per_metre,
        ],
        axis=1,
    )
    raster = rasterize(xy[triangles], -vertices[triangles][..., 2], size, size)
    normals = vertex_normals(vertices, triangles)
    light = np.array([0.25, 0.35, 0.9])
    shade = np.clip(normals @ (light / np.linalg.norm(light)), 0.0, 1.0) * 170 + 50
    grey = np.where(raster.triangle >= 0, shade[triangles].mean(axis=1)[raster.triangle], 30.0)
    picture = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    centre = np.array([size / 2, size / 2 + (middle[1] + 0.035) * pixels_per_metre])
    points, score = face_mesh.fit_mesh(network, picture, centre, 0.27 * pixels_per_metre)
    x = np.clip(points[:, 0].astype(int), 0, size - 1)
    y = np.clip(points[:, 1].astype(int), 0, size - 1)
    owner = _fill_owner(raster.triangle)[y, x]
    weights = np.clip(barycentric(xy[triangles], owner, points[:, :2]), 0.0, 1.0)
    weights /= weights.sum(axis=1, keepdims=True)
    in_head = np.stack(
        [
            (points[:, 0] - size / 2) / pixels_per_metre + middle[0],
            (size / 2 - points[:, 1]) / pixels_per_metre + middle[1],
            -points[:, 2] / pixels_per_metre,
        ],
        axis=1,
    )
    return in_head, score, triangles[owner], weights


def _fill_owner(owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give pixels beside the head the triangle of the first or last covered pixel of their row."""
    covered = owner >= 0
    columns = np.arange(owner.shape[1])
    first, last = (
        covered.argmax(axis=1)[:, None],
        (covered.shape[1] - 1 - covered[:, ::-1].argmax(axis=1))[:, None],
    )
    nearest = np.where(np.abs(columns - first) <= np.abs(columns - last), first, last)
    beside = ~covered & covered.any(axis=1, keepdims=True)
    return np.where(beside, np.take_along_axis(owner, nearest, axis=1), owner)


def _closest_on_surface(
    points: NDArray[np.float64], vertices: NDArray[np.float64], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Nearest point of the front-facing surface for each (N, 3) point, as triangle corners and weights."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = triangles[normal[:, 2] > -0.2 * np.linalg.norm(normal, axis=1)]
    corners = vertices[facing]
    best_corners = np.zeros((len(points), 3), dtype=np.int32)
    best_weights = np.zeros((len(points), 3))
    for i, p in enumerate(points):
        near = np.argsort(((corners.mean(axis=1) - p) ** 2).sum(axis=1))[:60]
        weights = _closest_weights(p, corners[near])
        distance = ((np.einsum("tc,tcd->td", weights, corners[near]) - p) ** 2).sum(axis=1)
        k = int(distance.argmin())
        best_corners[i], best_weights[i] = facing[near[k]], weights[k]
    return best_corners, best_weights


def _closest_weights(p: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3) barycentric weights of the point of each (T, 3, 3) triangle nearest to p."""
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    ap = p - a
    d = np.stack([(ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1), (ap * ab).sum(1), (ap * ac).sum(1)])
    area = np.maximum(d[0] * d[2] - d[1] ** 2, 1e-24)
    v = (d[2] * d[3] - d[1] * d[4]) / area
    w = (d[0] * d[4] - d[1] * d[3]) / area
    inside = np.stack([1 - v - w, v, w], axis=1)
    candidates = [inside]
    for i, j in ((0, 1), (1, 2), (2, 0)):  # nearest point of each edge
        edge = corners[:, j] - corners[:, i]
        t = np.clip(((p - corners[:, i]) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-24), 0, 1)
        weights = np.zeros_like(inside)
        weights[:, i], weights[:, j] = 1 - t, t
        candidates.append(weights)
    stack = np.stack(candidates)
    place = np.einsum("ktc,tcd->ktd", stack, corners)
    distance = ((place - p) ** 2).sum(axis=2)
    distance[0] = np.where((inside >= 0).all(axis=1), distance[0], np.inf)
    return np.asarray(stack[distance.argmin(axis=0), np.arange(len(corners))])
