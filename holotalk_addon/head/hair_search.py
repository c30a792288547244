# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding hair or headwear in a cut of the photo, step by step.

What lies outside the fitted head above the eyes, and what on the scalp is unlike the face's skin, shows the
colours of hair; face and collar show those of the rest; GrabCut (Rother, Kolmogorov & Blake 2004, OpenCV's)
draws the border between them. Hands, walls and lamps that the person's outline takes in are put aside first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .colours import FEWEST, Colours, without_outliers

FIELDS = ("face", "scalp", "brows", "lips", "eyelids")
"""Regions of the head model that the search looks at."""
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
_LEAST_SEEDS = 0.15  # of the scalp that is seen: with fewer the head is bald or shaved
_SHADED_MOST = 0.5  # of a shaved scalp
_STANDS_OFF = 60  # pixels beside the head, if there is any hair but the shortest
_COLLAR_M = -0.15  # below the eyes
_HEAD_START = 3.0  # natural logarithm of how much likelier a place makes hair, or skin

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]


def find_hair(
    rgb: NDArray[np.uint8],
    person: Picture,
    inside: Mask,
    head: Picture,
    regions: Mapping[str, Picture],
    eyes: NDArray[np.float64],
    metre: float,
) -> tuple[Picture, Picture]:
    """Find the hair or headwear in a picture. Deterministic.

    Args:
        rgb: (S, S, 3) uint8 sRGB, the head in the middle.
        person: (S, S) 0..1, 1 on the person; 0 beyond the photo.
        inside: (S, S) where there is photo.
        head: (S, S) 1 where the fitted head is drawn.
        regions: by each of :data:`FIELDS`, (S, S) 0..1 membership of what of the head is drawn there.
        eyes: (2,) pixel between the eyes.
        metre: pixels.

    Returns:
        (S, S) 1 on hair or headwear, and (S, S) 1 on hands and arms that hide it.
    """
    nothing = np.zeros(person.shape, dtype=np.float32)
    sight = _sight(rgb, person, head, regions, eyes, metre)
    if sight is None:
        return nothing, nothing
    sight, hidden = _without_hands(sight)
    sight = _without_strangers(sight, (person < 0.3) & inside)
    far = _surely_hair(sight)
    seeds = _seeds(sight, far)
    scalp_seen = max(int(sight.scalp_seen.sum()), 200)
    if seeds.sum() < _LEAST_SEEDS * scalp_seen or _is_shaved(sight):
        return nothing, nothing
    hair = Colours(sight.lab[seeds], 3)
    found = _grab_cut(sight, rgb, seeds, far, hair)
    found &= ~_clothes(sight, found)
    # What does not hang together with hair above the eyes is a collar, a hand, a shadow.
    anchors = seeds | (_dilated(hidden, 2 * _SEAM) & (hair.distance(sight.smooth) < _UNLIKE_HAIR))
    _, pieces = cv2.connectedComponents(found.astype(np.uint8), connectivity=4)
    piece, count = np.unique(pieces[anchors & found], return_counts=True)
    return np.isin(pieces, piece[count > 20]).astype(np.float32), hidden.astype(np.float32)


@dataclass(frozen=True)
class _Sight:
    """What the search knows about the picture; (S, S) each unless told."""

    lab: Picture
    """(S, S, 3) the colours in CIE Lab (OpenCV's 8-bit units), and"""
    smooth: Picture
    """the same blurred"""
    own: Mask
    """the person, without what was put aside"""
    head: Mask
    face: Picture
    scalp: Picture
    plain: Mask
    """skin of the face and nothing else"""
    skin: Colours
    like_skin: Mask
    scalp_seen: Mask
    unlike_skin: float
    """share of the scalp that is seen"""
    up: NDArray[np.float64]
    """metres above the eyes"""
    aside: NDArray[np.float64]
    """metres to the right of them"""
    metre: float
    """pixels"""

    def away(self, metres: float) -> Mask:
        """What is farther than that from the drawn head."""
        return ~_dilated(self.head, max(1, round(metres * self.metre)))

    @property
    def beside(self) -> Mask:
        """The person beside the head."""
        return self.own & self.away(_BESIDE_M)


