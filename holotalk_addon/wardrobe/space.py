# SPDX-License-Identifier: GPL-3.0-or-later
"""The room around the mean head, and how it follows a person's shape.

Hair, hats and clothes are made around the mean head, where distance to the skin is known on a grid, and
are then carried to the person by a smooth warp.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.morphable_model import HeadModel

_LOW = np.array([-0.24, -0.48, -0.24])
_HIGH = np.array([0.24, 0.24, 0.24])
_STEP = 0.008
_BLOCK = 4
"""Nodes along each side of a block that looks for its nearest points together."""
_CAGE_STEP = 0.024
_CONTROLS = 420


@dataclass(frozen=True)
class Grid:
    """Values on a regular grid in head axes, read between its nodes."""

    values: NDArray[np.float32]
    """(X, Y, Z, C)"""
    low: NDArray[np.float64]
    """(3,) place of the first node"""
    step: float

    def at(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """(N, C) trilinear at (N, 3); the nearest border value outside."""
        shape = np.array(self.values.shape[:3])
        position = np.clip((points - self.low) / self.step, 0, shape - 1.001)
        cell = position.astype(np.intp)
        t = (position - cell).astype(np.float32)
        flat = self.values.reshape(-1, self.values.shape[3])
        base = (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]
        result = np.zeros((len(points), flat.shape[1]), dtype=np.float32)
        for i in (0, 1):
            wx = t[:, 0] if i else 1 - t[:, 0]
            for j in (0, 1):
                wy = t[:, 1] if j else 1 - t[:, 1]
                for k in (0, 1):
                    wz = t[:, 2] if k else 1 - t[:, 2]
                    offset = (i * shape[1] + j) * shape[2] + k
                    result += flat[base + offset] * (wx * wy * wz)[:, None]
        return result


@dataclass(frozen=True)
class Space:
    """Distance to the mean head's skin (and to the shoulders below it)."""

    grid: Grid
    """distance (m, negative inside), then its gradient's three parts"""

    def distance(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """(N,) metres from the skin, negative inside."""
        return self.grid.at(points)[:, 0]

    def look(self, points: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N,) distance and (N, 3) unit direction out."""
        found = self.grid.at(points)
        out = found[:, 1:]
        return found[:, 0], out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)


@dataclass(frozen=True)
class Cage:
    """Carries points around the mean head to where they lie around a person's."""

    controls: NDArray[np.int32]
    """(C,) vertices that lead"""
    weights: NDArray[np.float32]
    """(nodes, C) of each grid node"""
    shape: tuple[int, int, int]
    low: NDArray[np.float64]
    step: float

    def bend(self, displacement: NDArray[np.floating]) -> Grid:
        """The warp for (V, 3) displacements of the model's vertices (m) from the mean head."""
        values = self.weights @ np.asarray(displacement[self.controls], dtype=np.float32)
        return Grid(values.reshape(*self.shape, 3), self.low, self.step)


def make_space(
    model: HeadModel,
    normals: NDArray[np.float32],
    outer: NDArray[np.bool_],
    torso: NDArray[np.float32],
    torso_normals: NDArray[np.float32],
) -> Space:
    """Measure the room: about a second.

    Args:
        model: its mean head.
        normals: (V, 3) of the mean head.
        outer: (V,) vertices of the outer skin.
        torso: (B, 3) the body below.
        torso_normals: (B, 3).
    """
    skin = outer & (model.vertex_parts == 0)
    skin[-1] = False  # the middle of the cut
    triangles = model.triangles[skin[model.triangles].all(axis=1)]
    points = [model.mean[skin], torso]
    directions = [normals[skin], torso_normals]
    for w in np.array([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]]):
        points.append(np.einsum("c,tcd->td", w, model.mean[triangles]))
        directions.append(np.einsum("c,tcd->td", w, normals[triangles]))
    at, way = np.concatenate(points), np.concatenate(directions)
    axes = [np.arange(lo, hi + _STEP / 2, _STEP) for lo, hi in zip(_LOW, _HIGH, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    shape = nodes.shape[:3]
    nearest = _three_nearest(nodes, at)
    # Three neighbours vote: a single one in the folds of an ear may point anywhere.
    offset = nodes.reshape(-1, 1, 3) - at[nearest]
    inside = np.einsum("nkd,nkd->nk", offset, way[nearest]).mean(axis=1) < 0
    distance = np.linalg.norm(offset[:, 0], axis=1)
    signed = np.where(inside, -distance, distance).reshape(shape).astype(np.float32)
    signed = _smooth(signed)
    gradient = np.stack(np.gradient(signed, _STEP), axis=-1)
    return Space(Grid(np.concatenate([signed[..., None], gradient], axis=3).astype(np.float32), _LOW, _STEP))


def _three_nearest(nodes: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.intp]:
    """(N, 3) for the nodes of a regular (I, J, K, 3) grid the three nearest points, the nearest first.

    Exact, and with NumPy alone, for Blender has no SciPy: a block of nodes needs to look at no point that is
    farther from the block's middle than the third nearest one by more than the block's diameter.
    """
    points = np.asarray(points, dtype=np.float64)
    squares = (points**2).sum(axis=1)
    numbers = np.arange(nodes[..., 0].size).reshape(nodes.shape[:3])
    found = np.empty((numbers.size, 3), dtype=np.intp)
    blocks = (range(0, extent, _BLOCK) for extent in numbers.shape)
    for corner in itertools.product(*blocks):
        cut = tuple(slice(start, start + _BLOCK) for start in corner)
        block, place = nodes[cut].reshape(-1, 3), numbers[cut].ravel()
        middle = (block.min(axis=0) + block.max(axis=0)) / 2
        radius = np.linalg.norm(block - middle, axis=1).max()
        away = np.sqrt(np.maximum(squares - 2 * (points @ middle) + middle @ middle, 0.0))
        near = np.flatnonzero(away <= np.partition(away, 2)[2] + 2 * radius + 1e-9)
        distance = squares[near] - 2 * (block @ points[near].T)
        few = np.argpartition(distance, 2, axis=1)[:, :3]
        order = np.argsort(np.take_along_axis(distance, few, axis=1), axis=1)
        found[place] = near[np.take_along_axis(few, order, axis=1)]
    return found


def _smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A 1-2-1 filter along each axis."""
    for axis in range(3):
        padded = np.concatenate([values.take([0], axis), values, values.take([-1], axis)], axis)
        count = values.shape[axis]
        values = (padded.take(range(count), axis) + 2 * values + padded.take(range(2, count + 2), axis)) / 4
    return values


def make_cage(model: HeadModel, outer: NDArray[np.bool_]) -> Cage:
    """Spread control vertices over the skin by farthest-point sampling; nodes follow those near them."""
    candidates = np.flatnonzero(outer & (model.vertex_parts == 0))
    place = model.mean[candidates].astype(np.float64)
    chosen = [0]
    gap = np.full(len(place), np.inf)
    for _ in range(_CONTROLS - 1):
        gap = np.minimum(gap, ((place - place[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(gap.argmax()))
    controls = candidates[chosen]
    axes = [np.arange(lo, hi + _CAGE_STEP, _CAGE_STEP) for lo, hi in zip(_LOW, _HIGH, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    at = nodes.reshape(-1, 1, 3)
    squared = ((at - model.mean[controls][None]) ** 2).sum(axis=2)
    # Shepard 1968, "A two-dimensional interpolation function for irregularly-spaced data".
    weights = 1.0 / (squared + 0.008**2) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return Cage(controls.astype(np.int32), weights.astype(np.float32), nodes.shape[:3], _LOW, _CAGE_STEP)
