# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels are the person: MediaPipe Selfie Segmentation, sharpened against the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .find import Face
from .mesh import crop_square
from .networks import FaceModels
from .photo import Photo

CROP_PER_FACE = 2.6
"""Side of the crop over the face's height (points of the mesh): head, hair and shoulders."""

CROP_RISE = 0.1
"""How far the middle of the crop lies below the middle of the face, in face heights."""


def person_mask(photo: Photo, face: Face, models: FaceModels) -> NDArray[np.float32]:
    """(H, W) float32, 0 ground .. 1 person, for one face of a photo; 0 outside the head's surroundings.

    The network works at 256 pixels; its soft edge is moved on to the photo's own by a guided filter (He,
    Sun & Tang 2010). Scraps that do not hang together with the face are dropped, and where the file has an
    alpha channel, what it calls transparent is ground.
    """
    import cv2

    x, y, width, height = (float(v) for v in face.box)
    tall = max(width, height)
    centre = np.array([x + width / 2.0, y + height / 2.0 + CROP_RISE * tall])
    side = CROP_PER_FACE * tall
    size = models.segmentation.input_shape[1]
    crop = crop_square(photo.pixels, centre, side, 0.0, size).astype(np.float32) / np.float32(255.0)
    (coarse,) = models.segmentation(crop).values()
    coarse = coarse.reshape(size, size)

    left, top = (int(np.floor(c - side / 2.0)) for c in centre)
    right, bottom = (int(np.ceil(c + side / 2.0)) for c in centre)
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, photo.width), min(bottom, photo.height)
    out = np.zeros((photo.height, photo.width), dtype=np.float32)
    if right <= left or bottom <= top:
        return out
    unit = size / side
    matrix = np.array(
        [
            [unit, 0.0, (left + 0.5 - centre[0]) * unit + size / 2.0 - 0.5],
            [0.0, unit, (top + 0.5 - centre[1]) * unit + size / 2.0 - 0.5],
        ]
    )
    mask = np.asarray(
        cv2.warpAffine(
            coarse,
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.float32,
    )
    guide = photo.pixels[top:bottom, left:right].astype(np.float32) / np.float32(255.0)
    mask = guided_filter(guide, mask, radius=max(2, round(side / 64.0)), epsilon=1e-3)
    if photo.alpha is not None:
        mask = np.minimum(mask, photo.alpha[top:bottom, left:right].astype(np.float32) / np.float32(255.0))
    mask = _part_with_face(mask, face.mesh[:, :2] - [left, top])
    out[top:bottom, left:right] = mask
    return out


def guided_filter(
    guide: NDArray[np.float32], values: NDArray[np.float32], radius: int, epsilon: float
) -> NDArray[np.float32]:
    """He, Sun & Tang's guided filter with a colour guide: (H, W, 3) guide 0..1, (H, W) values, both
    float32; windows of 2 ``radius`` + 1 pixels; ``epsilon`` is the variance of the guide below which
    it counts as flat. Returns (H, W) float32, clipped to 0..1.
    """
    import cv2

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
    result = mean(b)
    for k in range(3):
        result = result + mean(a[k]) * guide[..., k]
    return np.clip(result, 0.0, 1.0).astype(np.float32)


def _part_with_face(mask: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Only what hangs together (above one half) with the face, and its soft edge."""
    import cv2

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
