# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pixels of the photo are hair or headwear.

The person's outline says where hair ends toward the ground; where it ends toward forehead, neck and
clothes only colour tells. What lies outside the fitted head above the eyes, and what on the scalp is unlike
the face's skin, shows the colours of hair; face and collar show those of the rest; GrabCut (Rother,
Kolmogorov & Blake 2004, OpenCV's) draws the border between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .completion import CompletionInput
from .head import PARTS
from .raster import barycentric, pixel_centres, rasterize
from .texture import sample_picture

SIDE = 320
"""Pixels of a side of the working picture: a millimetre is about one."""
_REACH_M = (0.19, 0.20, 0.17)  # what it shows about the eyes: to either side, above, below
_ROUNDS = 2
_GROUND = (0, 255, 0)  # of no hair's colour: the ground shall speak neither for nor against one
_LIKE_SKIN = 2.6  # standard deviations of the face's skin
_UNLIKE_HAIR = 3.0
_SHINE = 20.0  # in OpenCV's a and b: light is whiter than the skin that it falls on
_BESIDE_M, _FAR_M = 0.006, 0.012  # outside the fitted head: likely, and surely no part of it
_NEAR_M = 0.03  # outside the fitted head: hair, if there is any
_ARM_M, _ARM_ABOVE_M = 0.05, -0.03  # outside the head, above the eyes: where an arm is and no cheek
_HAIR_OF_ITS_OWN = 0.3  # share of the scalp unlike skin
_MUCH, _WHITE_ABOVE_M = 400, -0.05  # pixels of hair in the colour of skin above; that far below the eyes
_LIKELIER_GROUND = 2.0  # natural logarithm
_LIKE_GROUND, _ODD = 2.0, 6.0  # standard deviations
_HUES = 0.25, 1.0, 1.0  # how much light and either colour count
_SMALL = 0.1  # of the hair near the head
_SEAM = 4  # pixels at the border of things, of mixed colours
_SCRAP = 9  # pixels: what hangs together by less
_BEARDLESS_M, _CHEEKS_M, _SHOULDERS_M = -0.03, -0.07, -0.10  # below the eyes
_OTHER_CLOTH = 3.5
_FEWEST = 50  # pixels from which colours can be learnt
_LEAST_SEEDS = 0.15  # of the scalp that is seen: with fewer the head is bald or shaved
_SHADED_MOST = 0.5  # of a shaved scalp
_STANDS_OFF = 60  # pixels beside the head, if there is any hair but the shortest
_COLLAR_M = -0.15  # below the eyes
_HEAD_START = 3.0  # natural logarithm of how much likelier a place makes hair, or skin
_FIELDS = ("face", "scalp", "brows", "lips", "eyelids")

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class HairMask:
    """A square cut of the photo around the head; pictures are (SIDE, SIDE), 0..1."""

    hair: Picture
    """Hair or headwear; 0 everywhere for a bald head."""
    person: Picture
    """The person; 0 beyond the photo's edge."""
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
    everywhere = np.ones(given.person.shape, dtype=np.float32)
    inside = np.asarray(cut(everywhere, cv2.BORDER_CONSTANT), dtype=np.float32)
    corners = ((fit.camera.project(at) - corner) * scale)[model.triangles]
    drawn = rasterize(corners, -at[model.triangles][..., 2], SIDE, SIDE)
    pixel, triangle, centre = pixel_centres(drawn)
    fields = np.stack([model.region(name) for name in _FIELDS], axis=1)[model.triangles[triangle]]
    regions = np.zeros((SIDE * SIDE, len(_FIELDS)), dtype=np.float32)
    regions[pixel] = np.einsum("nc,ncd->nd", barycentric(corners, triangle, centre), fields)
    head = (drawn.triangle >= 0).astype(np.float32)
    place = (middle - corner) * scale
    millimetres = scale * metre / 1000.0
    hair, hidden = _cut_out(
        rgb, person * (inside > 0.5), inside > 0.5, head, regions.reshape(SIDE, SIDE, -1), place, millimetres
    )
    return HairMask(hair, person * (inside > 0.5), head, hidden, scale, scale * metre, corner)


