# SPDX-License-Identifier: GPL-3.0-or-later
"""The template person: the mean head, plainly painted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .head import PARTS
from .morphable_model import HeadModel

_SKIN = (0.78, 0.60, 0.52)
_LIPS = (0.68, 0.40, 0.39)
_BROWS = (0.32, 0.24, 0.19)
_HAIR = (0.24, 0.18, 0.15)
_MOUTH = (0.30, 0.13, 0.12)
_EYES, _IRIS = (0.82, 0.80, 0.78), (0.25, 0.18, 0.12)
_IRIS_RADIUS_M = 0.006


def template_colours(model: HeadModel) -> NDArray[np.float64]:
    """(V, 3) sRGB 0..1."""
    colour = np.tile(np.array(_SKIN), (len(model.mean), 1))
    plain = (("lips", _LIPS), ("scalp", _HAIR), ("brows", _BROWS), ("mouth_inside", _MOUTH))
    for region, paint in plain:
        share = model.region(region)[:, None].astype(np.float64)
        colour = colour * (1.0 - share) + np.array(paint) * share
    eyes = model.vertex_parts == PARTS.index("eyes")
    colour[eyes] = _EYES
    for pole in model.poles(model.mean):
        colour[eyes & (np.linalg.norm(model.mean - pole, axis=1) < _IRIS_RADIUS_M)] = _IRIS
    return colour
