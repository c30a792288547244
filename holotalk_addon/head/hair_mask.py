# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of the photo are hair or headwear, and which are something before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..face.mask import guided_coefficients
from ..face.parsing import PERSON
from .completion import SeenHead
from .head import PARTS
from .raster import barycentric, pixel_centres, rasterize
from .texture import sample_picture

SIDE = 320
"""Pixels of a side of the working picture: a millimetre is about one."""
_REACH_M = (0.19, 0.20, 0.17)  # what it shows about the eyes: to either side, above, below
_FILTER_RADIUS, _FILTER_EPSILON = 4, 1e-3  # two pixels of the network's; see face.mask
HAIR = ("hair", "headwear")
"""What grows or sits on the head, of :data:`~..face.parsing.CLASSES`."""
_LEAST = 0.4  # within the person's outline; less is the ground that the outline takes in
_BALD = 0.15  # share of the seen scalp up to which what is called hair there is stubble or shadow,
_SHAVED = 0.5  # and up to which it is where nothing stands off the head:
_BESIDE_M, _STANDS_OFF = 0.006, 60  # pixels farther from it than that. Of 11 portraits, 0 to 2 or 98 and more
_RING = 600  # and pixels from which on it is hair about a bald crown: two such men have 1900 and more
_SEAM = 2  # pixels at the border of hands, of mixed colours
_DARKER, _LIKE = 2.0, 2.5  # standard deviations of the skin's colours: dark hair, and what is like skin
_FINGER = 7  # pixels of a finger's width
_HAND, _HAND_REACH = 0.3, 60.0  # share of cover that tells of a hand; pixels from it to its fingers
_SCRAP = 20  # pixels on the scalp by which hair hangs on to it at least

Picture = NDArray[np.float32]


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
    crown_bare: bool
    """Whether hair stands beside the head alone, about a bald crown."""
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


def hair_mask(seen_head: SeenHead) -> HairMask:
    """Cut hair and headwear out of the photo: what the parsing network calls so, within the person, and what
    hangs together with the scalp. Deterministic.
    """
    model, fit = seen_head.model, seen_head.fit
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

    rgb = np.asarray(cut(seen_head.pixels), dtype=np.float32) / np.float32(255.0)
    person = np.asarray(cut(seen_head.person.astype(np.float32)), dtype=np.float32)
    photo = np.ones(seen_head.person.shape, dtype=bool) if seen_head.inside is None else seen_head.inside
    inside = np.asarray(cut(photo.astype(np.float32), cv2.BORDER_CONSTANT), dtype=np.float32) > 0.5

    def told(*names: str) -> Picture:
        coarse = seen_head.parsing.read(seen_head.parsing.share(*names), corner, 1.0 / scale, (SIDE, SIDE))
        planes = guided_coefficients(rgb, coarse, _FILTER_RADIUS, _FILTER_EPSILON)
        return np.einsum("hwc,hwc->hw", planes[..., :3], rgb) + planes[..., 3]

    corners = ((fit.camera.project(at) - corner) * scale)[model.triangles]
    drawn = rasterize(corners, -at[model.triangles][..., 2], SIDE, SIDE)
    pixel, triangle, centre = pixel_centres(drawn)
    field = model.region("scalp")[model.triangles[triangle]]
    scalp = np.zeros(SIDE * SIDE, dtype=np.float32)
    scalp[pixel] = np.einsum("nc,nc->n", barycentric(corners, triangle, centre), field)
    on_scalp = scalp.reshape(SIDE, SIDE) > 0.5
    own = person * inside
    cover = told("cover")
    hidden = (cover > 0.5) & inside
    # The person's outline is where hair ends toward the ground; the rest of the person, where it ends in it.
    hairy = told(*HAIR)
    hair = (hairy > np.maximum(told(*(name for name in PERSON if name not in HAIR)), _LEAST)) & (own > 0.5)
    hair &= ~hidden
    fingers = _fingers(rgb, (told("skin") > 0.9) & (scalp.reshape(SIDE, SIDE) < 0.05), hair)
    hair &= ~fingers
    # Of hands that the network sees nearby; else it is the forehead, which ends higher than the network says.
    hidden |= _near(fingers, (cover > _HAND) & inside)
    head = (drawn.triangle >= 0).astype(np.uint8)
    close = cv2.dilate(head, np.ones((3, 3)), iterations=max(1, round(_BESIDE_M * scale * metre))) > 0
    beside = (hair & ~close).sum()
    scalp_shown = on_scalp & inside & ~hidden
    crown_bare = bool(beside >= _RING and (hair & scalp_shown).sum() <= _BALD * scalp_shown.sum())
    if crown_bare:
        over_the_eyes = np.arange(SIDE)[:, None] < above * metre * scale
        hair = _attached(hair, close & over_the_eyes, hidden)
    elif (hair & scalp_shown).sum() <= (_BALD if beside >= _STANDS_OFF else _SHAVED) * scalp_shown.sum():
        hair = np.zeros_like(hair)
    else:
        hair = _attached(hair, scalp_shown, hidden)
    return HairMask(
        hair.astype(np.float32),
        own,
        inside.astype(np.float32),
        head.astype(np.float32),
        hidden.astype(np.float32),
        crown_bare,
        scale,
        scale * metre,
        corner,
    )


def _fingers(
    rgb: NDArray[np.floating], skin: NDArray[np.bool_], hair: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(SIDE, SIDE) what in dark hair is as light as the skin, of its hue and wide: fingers, of which the
    network has seen few in hair. None where hair is nearly as light as the skin.

    Args:
        rgb: (SIDE, SIDE, 3) sRGB 0..1.
        skin: (SIDE, SIDE) what surely shows skin.
        hair: (SIDE, SIDE) what is called hair.
    """
    if not skin.any() or not hair.any():
        return np.zeros_like(hair)
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2.0).astype(np.float32), cv2.COLOR_RGB2LAB)
    middle = np.median(lab[skin], axis=0)
    spread = 1.4826 * np.median(np.abs(lab[skin] - middle), axis=0) + 2.0
    if np.median(lab[hair][:, 0]) > middle[0] - _DARKER * spread[0]:
        return np.zeros_like(hair)
    off = (lab - middle) / spread
    like = hair & (off[..., 0] > -1.0) & (np.abs(off[..., 1:]) < _LIKE).all(axis=-1)
    wide = cv2.morphologyEx(like.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_FINGER, _FINGER)))
    return np.asarray(cv2.dilate(wide, np.ones((3, 3)), iterations=_SEAM) > 0)


def _near(pieces: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(SIDE, SIDE) those of the connected pieces that come near the others."""
    if not others.any():
        return np.zeros_like(pieces)
    _, piece = cv2.connectedComponents(pieces.astype(np.uint8))
    away = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(pieces & np.isin(piece, np.unique(piece[pieces & (away < _HAND_REACH)])))


def _attached(
    hair: NDArray[np.bool_], scalp: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(SIDE, SIDE) the hair without what does not hang together with the scalp, be it behind a hand."""
    _, pieces = cv2.connectedComponents((hair | hidden).astype(np.uint8), connectivity=4)
    piece, count = np.unique(pieces[hair & scalp], return_counts=True)
    return np.asarray(hair & np.isin(pieces, piece[count > _SCRAP]))
