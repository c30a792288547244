# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the faces are: three detectors propose, the 468-point network decides.

Each detector alone fails on ordinary photos: dlib's HOG detector (Dalal-Triggs features, King 2015)
misses turned faces and fires on patterned cloth; BlazeFace (Bazarevsky et al. 2019, arXiv:1907.05047)
short range misses faces that fill less than about a fifth of its square, full range those that fill less
than about a twentieth. So the latter two also run on overlapping tiles, all proposals are pooled, and
a face is what the mesh network, run to rest on an eye-levelled crop, calls one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .iris import Eyes, find_eyes
from .mesh import (
    CROP_PER_BOX,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    eye_roll,
    fit_mesh,
    level_square,
    mesh_on_crop,
    share_outside,
)
from .models import FaceModels
from .proposals import TURNED, Proposal, angle_between, blazeface, hog_proposals, pooled, search_levels

SURE_PROPOSAL = 0.7
"""Proposals above may end the search for much smaller faces, once confirmed."""

FACE_SCORE = 0.5
"""Least score of the mesh network (the face flag's sigmoid at rest) that makes a face."""


SURE_SCORE = 0.5
"""Least product of the detector's and the mesh network's scores. On 22 photos with 48 faces the true ones
had 0.75 or more, the false ones (hair in shadow, a neckline) 0.43 or less."""

SEEN_BY = (("short_range", 1.8), ("short_range", 2.5), ("full_range", 2.5), ("full_range", 4.0))
"""Networks asked about a face by itself, and the sides of the crops in face sides."""

HALF_TURNED = math.radians(20.0)
"""The mesh network also comes to rest on faces that it has turned by some 40 degrees too little: there the
detectors see the eyes turned by 24-46 degrees against the mesh, on faces that it has right by up to 15."""

MOST_APART = 0.5
"""Eye widths: eyes that two networks see farther apart than this count as this far apart."""

SURE_EVIDENCE = 0.65
"""Evidence from which on an upright reading has no rivals. On 69 faces of photos and films (also blurred,
grey, cropped tight, tilted) the wrong way up had 0.59 or less, the right way more than this for 96 %."""

UPRIGHT_BONUS = 0.1
"""Evidence by which a reading that is not upright in the picture must be better. Set on half of those faces
and of 120 rendered people, with faces cut by the picture's edge: none of 93 cut faces came out upside down
(4 without a bonus), one of 704 turned ones did (masked and grey). On the other half one of 93, one of 692. In
the search itself: all quarter turns of 88 faces of photos and of 100 other rendered people are right, and one
of 186 cut faces, a small doubtful one, is upside down."""

MOST_CUT = 0.2
"""Share of the mesh beyond the picture's edge from which a turned reading must be surely a face. Of 717 cuts
of portraits (25 to 45 % of the face missing, more or less picture around it) six came out upside down, with
3, 36, 36, 43, 46 and 47 % of their mesh beyond the edge."""

CLEARLY = 0.15
"""Lead in evidence below which the user is told that it might be the other way up: 1 of 275 readings of real
photos, 10 of 51 cut at the nose, and the one that was wrong by half a turn."""

AT_REST = 0.01
"""Of the face's side: on six photos a further pass moved meshes that fit by 0.001-0.007, those that were
still creeping, without chin or brows, by 0.013-0.044."""


DOUBTFUL_EVIDENCE = 0.55
"""Evidence below which it may be no face. Of 69 faces of photos and films one has less (0.49: 92 pixels, half
in shadow), the next 0.61. A dog in ten variants has 0.23-0.51, two cheetahs, a puppet and a blurred building
less, while their detectors' scores, 0.63-0.83, are also those of true faces (from 0.75)."""

SAME_FACE_OVERLAP = 0.4
"""Meshes of whose smaller box more than this lies in the other's are one face."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A confirmed face."""

    box: NDArray[np.float64]
    """(4,) x, y, width, height of the mesh's points in pixels."""
    score: float
    """The best detector's score, 0..1 (HOG's margin through a sigmoid)."""
    mesh: NDArray[np.float64]
    """(468, 3), see :mod:`.mesh`."""
    mesh_score: float
    """The mesh network's own face score, 0..1."""
    eyes: Eyes
    """What the iris network sees where the mesh has its eyes."""
    restless: float
    """How far another pass of the mesh network moves the mesh, over the face's side."""
    evidence: float
    """How well all networks agree on this reading of the place: the mesh's score times the mean of the
    detectors' on the levelled face, less the distance of the eyes as two networks see them."""
    unsure: bool = False
    """Whether the face may as well be turned over."""

    @property
    def roll(self) -> float:
        """Radians, clockwise, by the eyes."""
        return eye_roll(self.mesh)

    @property
    def doubtful(self) -> bool:
        """Whether this may be no face at all."""
        return self.evidence < DOUBTFUL_EVIDENCE


