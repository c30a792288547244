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
from typing import Any

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
    crop_square,
    crop_to_picture,
    eye_roll,
    fit_mesh,
    level_square,
    mesh_on_crop,
    share_outside,
)
from .models import FaceModels
from .networks import Network

SMALLEST_TILE = 160
"""Pixels: a face of 16 px in it is 19 of the full-range network's 192."""

FINEST_TILES = 8
"""The finest tiles have an eighth of the longer side: a 4096-px picture is searched down to faces of
about 45 px."""

PROPOSAL_SCORE = 0.4
"""Proposals below are not worth a run of the mesh network."""

SURE_PROPOSAL = 0.7
"""Proposals above may end the search for much smaller faces, once confirmed."""

FACE_SCORE = 0.5
"""Least score of the mesh network (the face flag's sigmoid at rest) that makes a face."""

HOG_SIDE = 1000
"""Longer side of the picture for HOG, whose smallest face is 80 px: larger faces are found by it at
this size, smaller ones by the networks on tiles."""

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

TURNED = math.radians(60.0)
"""Readings farther apart are of another way up: a search takes tilts of some 45 degrees."""

DOUBTFUL_EVIDENCE = 0.55
"""Evidence below which it may be no face. Of 69 faces of photos and films one has less (0.49: 92 pixels, half
in shadow), the next 0.61. A dog in ten variants has 0.23-0.51, two cheetahs, a puppet and a blurred building
less, while their detectors' scores, 0.63-0.83, are also those of true faces (from 0.75)."""

SAME_FACE_OVERLAP = 0.4
"""Meshes of whose smaller box more than this lies in the other's are one face."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """A detector's opinion: a square that should hold a face, in pixels of the picture."""

    centre: NDArray[np.float64]
    """(2,) middle of the face."""
    side: float
    """Longer side of the face box."""
    roll: float
    """Radians, clockwise, by the eyes; 0 where the detector does not tell."""
    score: float
    """0..1."""


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
        if any(r.evidence > SURE_EVIDENCE and _between(r.roll, roll) < TURNED for r in found):
            break
    progress(1.0)
    return _ranked(_best_readings(readings))


def detect_again(
    pixels: NDArray[np.uint8], models: FaceModels, mesh: NDArray[np.floating[Any]]
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

    proposals = _hog_proposals(pixels, models.hog) if roll == 0.0 else []
    levels = _levels(pixels.shape[1], pixels.shape[0])
    total, done = sum(len(squares) for squares in levels), 0
    for number, squares in enumerate(levels):
        # Beside a large face nobody looks for faces of a tenth of its size: a portrait is done sooner.
        large = [p for p in proposals if p.side > squares[0][1] and p.score > SURE_PROPOSAL]
        if number > 1 and any(confirmed(proposal) for proposal in _pool(large)[:2]):
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
    pooled = _pool(proposals)
    for done, proposal in enumerate(pooled, start=1):
        readings += confirmed(proposal)
        progress(0.7 + 0.3 * done / len(pooled))
    return readings


def blazeface(
    network: Network, pixels: NDArray[np.uint8], centre: NDArray[np.float64], side: float, roll: float = 0.0
) -> list[Proposal]:
    """Run a BlazeFace detector on one square of the picture (black beyond the picture's edge), turned
    clockwise by ``roll`` radians.

    Decoding after the models' published description: a fixed grid of anchors with unit size, so that a
    row of the regressor is box centre, box size and six key points (right eye, left eye, nose tip,
    mouth, right ear, left ear) as offsets in input pixels from the anchor's centre; scores are logits.
    """
    size = network.input_shape[1]
    crop = crop_square(pixels, centre, side, roll, size)
    outputs = network(crop.astype(np.float32) / np.float32(127.5) - np.float32(1.0))
    rows = next(v for v in outputs.values() if v.shape[-1] == 16).reshape(-1, 16).astype(np.float64)
    logits = next(v for v in outputs.values() if v.shape[-1] == 1).reshape(-1).astype(np.float64)
    limit = math.log(PROPOSAL_SCORE / (1.0 - PROPOSAL_SCORE))
    keep = np.flatnonzero(logits > limit)
    if not len(keep):
        return []
    anchors = _anchors(len(logits), size)[keep]
    rows = rows[keep]
    boxes = np.column_stack([rows[:, :2] + anchors, rows[:, 2:4]])
    points = rows[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits[keep], -50.0, 50.0)))
    found = []
    for box, keys, score in zip(boxes, points, scores, strict=True):
        dx, dy = keys[1] - keys[0]
        found.append(
            Proposal(
                centre=crop_to_picture(box[None, :2], centre, side, roll, size)[0],
                side=float(max(box[2:4])) * side / size,
                roll=roll + math.atan2(dy, dx),
                score=float(score),
            )
        )
    return found


