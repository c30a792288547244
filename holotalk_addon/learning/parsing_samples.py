# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that the parsing network learns from: rendered people, put together anew each time they are shown.

A rendered photo is cut out of its ground. Each time it stands before another one, in another place, size
and light; hair and clothes change their colours; other people stand beside and before it; hands, masks and
things are held before the face; the picture's edge cuts it; a camera blurs it, stores it as JPEG, or in grey.
So a few thousand renders show what no renderer made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..face.parsing import CLASSES, SIDE, Square, network_input
from .parsing_covers import at_centres, blurred, over, somebody, warped, with_covers
from .parsing_people import CLOTHES, HAIR, SKIN, ParsingPeople, Rgb, Rng

UNKNOWN = 255
"""Label of a pixel of which nothing is known: nothing is learnt from it."""


@dataclass(frozen=True)
class Sample:
    """What the network is shown once."""

    rgb: Rgb
    """(SIDE, SIDE, 3)"""
    label: NDArray[np.uint8]
    """(SIDE, SIDE) classes, :data:`UNKNOWN` where nothing is learnt."""
    inside: NDArray[np.bool_]
    """(SIDE, SIDE) where there is photo."""
    points: NDArray[np.float32]
    """(468, 2) pixels"""

    def input(self) -> NDArray[np.uint8]:
        """(SIDE, SIDE, CHANNELS) for the network."""
        return network_input(self.rgb, self.inside, self.points)


def make_sample(people: ParsingPeople, number: int, rng: Rng, varied: bool = True) -> Sample:
    """Put a picture of one of the people together.

    Args:
        people: everybody.
        number: index of the one.
        rng: decides how; without ``varied`` the ground alone.
        varied: False: as plainly as a good portrait.
    """
    place = _place(people.points[number], rng, varied)
    cut_out, label = people.cut_out[number], people.label[number]
    if varied:
        cut_out = _recoloured(cut_out, label, people, rng)
    own, label = warped(cut_out, place), _warped_label(label, place)
    inside = _photo_inside(people.cut_out[number], place)
    points = np.asarray(people.points[number] @ place[:, :2].T + place[:, 2], dtype=np.float32)
    ground = _ground(people, own, label, rng, varied)
    if varied and rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 3))):
            ground, _ = over(ground, somebody(people, points, rng, (0.75, 1.5)))
    rgb, _ = over(ground, own)
    if varied:
        rgb, label = with_covers(people, rgb, label, points, rng)
        inside &= _frame(points, rng)
        # The points of a real photo are a network's, a few per cent of the eyes' distance off.
        span = float(np.ptp(points, axis=0).max())
        points = (points - points.mean(axis=0)) * np.exp(rng.normal(0, 0.03, 2)) + points.mean(axis=0)
        points = np.asarray(points + rng.normal(0, 0.015 * span, 2), dtype=np.float32)
        rgb = _photographed(rgb, rng)
    label[~inside] = UNKNOWN
    return Sample(np.clip(rgb + 0.5, 0, 255).astype(np.uint8), label, inside, points)


def _place(points: NDArray[np.float32], rng: Rng, varied: bool) -> NDArray[np.float64]:
    """(2, 3) from a render's pixels to those of the square around its face."""
    square = Square.around(points)
    side, turn, flip, shift = square.side, 0.0, 1.0, np.zeros(2)
    if varied:
        side *= float(np.exp(rng.normal(0, 0.10)))
        turn = float(np.radians(rng.normal(0, 9)))
        flip = float(rng.choice([-1.0, 1.0]))
        shift = rng.normal(0, 0.025, 2) * SIDE
    unit = SIDE / side
    cosine, sine = unit * np.cos(turn), unit * np.sin(turn)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([flip, 1.0])
    return np.column_stack([linear, SIDE / 2.0 + shift - linear @ square.centre])


