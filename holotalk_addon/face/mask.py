# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of the photo are the person: what the parsing network says, sharpened against the photo."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .parsing import PERSON, SIDE, Parsing, before_face
from .photo import Photo

FILTER_SIDE = 768
"""Pixels of the square at which the guided filter's coefficients are found: they are smooth, so nothing
is lost (He & Sun 2015, Fast Guided Filter, arXiv:1505.00996), and a 3000-px square takes 0.2 s, not 3."""

FILTER_RADIUS = 2 * FILTER_SIDE // SIDE
"""Pixels at that size: two of the network's, the width of its own soft edge."""

FILTER_EPSILON = 1e-3
"""Variance of the guide (0..1) below which a window counts as flat: about 3 % of the full range."""


def person_mask(
    photo: Photo, parsing: Parsing, mesh: NDArray[np.floating], covered: bool = False
) -> NDArray[np.float32]:
    """(H, W) float32, 0 ground .. 1 person, for one face of a photo; 0 outside the square that was parsed.

    The network works at 256 pixels; its soft edge is moved on to the photo's own by a guided filter (He,
    Sun & Tang 2010). Scraps that do not hang together with the face are dropped, and where the file has an
    alpha channel, what it calls transparent is ground.

    Args:
        photo: the photo.
        parsing: what its pixels show around the face.
        mesh: (468, 3) the face, pixels.
        covered: the person wears something over mouth and cheeks, which belongs to them.
    """
    out = np.zeros((photo.height, photo.width), dtype=np.float32)
    low = np.floor(parsing.square.centre - parsing.square.side / 2.0).astype(int)
    high = np.ceil(parsing.square.centre + parsing.square.side / 2.0).astype(int)
    left, top = np.maximum(low, 0)
    right, bottom = np.minimum(high, [photo.width, photo.height])
    if right <= left or bottom <= top:
        return out
    factor = min(1.0, FILTER_SIDE / max(right - left, bottom - top))
    shape = (max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor)))
    step = np.array([(right - left) / shape[0], (bottom - top) / shape[1]])
    corner = np.array([left, top], dtype=np.float64)
    coarse = parsing.read(_person_share(parsing, mesh, covered), corner, step, shape)
    mask = _sharpened(photo.pixels[top:bottom, left:right], coarse)
    if photo.alpha is not None:
        mask = np.minimum(mask, photo.alpha[top:bottom, left:right].astype(np.float32) / np.float32(255.0))
    out[top:bottom, left:right] = _part_with_face(mask, mesh[:, :2] - corner)
    return out


def _person_share(parsing: Parsing, mesh: NDArray[np.floating], covered: bool) -> NDArray[np.float32]:
    """(SIDE, SIDE) 0..1 how surely a pixel shows the person: inside the face it does, and surely, unless
    something is held before it."""
    share = parsing.share(*PERSON)
    own = parsing.outline(mesh)
    if not covered:
        own &= ~before_face(parsing, mesh)
    return np.where(own, np.float32(1.0), share)


def _sharpened(guide: NDArray[np.uint8], coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mask (h, w) brought to the size of ``guide`` (H, W, 3) uint8 with the guide's own edges."""
    size = (coarse.shape[1], coarse.shape[0])
    small = cv2.resize(guide, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255.0)
    planes = guided_coefficients(small, coarse, FILTER_RADIUS, FILTER_EPSILON)
    height, width = guide.shape[:2]
    out = np.empty((height, width), dtype=np.float32)
    full = cv2.resize(planes, (width, height), interpolation=cv2.INTER_LINEAR)
    rows = 256  # in strips: a floating-point copy of a 4000-px guide would take 200 MB more
    for start in range(0, height, rows):
        part = slice(start, start + rows)
        colours = guide[part].astype(np.float32) / np.float32(255.0)
        out[part] = np.einsum("hwc,hwc->hw", full[part, :, :3], colours) + full[part, :, 3]
    return np.clip(out, 0.0, 1.0, out=out)


def guided_coefficients(
    guide: NDArray[np.float32], values: NDArray[np.float32], radius: int, epsilon: float
) -> NDArray[np.float32]:
    """He, Sun & Tang's guided filter with a colour guide, up to its last step.

    (H, W, 3) guide 0..1 and (H, W) values, both float32; windows of 2 ``radius`` + 1 pixels; ``epsilon`` is
    the variance of the guide below which it counts as flat. Returns (H, W, 4) float32: the filtered
    values are the first three planes times the guide's channels, plus the fourth.
    """

    def mean(array: NDArray[np.float32]) -> NDArray[np.float32]:
        window = (2 * radius + 1, 2 * radius + 1)
        return np.asarray(cv2.boxFilter(array, -1, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    means = [mean(guide[..., k]) for k in range(3)]
    mean_values = mean(values)
    covariance = [mean(guide[..., k] * values) - means[k] * mean_values for k in range(3)]

    def spread(i: int, k: int) -> NDArray[np.float32]:
        return (
            mean(guide[..., i] * guide[..., k]) - means[i] * means[k] + np.float32(epsilon if i == k else 0.0)
        )

    # The inverse of the symmetric 3 x 3 matrix of each window, written out: planes, not small matrices.
    rr, rg, rb = spread(0, 0), spread(0, 1), spread(0, 2)
    gg, gb, bb = spread(1, 1), spread(1, 2), spread(2, 2)
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    a = [
        (c_rr * covariance[0] + c_rg * covariance[1] + c_rb * covariance[2]) / determinant,
        (c_rg * covariance[0] + c_gg * covariance[1] + c_gb * covariance[2]) / determinant,
        (c_rb * covariance[0] + c_gb * covariance[1] + c_bb * covariance[2]) / determinant,
    ]
    b = mean_values - a[0] * means[0] - a[1] * means[1] - a[2] * means[2]
    return np.stack([mean(plane) for plane in (*a, b)], axis=-1)


def _part_with_face(mask: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Only what hangs together (above one half) with the face, and its soft edge."""
    height, width = mask.shape
    solid = (mask > 0.5).astype(np.uint8)
    count, labels = cv2.connectedComponents(solid, connectivity=4)
    if count <= 1:
        return mask
    columns = np.clip(points[:, 0].astype(int), 0, width - 1)
    rows = np.clip(points[:, 1].astype(int), 0, height - 1)
    votes = np.bincount(labels[rows, columns], minlength=count)
    votes[0] = 0
    if votes.max() == 0:
        return mask
    own = (labels == int(votes.argmax())).astype(np.uint8)
    reach = 2 * max(2, round(max(height, width) / 64.0)) + 1
    near = cv2.dilate(own, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    others = (solid == 1) & (own == 0)
    return np.where((near == 1) & ~others, mask, np.float32(0.0)).astype(np.float32)