def _sight(
    rgb: NDArray[np.uint8],
    person: Picture,
    head: Picture,
    regions: Mapping[str, Picture],
    eyes: NDArray[np.float64],
    metre: float,
) -> _Sight | None:
    """None where too little of the face is seen to know its skin."""
    own = person > 0.6
    rows, columns = np.mgrid[: person.shape[0], : person.shape[1]] + 0.5
    up, aside = (eyes[1] - rows) / metre, (columns - eyes[0]) / metre
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    others = np.maximum.reduce([regions[name] for name in FIELDS if name != "face"])
    plain = own & (regions["face"] > 0.95) & (others < 0.03) & (up < 0.03)
    if plain.sum() < FEWEST:
        return None
    skin = Colours(without_outliers(lab[plain]), 1)
    like_skin = skin.distance(smooth) < _LIKE_SKIN
    scalp_seen = own & (regions["scalp"] > 0.8) & (up > 0.02)
    return _Sight(
        lab=lab,
        smooth=smooth,
        own=own,
        head=head > 0,
        face=regions["face"],
        scalp=regions["scalp"],
        plain=plain,
        skin=skin,
        like_skin=like_skin,
        scalp_seen=scalp_seen,
        unlike_skin=float((scalp_seen & ~like_skin).sum()) / max(1, int(scalp_seen.sum())),
        up=up,
        aside=aside,
        metre=metre,
    )


def _without_hands(sight: _Sight) -> tuple[_Sight, Mask]:
    """Where hair is unlike skin, what is like skin and goes on far beside the head is a hand and its arm."""
    if sight.unlike_skin <= _HAIR_OF_ITS_OWN:
        return sight, np.zeros_like(sight.own)
    skinny = sight.own & sight.like_skin & (~sight.head | ((sight.scalp > 0.5) & (sight.up > 0.0)))
    hidden = _pieces_with(skinny, sight.away(_ARM_M) & (sight.up > _ARM_ABOVE_M))
    hidden = _dilated(hidden, _SEAM) & sight.own & (~sight.head | (sight.scalp > 0.3))
    return replace(sight, own=sight.own & ~hidden), hidden


def _without_strangers(sight: _Sight, ground: Mask) -> _Sight:
    """Without walls and lamps; ``ground`` is what surely is not the person."""
    near = sight.beside & ~sight.away(_NEAR_M) & (sight.up > 0.02)
    near |= sight.scalp_seen & ~sight.like_skin
    strange = _strange(sight, near, ground)
    own = sight.own & ~strange
    if strange.sum() > _SMALL * near.sum():  # and what hung together with the rest by scraps of it
        own &= _dilated(_pieces_with(_opened(own), sight.head), _SCRAP)
    return replace(sight, own=own)


def _surely_hair(sight: _Sight) -> Mask:
    """What stands off above the eyes; of white hair, in the colour of skin, beside the cheeks too."""
    far = sight.own & sight.away(_FAR_M)
    above = far & (sight.up > 0.03)
    white = sight.unlike_skin <= _HAIR_OF_ITS_OWN and above.sum() > _MUCH
    return far & (sight.up > _WHITE_ABOVE_M) if white else above


def _seeds(sight: _Sight, far: Mask) -> Mask:
    """What shows the colours of hair."""
    # A bald head shines: on the scalp itself, what is merely lighter than the skin is no hair.
    lighter = sight.smooth[..., 0] > sight.skin.middle[0]
    off = np.linalg.norm(sight.smooth[..., 1:] - sight.skin.middle[1:], axis=2)
    on_scalp = (sight.scalp > 0.8) & (sight.up > 0.02) & ~(lighter & (off < _SHINE))
    unlike = sight.own & ~sight.like_skin & ((sight.beside & (sight.up > 0.01)) | on_scalp)
    return unlike | far  # white hair has the colour of skin


