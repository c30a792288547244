# SPDX-License-Identifier: GPL-3.0-or-later
"""Where faces may be: the proposals of three detectors, on the picture and on tiles of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mesh import (
    crop_square,
    crop_to_picture,
)
from .networks import Network

SMALLEST_TILE = 160
"""Pixels: a face of 16 px in it is 19 of the full-range network's 192."""

FINEST_TILES = 8
"""The finest tiles have an eighth of the longer side: a 4096-px picture is searched down to faces of
about 45 px."""

PROPOSAL_SCORE = 0.4
"""Proposals below are not worth a run of the mesh network."""

HOG_SIDE = 1000
"""Longer side of the picture for HOG, whose smallest face is 80 px: larger faces are found by it at
this size, smaller ones by the networks on tiles."""

TURNED = math.radians(60.0)
"""Readings farther apart are of another way up: a search takes tilts of some 45 degrees."""


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


def search_levels(width: int, height: int) -> list[list[tuple[NDArray[np.float64], float]]]:
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


def hog_proposals(pixels: NDArray[np.uint8], hog: Any) -> list[Proposal]:
    """What dlib's detector ``hog`` finds in the whole picture, (H, W, 3) sRGB."""
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


def pooled(proposals: list[Proposal]) -> list[Proposal]:
    """Best first, each followed by none that says nearly the same. Which of two similar guesses the
    mesh starts from matters little, as it refines its own crop; so this may be strict.
    """
    kept: list[Proposal] = []
    for proposal in sorted(proposals, key=lambda p: (-p.score, p.centre[0], p.centre[1], p.side)):
        for other in kept:
            near = float(np.hypot(*(proposal.centre - other.centre))) < 0.25 * min(proposal.side, other.side)
            alike = 0.67 < proposal.side / other.side < 1.5
            if near and alike and angle_between(proposal.roll, other.roll) < TURNED:
                break
        else:
            kept.append(proposal)
    return kept


def angle_between(a: float, b: float) -> float:
    """Radians between two directions, 0..pi."""
    return abs((a - b + math.pi) % (2.0 * math.pi) - math.pi)