def _anchors(count: int, size: int) -> NDArray[np.float64]:
    """(count, 2) anchor centres in input pixels, row by row, all anchors of a cell together."""
    layers = {896: ((8, 2), (16, 6)), 2304: ((4, 1),)}  # (stride, anchors a cell)
    centres = []
    for stride, each in layers[count]:
        cells = size // stride
        rows, columns = np.divmod(np.arange(cells * cells), cells)
        grid = np.column_stack([columns, rows]) + 0.5
        centres.append(np.repeat(grid * stride, each, axis=0))
    return np.concatenate(centres).astype(np.float64)


def _levels(width: int, height: int) -> list[list[tuple[NDArray[np.float64], float]]]:
    """Squares to search, (centre, side), coarse to fine: first the whole picture, then tiles of a half, a
    quarter, an eighth of the longer side, each overlapping the next by a third.
    """
    longer = max(width, height)
    middle = np.array([width / 2.0, height / 2.0])
    # Letterboxed, and with some ground around for faces that are cut off or fill the whole picture.
    levels = [[(middle, float(longer)), (middle, longer * 1.5)]]
    part = 2
    while part <= FINEST_TILES and longer / part >= SMALLEST_TILE:
        side = longer / part
        tops, lefts = _starts(height, side), _starts(width, side)
        levels.append([(np.array([x, y]) + side / 2.0, side) for y in tops for x in lefts])
        part *= 2
    return levels


def _starts(length: float, side: float) -> list[float]:
    """Starts of tiles that cover 0..length, overlapping by a third at least."""
    if length <= side:
        return [(length - side) / 2.0]
    count = 1 + math.ceil((length - side) / (side * 2.0 / 3.0) - 1e-9)
    return [float(start) for start in np.linspace(0.0, length - side, count)]


def _hog_proposals(pixels: NDArray[np.uint8], hog: Any) -> list[Proposal]:
    import cv2

    height, width = pixels.shape[:2]
    factor = min(HOG_SIDE / max(width, height), 2.0)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if min(size) < 8:
        return []
    shrinks = factor < 1.0
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    rectangles, margins, _ = hog.run(np.ascontiguousarray(scaled), 0, 0.0)
    found = []
    for rectangle, margin in zip(rectangles, margins, strict=True):
        middle = np.array(
            [
                (rectangle.left() + rectangle.right() + 1) / 2.0 * width / size[0],
                (rectangle.top() + rectangle.bottom() + 1) / 2.0 * height / size[1],
            ]
        )
        side = rectangle.width() * width / size[0]
        # HOG's margin at its own threshold is 0: half a chance.
        found.append(Proposal(middle, side, 0.0, 1.0 / (1.0 + math.exp(-3.0 * margin))))
    return found


def _pool(proposals: list[Proposal]) -> list[Proposal]:
    """Best first, each followed by none that says nearly the same. Which of two similar guesses the
    mesh starts from matters little, as it refines its own crop; so this may be strict.
    """
    kept: list[Proposal] = []
    for proposal in sorted(proposals, key=lambda p: (-p.score, p.centre[0], p.centre[1], p.side)):
        for other in kept:
            near = float(np.hypot(*(proposal.centre - other.centre))) < 0.25 * min(proposal.side, other.side)
            alike = 0.67 < proposal.side / other.side < 1.5
            if near and alike and _between(proposal.roll, other.roll) < TURNED:
                break
        else:
            kept.append(proposal)
    return kept


def _confirm(pixels: NDArray[np.uint8], models: FaceModels, proposal: Proposal) -> list[Detection]:
    """The readings of a proposal as a face: none, one, or where that is in doubt, one each way up."""
    square = proposal.centre, proposal.side, proposal.roll
    first = _read(pixels, models, *square)
    if first is None:
        return []
    reading = replace(first, score=max(proposal.score, first.score))
    if reading.evidence > SURE_EVIDENCE and _between(reading.roll, 0.0) < TURNED:
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
    if reading.evidence > SURE_EVIDENCE or _between(reading.roll, 0.0) < TURNED:
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


def _between(a: float, b: float) -> float:
    """Radians between two directions, 0..pi."""
    return abs((a - b + math.pi) % (2.0 * math.pi) - math.pi)


def _best_readings(readings: list[Detection]) -> list[Detection]:
    """One reading a place. Evidence tells which way up it is, and one that is upright in the picture is
    preferred: pictures cut a face below the eyes more often than they stand on their head. Of the readings
    that way up, the one whose two scores are best, at rest if there is such a one.
    """

    def worth(reading: Detection) -> float:
        return reading.evidence - (UPRIGHT_BONUS if _between(reading.roll, 0.0) > TURNED else 0.0)

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
        rivals = [r for r in place if _between(r.roll, first.roll) > TURNED]
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
