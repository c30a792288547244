# SPDX-License-Identifier: GPL-3.0-or-later
"""A head with its hair, as a subject: see :mod:`.subject`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..head.head import Head
from .head_object import make_head_object, read_head

if TYPE_CHECKING:
    from ..performance.performance import Performance

_MOMENTS = 12
"""Of a performance that are looked at evenly, beside its extremes, to see how much room it takes."""


@dataclass(frozen=True)
class HeadSubject:
    """A head with its hair."""

    head: Head

    @classmethod
    def read(cls, obj: Any) -> HeadSubject:
        """The head of a head object.

        Raises:
            OptionError: it is not a HoloTalk head any more.
        """
        return cls(read_head(obj, shape_only=True))

    def points(self, performance: Performance | None = None) -> NDArray[np.float32]:
        """(N, 3) the vertices that can be seen, hair included: all corners of polygons that the fade leaves
        lit, with the head's own expression or with those of a performance."""
        head = self.head
        lit = lit_vertices(head.polygons, head.fade)
        if performance is None:
            shown = [head.posed_vertices()[lit]]
        else:
            looked_at = performance.at(performance.times[_extremes(performance)])
            shown = [
                (head.vertices[lit] + np.tensordot(strengths, head.expression_deltas[:, lit], axes=1))
                @ turn.T.astype(np.float32)
                for strengths, turn in zip(
                    looked_at.with_gaze(head.expression_names), looked_at.rotations, strict=True
                )
            ]
        if head.hair is not None:
            hair = head.hair.vertices[lit_vertices(head.hair.polygons, head.hair.fade)]
            turns = [np.eye(3)] if performance is None else looked_at.rotations
            shown += [hair @ turn.T.astype(np.float32) for turn in turns]
        return np.concatenate(shown).astype(np.float32)

    def make(self, collection: Any) -> Any:
        """The head object, with its hair as a child."""
        return make_head_object(self.head, collection)


def _extremes(performance: Performance) -> NDArray[np.intp]:
    """(M,) moments that show how much room a head takes: where a turn or a strength is at its most or at its
    least, and some more, evenly."""
    turns = performance.rotations.reshape(len(performance.times), 9)
    moving = np.concatenate([turns, performance.strengths], axis=1)
    even = np.linspace(0, len(moving) - 1, _MOMENTS).astype(np.intp)
    return np.unique(np.concatenate([moving.argmin(axis=0), moving.argmax(axis=0), even]))


def lit_vertices(polygons: NDArray[np.int32], fade: NDArray[np.float32]) -> NDArray[np.int32]:
    """(N,) indices of the vertices of (F, 4) polygons (-1: none) of which a (V,) fade leaves a corner lit."""
    lit = (fade[np.maximum(polygons, 0)] > 0) & (polygons >= 0)
    used = np.unique(polygons[lit.any(axis=1)])
    return np.asarray(used[used >= 0])
