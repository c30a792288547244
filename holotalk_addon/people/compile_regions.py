# SPDX-License-Identifier: GPL-3.0-or-later
"""What the regions of the skin are, by masks and by places: part of compiling the head model."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..head.base_mesh import Bust
from ..head.head import PARTS
from ..head.membrane import smoothstep
from ..head.morphable_model import REGIONS
from ..head.surface import vertex_normals

_BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
"""The points of the face mesh along the upper and lower edge of the brows."""


def mask_at_vertices(picture: bytes, bust: Bust) -> NDArray[np.float64]:
    """(V,) a grey mask picture in MakeHuman's texture layout, read at the skin's vertices."""
    grey = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=np.float64) / 255.0
    height, width = grey.shape
    result = np.zeros(int(bust.polygons.max()) + 1)
    skin = bust.polygon_parts == PARTS.index("skin")
    for corner in range(4):
        used = skin & (bust.polygons[:, corner] >= 0)
        uv = bust.polygon_uvs[used, corner]
        x = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
        y = np.clip(((1.0 - uv[:, 1]) * height).astype(int), 0, height - 1)
        np.maximum.at(result, bust.polygons[used, corner], grey[y, x])
    return result


def skin_regions(
    mean: NDArray[np.float64],
    parts: NDArray[np.uint8],
    ears: NDArray[np.float64],
    lips: NDArray[np.float64],
    eyelids: NDArray[np.float64],
    mouth: NDArray[np.float64],
    landmarks: NDArray[np.float64],
    triangles: NDArray[np.int32],
    eyes: list[NDArray[np.intp]],
) -> NDArray[np.float32]:
    """(len(REGIONS), V) soft regions of the skin, on the mean head."""
    skin = parts == PARTS.index("skin")
    normals = vertex_normals(mean, triangles)
    distance = np.sqrt(((mean[:, None, :] - landmarks[None, ::2]) ** 2).sum(axis=2).min(axis=1))
    socket = np.zeros(len(mean))
    for eye in eyes:
        centre = mean[eye].mean(axis=0)
        radius = np.linalg.norm(mean[eye] - centre, axis=1).max()
        inside = np.linalg.norm(mean - centre, axis=1) < 1.25 * radius
        inward = ((mean - centre) * normals).sum(axis=1) < 0.0
        socket[skin & inside & inward] = 1.0
    inner = np.clip(mouth - lips, 0, 1)
    face = np.where(skin, smoothstep((0.016 - distance) / 0.006), 0.0) * (1 - socket)
    # The hair line: from above the forehead, over the ears, to the nape.
    top = landmarks[10]  # the highest point of the mesh, in the middle of the forehead
    back = mean[skin, 2].min()
    line = top[1] + 0.012 + (top[2] - mean[:, 2]) / (top[2] - back) * -(top[1] + 0.012 + 0.055)
    scalp = smoothstep((mean[:, 1] - line) / 0.016 + 0.5) * (1 - ears)
    chin = landmarks[152]
    neck_line = chin[1] - 0.004 + (chin[2] - mean[:, 2]) * 0.35
    neck = smoothstep((neck_line - mean[:, 1]) / 0.012 + 0.5) * (1 - scalp)
    brows = landmarks[list(_BROWS)]
    to_brows = np.sqrt(((mean[:, None, :] - brows[None]) ** 2).sum(axis=2).min(axis=1))
    rows = {
        "face": face * (1 - inner),
        "scalp": np.where(skin, scalp, 0) * (1 - socket) * (1 - inner),
        "ears": np.where(skin, ears, 0),
        "neck": np.where(skin, neck, 0) * (1 - inner),
        "lips": np.where(skin, lips, 0),
        "brows": np.where(skin, smoothstep((0.0055 - to_brows) / 0.003), 0),
        "eyelids": np.where(skin, eyelids, 0),
        "mouth_inside": np.where(skin, inner, 0),
        "eye_sockets": socket,
    }
    return np.stack([rows[name] for name in REGIONS]).astype(np.float32)


def lash_roots(mean: NDArray[np.float64], parts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(V,) 0 where a lash leaves the lid, 1 at its tip: distance from the skin over the longest."""
    result = np.zeros(len(mean), dtype=np.float32)
    skin = mean[parts == PARTS.index("skin")]
    for side in (mean[:, 0] < 0, mean[:, 0] > 0):
        lash = np.flatnonzero((parts == PARTS.index("lashes")) & side)
        gap = np.array([np.sqrt(((skin - mean[v]) ** 2).sum(axis=1).min()) for v in lash])
        result[lash] = np.clip(gap / np.quantile(gap, 0.95), 0.0, 1.0)
    return result
