# SPDX-License-Identifier: GPL-3.0-or-later
"""Rays out of the head's axis, on which hair is told by its distance: above a dome, below a cylinder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .morphable_model import HeadModel

COLUMNS = 180
DOME_ROWS = 30
_ROW_M = 0.006
_MIDDLE = np.array([0.0, 0.03, -0.008])  # of the mean head's cranium, metres in head axes
_LOWEST_M = -0.172  # in the fade of the bust
_ARC_M = 0.09  # radius of the dome, as far as heights are told by it


@dataclass(frozen=True)
class Rays:
    """(R, C) rays: rows from the crown downward, columns around, from the back over the person's right."""

    middle: NDArray[np.float64]
    """(3,) metres, head axes: where the dome's rays begin, and the first of the cylinder's."""
    origin: NDArray[np.float64]
    """(R, C, 3) metres, head axes."""
    way: NDArray[np.float64]
    """(R, C, 3) unit vectors."""
    azimuth: NDArray[np.float64]
    """(C,) radians: 0 toward the face, positive to the person's left."""
    height: NDArray[np.float64]
    """(R,) metres, along the dome's arc above the middle, straight down below it (negative)."""

    @property
    def shape(self) -> tuple[int, int]:
        """(R, C)."""
        return self.origin.shape[0], self.origin.shape[1]

    def points(self, radius: NDArray[np.floating]) -> NDArray[np.float64]:
        """(R, C, 3) metres, head axes: the points of the rays at these (R, C) distances."""
        return np.asarray(self.origin + self.way * radius[..., None])

    def cells_of(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
        """For (N, 3) points: the row (it may lie outside) and column of the nearest ray, and the distance."""
        offset = points - self.middle
        azimuth = np.arctan2(offset[:, 0], offset[:, 2])
        column = np.clip(((azimuth + np.pi) / (2 * np.pi) * COLUMNS).astype(np.intp), 0, COLUMNS - 1)
        aside = np.hypot(offset[:, 0], offset[:, 2])
        over = offset[:, 1] > 0
        elevation = np.arctan2(offset[:, 1], aside)
        dome, cylinder = (1 - elevation / (np.pi / 2)) * DOME_ROWS, DOME_ROWS - offset[:, 1] / _ROW_M
        row = np.floor(np.where(over, dome, cylinder)).astype(np.intp)
        return row, column, np.where(over, np.linalg.norm(offset, axis=1), aside)

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """(E, 2) pairs of flat indices of rays that stand side by side, over the crown too."""
        index = np.arange(self.shape[0] * self.shape[1]).reshape(self.shape)
        half = self.shape[1] // 2
        pairs = [
            (index, np.roll(index, -1, axis=1)),
            (index[:-1], index[1:]),
            (index[0, :half], index[0, half:]),
        ]
        return np.concatenate([np.stack(pair, axis=-1).reshape(-1, 2) for pair in pairs])


def make_rays(model: HeadModel, vertices: NDArray[np.floating]) -> Rays:
    """The rays of a head with these (V, 3) vertices (metres, head axes)."""
    scalp = model.region("scalp") > 0.5
    middle = _MIDDLE + (vertices.astype(np.float64) - model.mean)[scalp].mean(axis=0)
    azimuth = (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 * np.pi - np.pi
    below = int(np.ceil((_MIDDLE[1] - _LOWEST_M) / _ROW_M))
    # In the first row all columns meet, at the crown.
    elevation = np.append(np.pi / 2 * (1 - np.arange(DOME_ROWS) / DOME_ROWS), np.zeros(below))
    drop = np.append(np.zeros(DOME_ROWS), np.arange(below) * _ROW_M)
    way = np.empty((len(drop), COLUMNS, 3))
    way[..., 0] = np.cos(elevation)[:, None] * np.sin(azimuth)
    way[..., 1] = np.sin(elevation)[:, None]
    way[..., 2] = np.cos(elevation)[:, None] * np.cos(azimuth)
    origin = np.broadcast_to(middle, way.shape).copy()
    origin[..., 1] -= drop[:, None]
    return Rays(middle, origin, way, azimuth, elevation * _ARC_M - drop)


def around(filtered: Callable[[Any], Any], values: NDArray[Any], margin: int | None = None) -> NDArray[Any]:
    """A picture filter over (R, C) or (R, C, K) values on rays, to which the last column is the first's
    neighbour. It sees ``margin`` columns more on either side, by default all around the head once more.
    """
    columns = values.shape[1]
    margin = columns if margin is None else margin
    wider = np.concatenate([values[:, columns - margin :], values, values[:, :margin]], axis=1)
    return np.ascontiguousarray(np.asarray(filtered(wider))[:, margin : margin + columns])