def _cut_out(
    rgb: NDArray[np.uint8],
    person: Picture,
    inside: NDArray[np.bool_],
    head: Picture,
    regions: Picture,
    eyes: NDArray[np.float64],
    millimetres: float,
) -> tuple[Picture, Picture]:
    """The hair among the ``person``'s pixels, and what hides it; ``inside`` the photo, ``regions`` as
    :data:`_FIELDS`, ``eyes`` the pixel between them, ``millimetres`` in pixels.
    """
    own = person > 0.6
    metre = 1000.0 * millimetres
    face, scalp, brows, lips, lids = np.moveaxis(regions, 2, 0)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    up, aside = (eyes[1] - rows) / metre, (columns - eyes[0]) / metre
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    plain = own & (face > 0.95) & (np.maximum.reduce([scalp, brows, lips, lids]) < 0.03) & (up < 0.03)
    nothing = np.zeros((SIDE, SIDE), dtype=np.float32)
    if plain.sum() < _FEWEST:
        return nothing, nothing
    skin = _Colours(_without_outliers(lab[plain]), 1)
    like_skin = skin.distance(smooth) < _LIKE_SKIN

    def away(metres: float) -> NDArray[np.bool_]:
        steps = max(1, round(metres * metre))
        return np.asarray(cv2.dilate(head, np.ones((3, 3)), iterations=steps) == 0)

    scalp_seen = own & (scalp > 0.8) & (up > 0.02)
    hidden = np.zeros_like(own)
    unlike_skin = float((scalp_seen & ~like_skin).sum()) / max(1, int(scalp_seen.sum()))
    if unlike_skin > _HAIR_OF_ITS_OWN:
        # Where hair is unlike skin, what is like skin and goes on far beside the head is a hand and its arm.
        skinny = own & like_skin & ((head == 0) | ((scalp > 0.5) & (up > 0.0)))
        hidden = _pieces_with(skinny, away(_ARM_M) & (up > _ARM_ABOVE_M))
        hidden = _dilated(hidden, _SEAM) & own & ((head == 0) | (scalp > 0.3))
        own = own & ~hidden
    beside = own & away(_BESIDE_M)
    near = (beside & ~away(_NEAR_M) & (up > 0.02)) | (scalp_seen & ~like_skin)
    strange = _strange(lab, smooth, near, beside, (person < 0.3) & inside)
    own = own & ~strange
    if strange.sum() > _SMALL * near.sum():  # and what hung together with the rest by scraps of it
        whole = cv2.morphologyEx(own.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_SCRAP, _SCRAP))) > 0
        own = own & _dilated(_pieces_with(whole, head > 0), _SCRAP)
    far = own & away(_FAR_M) & (up > 0.03)
    if unlike_skin <= _HAIR_OF_ITS_OWN and far.sum() > _MUCH:
        far = own & away(_FAR_M) & (up > _WHITE_ABOVE_M)  # white hair beside the cheeks
    # A bald head shines: on the scalp itself, what is merely lighter than the skin is no hair.
    lighter = smooth[..., 0] > skin.middle[0]
    shine = lighter & (np.linalg.norm(smooth[..., 1:] - skin.middle[1:], axis=2) < _SHINE)
    seeds = own & ~like_skin & ((away(_BESIDE_M) & (up > 0.01)) | ((scalp > 0.8) & (up > 0.02) & ~shine))
    seeds |= far  # white hair has the colour of skin
    if seeds.sum() < _LEAST_SEEDS * max(int(scalp_seen.sum()), 200):
        return nothing, nothing
    shaded = plain & (up > _BEARDLESS_M)
    shaved = (beside & (up > 0.01)).sum() < _STANDS_OFF and unlike_skin < _SHADED_MOST
    if shaved and shaded.sum() >= _FEWEST:
        unlike = _Colours(lab[shaded], 3).distance(smooth) > _LIKE_SKIN
        if (scalp_seen & unlike).sum() < _LEAST_SEEDS * scalp_seen.sum():
            return nothing, nothing  # shadows as there are on the face, and nothing that stands off
    hair = _Colours(lab[seeds], 3)
    collar = own & (head == 0) & (up < _COLLAR_M) & (np.abs(aside) < 0.05)
    collar &= hair.distance(lab) > _UNLIKE_HAIR
    rival = skin.cost(lab)
    if collar.sum() > 60:
        rival = np.minimum(rival, _Colours(lab[collar], 3).cost(lab))
    likely = (rival - hair.cost(lab)).astype(np.float32)
    likely += _HEAD_START * (seeds.astype(np.float32) - ((face > 0.9) & (scalp < 0.05)))
    smoothed = cv2.GaussianBlur(np.clip(likely, -8, 8), (0, 0), 1.2)
    labels = np.where(smoothed > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    inner = cv2.erode((face > 0.95).astype(np.uint8), np.ones((3, 3)), iterations=3) > 0
    labels[inner & (up < 0.02)] = cv2.GC_BGD
    labels[far] = cv2.GC_FGD
    labels[~own] = cv2.GC_BGD
    if not np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).any():
        return nothing, nothing
    picture = np.where(own[..., None], rgb, np.array(_GROUND, dtype=np.uint8))
    # OpenCV's k-means and GrabCut draw from its own generator: the same photo, the same hair.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # into labels
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # Clothes may have the colours of a hair's shadows.
    falling = beside & own & ~away(_NEAR_M) & (up < 0.02) & (up > _CHEEKS_M) & (found > 0)
    low = (found > 0) & (head == 0) & (up < _SHOULDERS_M)
    if falling.sum() >= 2 * _FEWEST and low.any():
        off = _Colours(_without_outliers(lab[falling]), 1).distance(smooth)
        if np.median(off[low]) > _OTHER_CLOTH:
            found[low & (off > 0.75 * _OTHER_CLOTH)] = 0
    # What does not hang together with hair above the eyes is a collar, a hand, a shadow.
    _, pieces = cv2.connectedComponents(found, connectivity=4)
    anchors = seeds | (_dilated(hidden, 2 * _SEAM) & (hair.distance(smooth) < _UNLIKE_HAIR))
    piece, count = np.unique(pieces[anchors & (found > 0)], return_counts=True)
    return np.isin(pieces, piece[count > 20]).astype(np.float32), hidden.astype(np.float32)


