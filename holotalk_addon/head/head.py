# SPDX-License-Identifier: GPL-3.0-or-later
"""The finished head: all that the scene, the exports and the views need to know of a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .surface import Surface

PARTS = ("skin", "eyes", "lashes", "teeth", "tongue")
"""What a polygon belongs to; ``Head.polygon_parts`` holds indices into this tuple. Each part is
one material slot in Blender."""


@dataclass(frozen=True)
class Hair(Surface):
    """Hair or headwear as a volume of its own. It is of the neutral face and does not move with expressions.

    The ``u`` of its ``uvs`` may go on past 1: the texture, 512 x 1024 as it is painted, repeats around the
    head.
    """

    soft: NDArray[np.bool_]
    """(F,) polygons whose texture is see-through in places (the edges); all others are opaque."""
    fade: NDArray[np.float32]
    """(V,) 1 on the head, falling to 0 at the cut of the bust, as :attr:`Head.fade`."""


@dataclass(frozen=True)
class Head(Surface):
    """A fitted, textured head; the origin is on the turning axis at the height of the eyes.

    ``vertices`` are the neutral face of this person; the square ``texture`` has an alpha below 255 on the
    lashes only.
    """

    polygon_parts: NDArray[np.uint8]
    """(F,) index into :data:`PARTS`."""
    expression_names: tuple[str, ...]
    """The 52 ARKit names, for example ``jawOpen``."""
    expression_deltas: NDArray[np.float32]
    """(52, V, 3) metres that each expression adds at strength 1."""
    expression: NDArray[np.float32]
    """(52,) strengths 0..1 found in the photo."""
    fade: NDArray[np.float32]
    """(V,) 1 on the head, falling to 0 at the cut of the bust: brightness in the hologram."""
    hair: Hair | None = None
    """What stands off the head; None where that is nothing, or not known."""

    def posed_vertices(self) -> NDArray[np.float32]:
        """(V, 3) metres: the face with the photo's expression."""
        moved = np.tensordot(self.expression, self.expression_deltas, axes=1)
        return np.asarray(self.vertices + moved, dtype=np.float32)

    def posed(self) -> Surface:
        """The head with the photo's expression."""
        return Surface(self.posed_vertices(), self.polygons, self.uvs, self.texture)