def detect(pixels: NDArray[np.uint8], models: FaceModels, progress: Progress = silent) -> list[Detection]:
    """All faces in (H, W, 3) uint8 sRGB, the largest box first (ties: from the left, then from the top), but
    beside a sure face those that may be none last.

    Where none is surely a face and upright, the picture is searched lying on its sides and on its head as
    well (pictures lose their EXIF orientation on the way), and of what is found at one place the readings
    compete.
    """
    readings: list[Detection] = []
    for attempt, roll in enumerate((0.0, 0.5 * math.pi, -0.5 * math.pi, math.pi)):

        def part(done: float, attempt: int = attempt) -> None:
            progress(0.25 * (attempt + done))

        found = _detect_at(pixels, models, roll, part)
        readings += found
        if any(r.evidence > SURE_EVIDENCE and angle_between(r.roll, roll) < TURNED for r in found):
            break
    progress(1.0)
    return _ranked(_best_readings(readings))


def detect_again(
    pixels: NDArray[np.uint8], models: FaceModels, mesh: NDArray[np.floating]
) -> Detection | None:
    """A face whose (468, 3) mesh in the frame before is known, read in (H, W, 3) uint8 sRGB without a search;
    None where it is not surely there any more."""
    centre, side, roll = level_square(np.asarray(mesh, dtype=np.float64))
    found = _read(pixels, models, centre, side / CROP_PER_BOX, roll)
    if found is None or found.doubtful or found.score * found.mesh_score < SURE_SCORE:
        return None
    return found


def _detect_at(
    pixels: NDArray[np.uint8], models: FaceModels, roll: float, progress: Progress
) -> list[Detection]:
    """Readings of faces: those found upright within some 45 degrees when the picture is turned back by
    ``roll``, and where they are in doubt, the same places read the other way up."""

    @cache
    def confirmed(proposal: Proposal) -> list[Detection]:
        return _confirm(pixels, models, proposal)

    proposals = hog_proposals(pixels, models.hog) if roll == 0.0 else []
    levels = search_levels(pixels.shape[1], pixels.shape[0])
    total, done = sum(len(squares) for squares in levels), 0
    for number, squares in enumerate(levels):
        # Beside a large face nobody looks for faces of a tenth of its size: a portrait is done sooner.
        large = [p for p in proposals if p.side > squares[0][1] and p.score > SURE_PROPOSAL]
        if number > 1 and any(confirmed(proposal) for proposal in pooled(large)[:2]):
            break
        # The short-range network adds nothing on tiles: what fills much of a tile, the full-range one
        # has found on a larger tile.
        networks = (models.short_range, models.full_range) if number == 0 else (models.full_range,)
        for centre, side in squares:
            for network in networks:
                proposals += blazeface(network, pixels, centre, side, roll)
            done += 1
            progress(0.7 * done / total)
    readings: list[Detection] = []
    chosen = pooled(proposals)
    for done, proposal in enumerate(chosen, start=1):
        readings += confirmed(proposal)
        progress(0.7 + 0.3 * done / len(chosen))
    return readings


def _confirm(pixels: NDArray[np.uint8], models: FaceModels, proposal: Proposal) -> list[Detection]:
    """The readings of a proposal as a face: none, one, or where that is in doubt, one each way up."""
    square = proposal.centre, proposal.side, proposal.roll
    first = _read(pixels, models, *square)
    if first is None:
        return []
    reading = replace(first, score=max(proposal.score, first.score))
    if reading.evidence > SURE_EVIDENCE and angle_between(reading.roll, 0.0) < TURNED:
        return [reading]
    # The mesh network also draws an upright face into one that stands on its head.
    centre, side, roll = level_square(reading.mesh)
    other = _read(pixels, models, centre, side / CROP_PER_BOX, roll + math.pi)
    return [
        r
        for r in (reading, other)
        if r is not None and r.score * r.mesh_score >= SURE_SCORE and not _made_up(r, pixels.shape)
    ]


def _made_up(reading: Detection, shape: tuple[int, ...]) -> bool:
    """Whether a reading that is not upright is what the networks make of an upright face without its lower
    half: little agreed upon, and with much of itself beyond the (H, W) picture's edge."""
    if reading.evidence > SURE_EVIDENCE or angle_between(reading.roll, 0.0) < TURNED:
        return False
    return share_outside(reading.mesh, shape) > MOST_CUT