def _is_shaved(sight: _Sight) -> bool:
    """Whether there are but shadows on the scalp as there are on the face, and nothing that stands off."""
    shaded = sight.plain & (sight.up > _BEARDLESS_M)
    stands_off = (sight.beside & (sight.up > 0.01)).sum() >= _STANDS_OFF
    if stands_off or sight.unlike_skin >= _SHADED_MOST or shaded.sum() < FEWEST:
        return False
    unlike = Colours(sight.lab[shaded], 3).distance(sight.smooth) > _LIKE_SKIN
    return bool((sight.scalp_seen & unlike).sum() < _LEAST_SEEDS * sight.scalp_seen.sum())


def _grab_cut(sight: _Sight, rgb: NDArray[np.uint8], seeds: Mask, far: Mask, hair: Colours) -> Mask:
    """The border between hair and the rest of the person."""
    collar = sight.own & ~sight.head & (sight.up < _COLLAR_M) & (np.abs(sight.aside) < 0.05)
    collar &= hair.distance(sight.lab) > _UNLIKE_HAIR
    rival = sight.skin.cost(sight.lab)
    if collar.sum() > 60:
        rival = np.minimum(rival, Colours(sight.lab[collar], 3).cost(sight.lab))
    likely = (rival - hair.cost(sight.lab)).astype(np.float32)
    likely += _HEAD_START * (seeds.astype(np.float32) - ((sight.face > 0.9) & (sight.scalp < 0.05)))
    smoothed = cv2.GaussianBlur(np.clip(likely, -8, 8), (0, 0), 1.2)
    labels = np.where(smoothed > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    inner = cv2.erode((sight.face > 0.95).astype(np.uint8), np.ones((3, 3)), iterations=3) > 0
    labels[inner & (sight.up < 0.02)] = cv2.GC_BGD
    labels[far] = cv2.GC_FGD
    labels[~sight.own] = cv2.GC_BGD
    if not np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).any():
        return np.zeros_like(sight.own)
    picture = np.where(sight.own[..., None], rgb, np.array(_GROUND, dtype=np.uint8))
    # OpenCV's k-means and GrabCut draw from its own generator: the same photo, the same hair.
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(bgr, labels, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # into labels
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _clothes(sight: _Sight, found: Mask) -> Mask:
    """Of what was found, what is low and unlike the hair beside the cheeks: clothes may have the colours of a
    hair's shadows.
    """
    falling = sight.beside & ~sight.away(_NEAR_M) & (sight.up < 0.02) & (sight.up > _CHEEKS_M) & found
    low = found & ~sight.head & (sight.up < _SHOULDERS_M)
    if falling.sum() < 2 * FEWEST or not low.any():
        return np.zeros_like(found)
    off = Colours(without_outliers(sight.lab[falling]), 1).distance(sight.smooth)
    return low & (off > 0.75 * _OTHER_CLOTH) & bool(np.median(off[low]) > _OTHER_CLOTH)


def _strange(sight: _Sight, near: Mask, ground: Mask) -> Mask:
    """What the person's outline takes in beside the head and is not of it: what has the colours of the
    ground and not of the hair ``near`` the head, and small things at the rim of a colour that no other hair
    has, like lights behind it.
    """
    lab, smooth, beside = sight.lab, sight.smooth, sight.beside
    strange = np.zeros_like(beside)
    if near.sum() < FEWEST:
        return strange
    if ground.sum() >= FEWEST:
        behind, hair = Colours(lab[ground], 5), Colours(lab[near], 3)
        unlike = hair.distance(smooth) > _UNLIKE_HAIR
        likelier = hair.cost(smooth) - behind.cost(smooth) > _LIKELIER_GROUND
        wall = beside & (behind.distance(smooth) < _LIKE_GROUND) & (unlike | likelier)
        # Grey hair before a grey wall has it at its rim: only what is wide is a wall.
        strange |= wall & _dilated(_opened(wall), _SCRAP)
    hues = np.array(_HUES, dtype=np.float32)  # one side of hair may be in the sun
    usual = Colours(without_outliers(lab[near] * hues), 1)
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


def _opened(mask: Mask) -> Mask:
    """(H, W) without what is narrower than a scrap."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_SCRAP, _SCRAP)))
    return np.asarray(opened > 0)