def _strange(
    lab: NDArray[np.float32],
    smooth: NDArray[np.float32],
    near: NDArray[np.bool_],
    beside: NDArray[np.bool_],
    ground: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(H, W) what the person's outline takes in ``beside`` the head and is not of it: what has the colours
    of the ``ground`` and not of the hair ``near`` the head, and small things at the rim of a colour that no
    other hair has, like lights behind it. ``lab`` are the photo's colours, ``smooth`` the same blurred.
    """
    strange = np.zeros_like(beside)
    if near.sum() < _FEWEST:
        return strange
    if ground.sum() >= _FEWEST:
        behind, hair = _Colours(lab[ground], 5), _Colours(lab[near], 3)
        unlike = hair.distance(smooth) > _UNLIKE_HAIR
        likelier = hair.cost(smooth) - behind.cost(smooth) > _LIKELIER_GROUND
        wall = beside & (behind.distance(smooth) < _LIKE_GROUND) & (unlike | likelier)
        # Grey hair before a grey wall has it at its rim: only what is wide is a wall.
        wide = cv2.morphologyEx(wall.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_SCRAP, _SCRAP))) > 0
        strange |= wall & _dilated(wide, _SCRAP)
    hues = np.array(_HUES, dtype=np.float32)  # one side of hair may be in the sun
    usual = _Colours(_without_outliers(lab[near] * hues), 1)
    odd = (beside & (usual.distance(smooth * hues) > _ODD)).astype(np.uint8)
    _, pieces = cv2.connectedComponents(odd, connectivity=4)
    size = np.bincount(pieces.ravel())[pieces]
    small = (odd > 0) & (size < _SMALL * near.sum())
    outside = ~beside & ground
    return np.asarray(strange | _dilated(_pieces_with(small, _dilated(outside, _SEAM)), _SEAM) & beside)


def _pieces_with(wanted: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) those connected pieces of ``wanted`` that ``seeds`` touch."""
    _, pieces = cv2.connectedComponents(wanted.astype(np.uint8), connectivity=4)
    return np.asarray(wanted & np.isin(pieces, np.unique(pieces[wanted & seeds])))


def _dilated(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """(H, W) with everything within some pixels of it."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)), iterations=pixels) > 0)


def _without_outliers(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples (N, 3) near their median: skin without spectacles, stubble and hard shadows."""
    for _ in range(3):
        middle = np.median(samples, axis=0)
        spread = 1.4826 * np.median(np.abs(samples - middle), axis=0) + 2.0
        near = (np.abs(samples - middle) < 2.5 * spread).all(axis=1)
        if near.sum() < _FEWEST:
            break
        samples = samples[near]
    return samples


class _Colours:
    """A mixture of Gaussians over colours in CIE Lab (OpenCV's 8-bit units)."""

    def __init__(self, samples: NDArray[np.float32], count: int) -> None:
        """Learn at most ``count`` Gaussians from (N, 3) samples."""
        samples = np.ascontiguousarray(samples[:: max(1, len(samples) // 4000)], dtype=np.float32)
        count = count if len(samples) >= 20 * count else 1
        cv2.setRNGSeed(0)
        rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 30, 0.1)
        first = np.zeros((len(samples), 1), dtype=np.int32)
        _, label, _ = cv2.kmeans(samples, count, first, rule, 3, cv2.KMEANS_PP_CENTERS)
        self._gaussians: list[tuple[NDArray[np.float64], NDArray[np.float64], float]] = []
        for k in range(count):
            part = samples[label.ravel() == k].astype(np.float64)
            if len(part) < 8 and self._gaussians:
                continue
            spread = np.cov(part.T) if len(part) > 3 else np.zeros((3, 3))
            covariance = spread + 12.0 * np.eye(3)  # rounding, noise and compression
            constant = 0.5 * np.log(np.linalg.det(covariance)) - np.log(len(part) / len(samples))
            self._gaussians.append((part.mean(axis=0), np.linalg.inv(covariance), float(constant)))

    @property
    def middle(self) -> NDArray[np.float64]:
        """(3,) the first Gaussian's."""
        return self._gaussians[0][0]

    def cost(self, lab: NDArray[np.float32]) -> NDArray[np.float64]:
        """(...) minus the logarithm of the likelihood of (..., 3) colours, but for a constant."""
        return np.min([0.5 * s + constant for s, constant in self._squares(lab)], axis=0)

    def distance(self, lab: NDArray[np.float32]) -> NDArray[np.float64]:
        """(...) standard deviations (Mahalanobis) of (..., 3) colours from the nearest Gaussian."""
        return np.sqrt(np.min([square for square, _ in self._squares(lab)], axis=0))

    def _squares(self, lab: NDArray[np.float32]) -> list[tuple[NDArray[np.float64], float]]:
        return [
            (np.einsum("...d,de,...e->...", lab - mean, inverse, lab - mean, optimize=True), constant)
            for mean, inverse, constant in self._gaussians
        ]
