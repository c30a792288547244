# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def luminance(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """(...) relative luminance of (..., 3) RGB, Rec. 709 weights."""
    return np.asarray(rgb @ np.array([0.2126, 0.7152, 0.0722]))