def _read(
    pixels: NDArray[np.uint8], models: FaceModels, centre: NDArray[np.float64], side: float, roll: float
) -> Detection | None:
    """A square read as a face that is tilted by ``roll``; None where it is none."""
    mesh, mesh_score = fit_mesh(models.landmark, pixels, centre, side * CROP_PER_BOX, roll)
    if mesh_score < FACE_SCORE:
        return None
    seen = _seen_by_itself(pixels, models, mesh)
    off = float(np.median([proposal.roll - eye_roll(mesh) for proposal in seen])) if seen else 0.0
    if abs(off) > HALF_TURNED:
        found, found_side, roll = level_square(mesh)
        mesh, mesh_score = fit_mesh(models.landmark, pixels, found, found_side, roll + off)
        if mesh_score < FACE_SCORE:
            return None
        seen = _seen_by_itself(pixels, models, mesh)
    found, found_side, _ = level_square(mesh)
    # The mesh must have stayed with the square, else it has slid to a neighbour or to nothing.
    if float(np.hypot(*(found - centre))) > 0.6 * side or not 0.4 < found_side / CROP_PER_BOX / side < 2.5:
        return None
    another, _ = mesh_on_crop(models.landmark, pixels, *level_square(mesh))
    scores = [proposal.score for proposal in seen]
    eyes = find_eyes(models.iris, pixels, mesh)
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    return Detection(
        box=np.concatenate([low, high - low]),
        score=max(scores, default=0.0),
        mesh=mesh,
        mesh_score=mesh_score,
        eyes=eyes,
        restless=float(np.abs(another - mesh)[:, :2].mean()) * CROP_PER_BOX / found_side,
        evidence=mesh_score * sum(scores) / len(SEEN_BY) - min(_eyes_apart(eyes, mesh), MOST_APART),
    )


def _seen_by_itself(
    pixels: NDArray[np.uint8], models: FaceModels, mesh: NDArray[np.float64]
) -> list[Proposal]:
    """What each of :data:`SEEN_BY` says of a face whose mesh is known, levelled and of the size that it
    likes: its best proposal, if it has any there."""
    centre, side, roll = level_square(mesh)
    side /= CROP_PER_BOX
    found = []
    for network, extent in SEEN_BY:
        proposals = [
            proposal
            for proposal in blazeface(getattr(models, network), pixels, centre, side * extent, roll)
            if float(np.hypot(*(proposal.centre - centre))) < 0.4 * side and 0.5 < proposal.side / side < 2.0
        ]
        if proposals:
            found.append(max(proposals, key=lambda proposal: proposal.score))
    return found


def _eyes_apart(eyes: Eyes, mesh: NDArray[np.float64]) -> float:
    """Mean distance of the eyes' corners as the iris network and the mesh see them, over an eye's width."""
    apart = []
    for contour, outer, inner in (
        (eyes.contour[0], RIGHT_EYE_OUTER, RIGHT_EYE_INNER),
        (eyes.contour[1], LEFT_EYE_OUTER, LEFT_EYE_INNER),
    ):
        corners = mesh[[outer, inner], :2]
        width = float(np.linalg.norm(corners[0] - corners[1]))
        apart.append(np.linalg.norm(contour[[0, 8]] - corners, axis=1).mean() / max(width, 1e-6))
    return float(np.mean(apart))


def _best_readings(readings: list[Detection]) -> list[Detection]:
    """One reading a place. Evidence tells which way up it is, and one that is upright in the picture is
    preferred: pictures cut a face below the eyes more often than they stand on their head. Of the readings
    that way up, the one whose two scores are best, at rest if there is such a one.
    """

    def worth(reading: Detection) -> float:
        return reading.evidence - (UPRIGHT_BONUS if angle_between(reading.roll, 0.0) > TURNED else 0.0)

    places: list[list[Detection]] = []
    for reading in sorted(readings, key=lambda r: (-worth(r), *r.box)):
        for place in places:
            if _overlap(reading.box, place[0].box) >= SAME_FACE_OVERLAP:
                place.append(reading)
                break
        else:
            places.append([reading])
    kept = []
    for place in places:
        first = place[0]
        rivals = [r for r in place if angle_between(r.roll, first.roll) > TURNED]
        alike = [r for r in place if r not in rivals and first.evidence - r.evidence < CLEARLY]
        best = min(alike, key=lambda r: (r.restless > AT_REST, -r.score * r.mesh_score, *r.box))
        unsure = any(worth(first) - worth(r) < CLEARLY for r in rivals)
        kept.append(replace(best, unsure=unsure))
    return kept


def _ranked(found: list[Detection]) -> list[Detection]:
    """The largest first, but beside a sure face doubtful ones last."""
    sure = any(d.evidence > SURE_EVIDENCE for d in found)
    return sorted(found, key=lambda d: (sure and d.doubtful, -d.box[2] * d.box[3], d.box[0], d.box[1]))


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Shared area over the smaller box's: unlike intersection over union it also tells that a face
    found inside a face is no second one.
    """
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    return shared / max(min(float(a[2] * a[3]), float(b[2] * b[3])), 1e-9)
