# SPDX-License-Identifier: GPL-3.0-or-later
"""sRGB and linear light (IEC 61966-2-1), in the precision that is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode(linear: NDArray[Any]) -> NDArray[Any]:
    """The sRGB, 1 is white, of (...) floating-point linear light from 0 on; same dtype."""
    bent = 1.055 * np.power(linear, 1 / 2.4, dtype=linear.dtype) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, bent)


def decode(srgb: NDArray[Any]) -> NDArray[Any]:
    """Linear light, 1 is white, of (...) floating-point sRGB from 0 on; same dtype."""
    bent = np.power((srgb + 0.055) / 1.055, 2.4, dtype=srgb.dtype)
    return np.where(srgb <= 0.04045, srgb / 12.92, bent)
