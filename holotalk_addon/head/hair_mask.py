# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of the photo are hair or headwear.

The person's outline says where hair ends toward the ground; where it ends toward forehead, neck and
clothes only colour tells: :mod:`.hair_search`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .completion import CompletionInput
from .hair_search import FIELDS, Picture, find_hair
from .head import PARTS
from .raster import barycentric, pixel_centres, rasterize
from .texture import sample_picture

SIDE = 320
"""Pixels of a side of the working picture: a millimetre is about one."""
_REACH_M = (0.19, 0.20, 0.17)  # what it shows about the eyes: to either side, above, below


@dataclass(frozen=True)
class HairMask:
    """A square cut of the photo around the head; pictures are (SIDE, SIDE), 0..1."""

    hair: Picture
    """Hair or headwear; 0 everywhere for a bald head."""
    person: Picture
    """The person; 0 beyond the photo's edge."""
    inside: Picture
    """1 where there is photo."""
    head: Picture
    """1 where the fitted head itself is drawn."""
    hidden: Picture
    """1 where a hand or an arm of the person lies before hair, or beside it."""
    scale: float
    """Pixels of the cut for one of the photo."""
    metre: float
    """Pixels of the cut for a metre at the eyes."""
    corner: NDArray[np.float64]
    """(2,) the photo's pixel at the cut's corner."""

    def place(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) photo pixels -> pixels of the cut."""
        return np.asarray((pixels - self.corner) * self.scale)

    def sample(self, picture: Picture, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) values of one of the pictures at (N, 2) photo pixels, the border's own beyond it."""
        found = sample_picture(picture, self.place(pixels), cv2.BORDER_REPLICATE)
        return np.asarray(found, dtype=np.float64)


def hair_mask(given: CompletionInput) -> HairMask:
    """Cut hair and headwear out of the photo. Deterministic."""
    model, fit = given.model, given.fit
    at = fit.to_camera(fit.posed(model))
    eyes = at[model.vertex_parts == PARTS.index("eyes")].mean(axis=0)
    side, above, below = _REACH_M
    metre = fit.camera.focal / -eyes[2]
    middle = fit.camera.project(eyes[None])[0]
    corner = middle - metre * np.array([side, above])
    scale = SIDE / (metre * max(2 * side, above + below))

    def cut(picture: NDArray[Any], border: int = cv2.BORDER_REPLICATE) -> NDArray[Any]:
        shift = 0.5 * scale - 0.5 - scale * corner
        matrix = np.column_stack([np.diag([scale, scale]), shift])
        blurred = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 0.7 else picture
        return cv2.warpAffine(blurred, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)

    rgb = np.asarray(cut(given.pixels), dtype=np.uint8)
    person = np.asarray(cut(given.person.astype(np.float32)), dtype=np.float32)
    photo = np.ones(given.person.shape, dtype=bool) if given.inside is None else given.inside
    inside = np.asarray(cut(photo.astype(np.float32), cv2.BORDER_CONSTANT), dtype=np.float32)
    corners = ((fit.camera.project(at) - corner) * scale)[model.triangles]
    drawn = rasterize(corners, -at[model.triangles][..., 2], SIDE, SIDE)
    pixel, triangle, centre = pixel_centres(drawn)
    fields = np.stack([model.region(name) for name in FIELDS], axis=1)[model.triangles[triangle]]
    regions = np.zeros((SIDE * SIDE, len(FIELDS)), dtype=np.float32)
    regions[pixel] = np.einsum("nc,ncd->nd", barycentric(corners, triangle, centre), fields)
    head = (drawn.triangle >= 0).astype(np.float32)
    own = person * (inside > 0.5)
    shown = dict(zip(FIELDS, np.moveaxis(regions.reshape(SIDE, SIDE, -1), 2, 0), strict=True))
    eyes_at = (middle - corner) * scale
    hair, hidden = find_hair(rgb, own, inside > 0.5, head, shown, eyes_at, scale * metre)
    return HairMask(hair, own, inside, head, hidden, scale, scale * metre, corner)