def _warped_label(label: NDArray[np.uint8], place: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.warpAffine(label, at_centres(place), (SIDE, SIDE), flags=cv2.INTER_NEAREST), dtype=np.uint8
    )


def _photo_inside(cut_out: NDArray[np.uint8], place: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(SIDE, SIDE) where the photo may go on: not beyond those edges of the render that cut the person."""
    alpha = cut_out[..., 3]
    height, width = alpha.shape
    far = 4.0 * SIDE
    left = 0.0 if alpha[:, 0].any() else -far
    right = float(width) if alpha[:, -1].any() else width + far
    top = 0.0 if alpha[0].any() else -far
    bottom = float(height) if alpha[-1].any() else height + far
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    corners = corners @ place[:, :2].T + place[:, 2] - 0.5
    shown = np.zeros((SIDE, SIDE), dtype=np.uint8)
    cv2.fillConvexPoly(shown, (corners * 16).round().astype(np.int32), (1.0,), shift=4)
    return np.asarray(shown > 0)


def _ground(
    people: ParsingPeople, own: NDArray[np.float32], label: NDArray[np.uint8], rng: Rng, varied: bool
) -> NDArray[np.float32]:
    ground = people.grounds[int(rng.integers(len(people.grounds)))]
    picture = cv2.resize(ground, (SIDE, SIDE)) if ground.shape[:2] != (SIDE, SIDE) else ground
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    result = picture.astype(np.float32)
    if not varied:
        return result
    if rng.random() < 0.5:
        result = blurred(result, float(np.exp(rng.uniform(np.log(0.7), np.log(9.0)))))
    if rng.random() < 0.22:  # a ground of the colour of hair or skin is where colours alone fail
        shown = label == (HAIR if rng.random() < 0.7 else SKIN)
        if shown.sum() > 100:
            wanted = own[shown][:, :3].mean(axis=0)
            result = result * 0.5 + wanted - 0.5 * result.mean(axis=(0, 1))
            result += rng.normal(0, 8, 3)
    else:
        result = result * np.exp(rng.normal(0, 0.25, 3)) * float(np.exp(rng.normal(0, 0.35)))
    return np.asarray(np.clip(result, 0, 255), dtype=np.float32)


def _recoloured(
    cut_out: NDArray[np.uint8], label: NDArray[np.uint8], people: ParsingPeople, rng: Rng
) -> NDArray[np.uint8]:
    """Hair and clothes of other colours: white, dyed, printed, of each other's and of skin's colour."""
    picture: NDArray[np.float32] | None = None
    for kind, chance in ((HAIR, 0.25), (CLOTHES, 0.5)):
        shown = label == kind
        if shown.sum() < 100 or rng.random() > chance:
            continue
        picture = cut_out[..., :3].astype(np.float32) if picture is None else picture
        light = picture @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        mean = max(float(light[shown].mean()), 4.0)
        choice = rng.random()
        if choice < 0.3:  # black, grey, white
            wanted = np.full(3, rng.uniform(8, 235)) + rng.normal(0, 6, 3)
        elif choice < 0.55 and kind == CLOTHES:
            other = label == (HAIR if rng.random() < 0.6 else SKIN)
            wanted = picture[other].mean(axis=0) if other.any() else rng.uniform(0, 255, 3)
        elif kind == HAIR:
            tone = rng.uniform(0, 1)
            wanted = (1 - tone) * np.array([70.0, 45, 25]) + tone * np.array([225.0, 190, 130])
            wanted = wanted * np.exp(rng.normal(0, 0.3))
        else:
            wanted = rng.uniform(0, 255, 3)
        change = light / mean if mean > 30 else 1.0 + (light - mean) / 40.0
        painted = np.clip(change[..., None], 0.2, 2.5) * wanted.astype(np.float32)
        if kind == CLOTHES and rng.random() < 0.35:
            ground = cv2.resize(people.grounds[int(rng.integers(len(people.grounds)))], label.shape[::-1])
            painted = ground.astype(np.float32) * np.clip(change[..., None], 0.4, 1.6)
        share = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), 0.8)[..., None]
        picture = picture * (1 - share) + np.clip(painted, 0, 255) * share
    if picture is None:
        return cut_out
    return np.concatenate([picture.astype(np.uint8), cut_out[..., 3:]], axis=2)


def _frame(points: NDArray[np.float32], rng: Rng) -> NDArray[np.bool_]:
    """(SIDE, SIDE) what a picture's edges leave: anything down to the face itself, and a little less."""
    inside = np.ones((SIDE, SIDE), dtype=bool)
    if rng.random() > 0.5:
        return inside
    low, high = points.min(axis=0), points.max(axis=0)
    tall = float((high - low).max())
    chances = rng.random(4) < 0.5
    reach = tall * rng.uniform(-0.08, 0.75, 4)
    if chances[0]:
        inside[:, : max(0, int(low[0] - reach[0]))] = False
    if chances[1]:
        inside[:, max(0, int(high[0] + reach[1])) :] = False
    if chances[2]:
        inside[: max(0, int(low[1] - reach[2]))] = False
    if chances[3]:
        inside[max(0, int(high[1] + reach[3])) :] = False
    return inside


def _photographed(rgb: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """(SIDE, SIDE, 3) as cameras, scanners and programs leave pictures."""
    picture = rgb * np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    if rng.random() < 0.35:
        picture = picture * float(np.exp(rng.normal(0, 0.45)))
    if rng.random() < 0.4:
        tone = float(np.exp(rng.normal(0, 0.25)))
        picture = 255.0 * np.power(np.clip(picture, 0, 255) / 255.0, tone)
    if rng.random() < 0.3:
        picture = (picture - 128.0) * float(np.exp(rng.normal(0, 0.25))) + 128.0 + float(rng.normal(0, 10))
    kind = rng.random()
    if kind < 0.22:
        grey = picture @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        tint = np.ones(3) if rng.random() < 0.65 else np.array([1.0, 0.86, 0.66]) + rng.normal(0, 0.05, 3)
        picture = grey[..., None] * tint
    elif kind < 0.4:
        grey = (picture @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[..., None]
        picture = grey + (picture - grey) * float(rng.uniform(0.3, 1.6))
    picture = np.asarray(picture, dtype=np.float32)
    if rng.random() < 0.3:
        size = int(SIDE * rng.uniform(0.25, 0.8))
        small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    elif rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 2.5)))
    if rng.random() < 0.5:
        strength = float(np.exp(rng.uniform(np.log(1.0), np.log(14.0))))
        grain = rng.standard_normal((SIDE, SIDE, 1 if rng.random() < 0.5 else 3), dtype=np.float32)
        if rng.random() < 0.4:
            grain = cv2.GaussianBlur(grain, (0, 0), 1.0).reshape(SIDE, SIDE, -1) * 2.0
        picture = picture + strength * grain
    result = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))]
        stored = cv2.imencode(".jpg", np.ascontiguousarray(result[..., ::-1]), quality)[1]
        result = np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])
    return result.astype(np.float32)


def class_overlap(pairs: Iterable[tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]]) -> dict[str, float]:
    """Intersection over union of each of :data:`~..face.parsing.CLASSES`, over all pixels that are known; NaN
    of those that nowhere are shown.

    Args:
        pairs: (SIDE, SIDE) true labels, and what was said instead.
    """
    both, either, shown = np.zeros((3, len(CLASSES)))
    for label, what in pairs:
        known = label != UNKNOWN
        for k in range(len(CLASSES)):
            true, told = (label == k) & known, (what == k) & known
            both[k] += (true & told).sum()
            either[k] += (true | told).sum()
            shown[k] += true.sum()
    share = np.where(shown > 0, both / np.maximum(either, 1.0), np.nan)
    return dict(zip(CLASSES, share.tolist(), strict=True))
