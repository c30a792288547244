# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that grows on a head or is worn: plain data, ready to be drawn by any renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prop:
    """One thing worn or grown: hair, beard, glasses, hat, collar ...

    Its vertices follow the person's identity and expression already.
    """

    name: str
    """What it is: "hair", "beard", "body" (skin below the bust), "collar", "hat",
    "scarf", "glasses" or "lenses"."""
    vertices: NDArray[np.float32]
    """(N, 3) metres, head axes, as posed."""
    polygons: NDArray[np.int32]
    """(M, 4) vertex indices; a triangle has -1 last. Strands and cloth are to be seen from both sides."""
    uvs: NDArray[np.float32]
    """(M, 4, 2) texture coordinates of the corners, u right, v up, 0..1."""
    texture: NDArray[np.uint8]
    """(H, W, 4) sRGB and alpha, first row on top (v = 1)."""
    see_through: bool
    """Whether alpha below 255 matters."""
    roughness: float = 0.7
    """Of its surface, 0..1, as in the usual microfacet models."""
    normals: NDArray[np.float32] | None = None
    """(N, 3) unit normals to shade by, where the flat surface's own would be wrong (strips of hair are
    shaded as the round mass they make); None: the surface's own, smooth."""
