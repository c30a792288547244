# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that grows on a head or is worn: plain data, ready to be drawn by any renderer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.surface import Surface


@dataclass(frozen=True)
class Prop(Surface):
    """One thing worn or grown: hair, beard, glasses, hat, collar ...

    Its vertices follow the person's identity and expression already. Strands and cloth are to be seen from
    both sides.
    """

    name: str
    """What it is: "hair", "beard", "body" (skin below the bust), "collar", "hat",
    "scarf", "glasses" or "lenses"."""
    see_through: bool
    """Whether alpha below 255 matters."""
    roughness: float = 0.7
    """Of its surface, 0..1, as in the usual microfacet models."""
    normals: NDArray[np.float32] | None = None
    """(V, 3) unit normals to shade by, where the flat surface's own would be wrong (strips of hair are
    shaded as the round mass they make); None: the surface's own, smooth."""
