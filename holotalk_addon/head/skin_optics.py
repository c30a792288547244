# SPDX-License-Identifier: GPL-3.0-or-later
"""The colour of skin from its pigments: melanin in the epidermis, blood in the dermis.

Each wavelength crosses the epidermis twice (Beer-Lambert) and is scattered back by a dermis of endless
depth. Sources:

- absorption of melanosomes, of bloodless skin, and reduced scattering: S. L. Jacques, "Skin optics"
  (Oregon Medical Laser Center, 1998) and "Optical properties of biological tissues: a review" (2013);
- diffuse reflectance of a half space, R = exp(-A / sqrt(3 (1 + mus' / mua))): S. L. Jacques, "Diffuse
  reflectance from a semi-infinite medium" (Oregon Medical Laser Center, 1999);
- haemoglobin: S. Prahl, "Tabulated molar extinction coefficient for hemoglobin in water" (1998), every
  20 nm;
- the observer: C. Wyman, P.-P. Sloan, P. Shirley, "Simple analytic approximations to the CIE XYZ color
  matching functions" (2013); the light is CIE D65.

That a face may be painted by a table over the two pigments alone: J. Jimenez et al., "A practical appearance
model for dynamic facial color" (2010).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..face.srgb import decode, encode

MELANIN = (0.004, 0.6)
"""range of the table: share of the epidermis's volume"""
BLOOD = (0.001, 0.25)
"""range of the table: share of the dermis's volume"""
_TABLE = 64
_ROOTS = 4096

_WAVELENGTHS = np.arange(400.0, 701.0, 20.0)
_OXY = np.array(
    [266232, 480360, 102580, 44480, 26629, 20932, 24202, 53236, 32613, 50104, 3200, 942, 442, 320, 278, 290],
    dtype=np.float64,
)
_DEOXY = np.array(
    [223296, 407560, 413280, 23388, 14550, 20862, 31589, 46592, 53788, 37020, 14677, 6509, 4345, 3226,
     2407, 1794],
    dtype=np.float64,
)  # fmt: skip
_D65 = np.array(
    [82.75, 93.43, 104.87, 117.81, 115.92, 109.35, 104.79, 104.41, 100.0, 95.79, 90.01, 87.70, 83.70, 80.21,
     78.28, 71.61]
)  # fmt: skip
_EXTINCTION_TO_ABSORPTION = 2.303 * 150.0 / 64500.0  # 150 g of haemoglobin in a litre of blood; 1 / cm
_OXYGENATED = 0.75
_EPIDERMIS_CM = 0.006  # 60 micrometres
_SLANT = 2.0  # diffuse light takes about twice the straight way through a thin layer
_HALF_SPACE = 6.0  # A: between 6 and 8 for tissue's indices of refraction
_SURFACE = 0.03  # what the skin's surface itself returns to every side
_XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def skin_table() -> NDArray[np.float32]:
    """(64, 64, 3) linear RGB of skin: rows over blood, columns over melanin, both in equal ratios."""
    melanin = np.geomspace(*MELANIN, _TABLE)[None, :, None]
    blood = np.geomspace(*BLOOD, _TABLE)[:, None, None]
    nm = _WAVELENGTHS
    bloodless = 0.244 + 85.3 * np.exp(-(nm - 154.0) / 66.2)
    melanosome = 6.6e11 * nm**-3.33
    scattering = 2e5 * nm**-1.5 + 2e12 * nm**-4.0
    whole_blood = _EXTINCTION_TO_ABSORPTION * (_OXYGENATED * _OXY + (1 - _OXYGENATED) * _DEOXY)
    epidermis = melanin * melanosome + (1 - melanin) * bloodless
    dermis = blood * whole_blood + (1 - blood) * bloodless
    through = np.exp(-2.0 * _SLANT * _EPIDERMIS_CM * epidermis)
    back = np.exp(-_HALF_SPACE / np.sqrt(3.0 * (1.0 + scattering / dermis)))
    reflectance = _SURFACE + (1.0 - _SURFACE) * through * back
    observer = _observer(nm) * _D65
    xyz = reflectance @ observer.T / observer[1].sum()
    # The light itself is white in RGB.
    white = _XYZ_TO_RGB @ (observer.sum(axis=1) / observer[1].sum())
    return np.asarray(np.clip(xyz @ _XYZ_TO_RGB.T / white, 0.0, 1.0), dtype=np.float32)


def skin_colour(
    table: NDArray[np.float32], log_melanin: NDArray[np.floating], log_blood: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(H, W, 3) linear RGB from :func:`skin_table` at (H, W) logarithms of the shares of melanin and
    blood."""

    def position(x: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
        scale = (_TABLE - 1) / float(np.log(high / low))
        place = x.astype(np.float32) * np.float32(scale) - np.float32(scale * np.log(low))
        return np.asarray(place, dtype=np.float32)

    columns, rows = position(log_melanin, *MELANIN), position(log_blood, *BLOOD)
    found = cv2.remap(table, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=np.float32)


def srgb_bytes(linear: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The sRGB 0..255 of linear light 0..1, by a table of the square root's even steps."""
    root = np.sqrt(np.clip(linear, 0.0, 1.0).astype(np.float32))
    table = (to_srgb(np.linspace(0, 1, _ROOTS) ** 2) * 255 + 0.5).astype(np.uint8)
    return table[(root * (_ROOTS - 1) + 0.5).astype(np.uint16)]


def to_srgb(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """The sRGB 0..1 of linear light 0..1."""
    return encode(np.clip(linear, 0.0, 1.0).astype(np.float32))


def to_linear(srgb: NDArray[np.floating]) -> NDArray[np.float32]:
    """Linear light 0..1 of sRGB 0..1."""
    return decode(np.clip(srgb, 0.0, 1.0).astype(np.float32))


def _observer(nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, N) CIE 1931 colour matching functions, Wyman's multi-lobe fit."""

    def lobe(middle: float, below: float, above: float) -> NDArray[np.float64]:
        t = (nm - middle) * np.where(nm < middle, below, above)
        return np.asarray(np.exp(-0.5 * t * t))

    x = 0.362 * lobe(442.0, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323)
    x -= 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437.0, 0.0845, 0.0278) + 0.681 * lobe(459.0, 0.0385, 0.0725)
    return np.stack([x, y, z])
