# SPDX-License-Identifier: GPL-3.0-or-later
"""A performance: how strongly a face shows each expression, how the head is turned and where the eyes look,
moment by moment. It comes on top of the stage's motion: a head on the turntable turns while it performs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..head.expressions import gaze_strengths

MOST_GAZE = 30.0
"""Degrees that the eyes turn by at a strength of 1, to every side."""


@dataclass(frozen=True)
class Performance:
    """T moments of a head. Between two of them everything changes evenly."""

    names: tuple[str, ...]
    """The expressions' names, for example the 52 of ARKit."""
    times: NDArray[np.float64]
    """(T,) seconds, rising; where they begin does not matter."""
    strengths: NDArray[np.float32]
    """(T, E) 0..1, in the order of the names."""
    rotations: NDArray[np.float64]
    """(T, 3, 3) the head's turn from its rest, in head axes: a turned point is ``rotation @ point``."""
    gaze: NDArray[np.float32]
    """(T, 2) degrees that both eyes turn, toward the person's left and up, on top of the strengths."""

    def __post_init__(self) -> None:
        count, wanted = len(self.times), len(self.names)
        shapes = (self.strengths.shape, self.rotations.shape, self.gaze.shape)
        if count == 0 or shapes != ((count, wanted), (count, 3, 3), (count, 2)):
            raise OptionError(
                f"The performance does not fit together: {count} moments and {wanted} expressions, but "
                f"strengths {shapes[0]}, rotations {shapes[1]}, gaze {shapes[2]}."
            )
        if np.any(np.diff(self.times) <= 0):
            raise OptionError("The moments of a performance must follow one another: its times do not rise.")

    @property
    def seconds(self) -> float:
        """From the first moment to the last."""
        return float(self.times[-1] - self.times[0])

    def at(self, times: NDArray[np.floating]) -> Performance:
        """The performance at (N,) other moments, in seconds, rising; before its first and after its last it
        stands still. Turns follow the shortest way."""
        wanted = np.asarray(times, dtype=np.float64)
        place = np.interp(wanted, self.times, np.arange(len(self.times)))
        low = np.minimum(place.astype(np.intp), max(len(self.times) - 2, 0))
        high = np.minimum(low + 1, len(self.times) - 1)
        share = place - low

        def mixed(values: NDArray[np.floating]) -> NDArray[np.float32]:
            part = share.reshape(-1, *[1] * (values.ndim - 1))
            return (values[low] * (1.0 - part) + values[high] * part).astype(np.float32)

        turns = [
            between(self.rotations[a], self.rotations[b], s) for a, b, s in zip(low, high, share, strict=True)
        ]
        return Performance(self.names, wanted, mixed(self.strengths), np.stack(turns), mixed(self.gaze))

    def with_gaze(self, names: tuple[str, ...]) -> NDArray[np.float32]:
        """(T, N) the strengths of the expressions with these names. Those that the performance does not know
        are 0; on those that turn the eyes the gaze is added."""
        column = {name: k for k, name in enumerate(self.names)}
        result = np.zeros((len(self.times), len(names)), dtype=np.float32)
        for k, name in enumerate(names):
            if name in column:
                result[:, k] = self.strengths[:, column[name]]
        for moment, (x, y) in enumerate(self.gaze / MOST_GAZE):
            looks = gaze_strengths(float(np.clip(x, -1, 1)), float(np.clip(y, -1, 1)))
            for k, name in enumerate(names):
                result[moment, k] += looks.get(name, 0.0)
        return np.clip(result, 0.0, 1.0)


def between(one: NDArray[np.floating], other: NDArray[np.floating], share: float) -> NDArray[np.float64]:
    """(3, 3) the turn that is ``share`` of the way from one (3, 3) turn to another, by the shortest way."""
    way, _ = cv2.Rodrigues(np.asarray(other @ one.T, dtype=np.float64))
    part, _ = cv2.Rodrigues(way * share)
    return np.asarray(part @ one)
