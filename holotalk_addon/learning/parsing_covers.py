# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be before a head: somebody, hands and arms, a mask, anything else.

Each is a layer, (SIDE, SIDE, 4) float32 sRGB 0..255 multiplied by its alpha 0..1.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..face.parsing import CLASSES, SIDE, face_outline
from .parsing_people import CLOTHES, COVER, SKIN, ParsingPeople, Rng

_HEAD = tuple(CLASSES.index(name) for name in ("skin", "hair", "beard", "headwear", "glasses"))
_MOST_COVERED = 0.6
"""Share of a face that a thing may hide: of more than that, nobody could tell whose face it is."""


def at_centres(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) map ``place`` for OpenCV, which counts from the middle of the first pixel."""
    return np.column_stack([place[:, :2], place[:, 2] + 0.5 * place[:, :2].sum(axis=1) - 0.5])


def warped(cut_out: NDArray[np.uint8], place: NDArray[np.float64]) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) float32 0..255, multiplied by alpha 0..1 (the last channel)."""
    alpha = cut_out[..., 3:].astype(np.float32) * np.float32(1.0 / 255.0)
    picture = np.concatenate([cut_out[..., :3] * alpha, alpha], axis=2)
    return np.asarray(
        cv2.warpAffine(picture, at_centres(place), (SIDE, SIDE), flags=cv2.INTER_LINEAR), dtype=np.float32
    )


def blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A picture or a mask, blurred by a Gaussian of so many pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)


def over(below: NDArray[np.float32], above: NDArray[np.float32]) -> tuple[NDArray[np.float32], Any]:
    """(SIDE, SIDE, 3) a picture with a warped cut-out over it, and (SIDE, SIDE) where that is."""
    alpha = above[..., 3:]
    return below * (1.0 - alpha) + above[..., :3], alpha[..., 0] > 0.5


def somebody(
    people: ParsingPeople, points: NDArray[np.float32], rng: Rng, near: tuple[float, float]
) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) somebody else beside the face: ``near`` is how far, in heights of the face."""
    other = int(rng.integers(len(people.person)))
    theirs = people.points[other]
    tall, their_tall = (float(np.ptp(p, axis=0).max()) for p in (points, theirs))
    unit = tall / their_tall * float(np.exp(rng.normal(0, 0.22)))
    turn = float(np.radians(rng.normal(0, 14)))
    linear = unit * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.5:
        linear = linear @ np.diag([-1.0, 1.0])
    way = float(rng.uniform(-0.3, np.pi + 0.3))  # mostly beside and below, seldom above
    away = tall * float(rng.uniform(*near)) * np.array([np.cos(way), 0.7 * np.sin(way) - 0.15])
    middle = points.mean(axis=0) + away
    place = np.column_stack([linear, middle - linear @ theirs.mean(axis=0)])
    return warped(people.cut_out[other], place)


def with_covers(
    people: ParsingPeople,
    rgb: NDArray[np.float32],
    label: NDArray[np.uint8],
    points: NDArray[np.float32],
    rng: Rng,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Things before the head: somebody, hands and arms, a mask, anything else."""
    label = label.copy()
    outline = face_outline(points) > 0

    def put(layer: NDArray[np.float32]) -> None:
        nonlocal rgb
        covered, there = over(rgb, layer)
        if there[outline].mean() > _MOST_COVERED:
            return
        rgb = covered
        head = np.isin(label, _HEAD)
        label[there & head] = COVER
        label[there & (label == CLOTHES)] = 0

    if rng.random() < 0.13:
        put(somebody(people, points, rng, (0.85, 1.5)))
    if rng.random() < 0.22:
        put(_limbs(rgb, label, points, rng))
    if rng.random() < 0.07:
        put(_mask(people, points, rng))
    if rng.random() < 0.12:
        put(_thing(people, points, rng))
    return rgb, label


def _limbs(
    rgb: NDArray[np.float32], label: NDArray[np.uint8], points: NDArray[np.float32], rng: Rng
) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) an arm or a few fingers: round bars, shaded as round things are, of skin or sleeve."""
    tall = float(np.ptp(points, axis=0).max())
    skin = rgb[label == SKIN]
    colour = skin[rng.integers(len(skin), size=40)].mean(axis=0) if len(skin) else np.array([200.0, 150, 120])
    colour = colour * np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.04, 3))
    if rng.random() < 0.25:
        colour = rng.uniform(0, 255, 3)  # a sleeve, a glove
    fingers = rng.random() < 0.6
    count = int(rng.integers(2, 6)) if fingers else 1
    radius = tall * float(rng.uniform(0.035, 0.06) if fingers else rng.uniform(0.10, 0.22))
    way = float(rng.uniform(0, 2 * np.pi))
    end = points[int(rng.integers(len(points)))] + rng.normal(0, 0.45 * tall, 2)
    length = tall * float(rng.uniform(0.35, 0.6) if fingers else rng.uniform(1.0, 2.2))
    light = float(rng.uniform(0, 2 * np.pi))
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + np.float32(0.5)
    picture = np.zeros((SIDE, SIDE, 4), dtype=np.float32)
    for k in range(count):
        a = end + (k - count / 2) * 2.0 * radius * np.array([-np.sin(way), np.cos(way)]) + rng.normal(0, 2, 2)
        turned = way + rng.normal(0, 0.08)
        b = a + length * float(rng.uniform(0.8, 1.2)) * np.array([np.cos(turned), np.sin(turned)])
        along = b - a
        t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / float(along @ along), 0, 1)
        dx, dy = x - a[0] - t * along[0], y - a[1] - t * along[1]
        off = np.hypot(dx, dy) / radius
        round_off = np.sqrt(np.clip(1.0 - off * off, 0.0, 1.0))
        shade = 0.55 + 0.35 * round_off + 0.25 * (dx * np.cos(light) + dy * np.sin(light)) / radius
        alpha = np.clip((1.0 - off) * radius, 0.0, 1.0)[..., None]
        layer = np.clip(shade[..., None] * colour, 0, 255) * alpha
        picture = picture * (1.0 - alpha) + np.concatenate([layer, alpha], axis=2)
    if fingers and rng.random() < 0.7:  # the back of the hand that they belong to
        palm = end + 0.75 * length * np.array([np.cos(way), np.sin(way)])
        size = (int(1.6 * radius * 2), int(1.1 * radius * count))
        disc = np.zeros((SIDE, SIDE), dtype=np.float32)
        cv2.ellipse(disc, tuple(int(v) for v in palm), size, np.degrees(way), 0, 360, (1.0,), -1)
        alpha = cv2.GaussianBlur(disc, (0, 0), 0.7)[..., None]
        shade = 0.8 + 0.1 * cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 6)
        layer = np.clip(shade[..., None] * colour, 0, 255) * alpha
        picture = picture * (1.0 - alpha) + np.concatenate([layer, alpha], axis=2)
    return np.asarray(picture, dtype=np.float32)


_MASK_EDGE = (
    *(6, 117, 123, 147, 213, 192, 214, 210, 211, 32, 208),
    *(199, 428, 262, 431, 430, 434, 416, 433, 376, 352, 346),
)
"""Points of the mesh around nose, cheeks and chin."""


def _mask(people: ParsingPeople, points: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) a mask or a scarf over nose, mouth and chin."""
    middle = points[list(_MASK_EDGE)].mean(axis=0)
    edge = middle + (points[list(_MASK_EDGE)] - middle) * rng.uniform(1.0, 1.25, 2)
    if rng.random() < 0.3:
        edge[:, 1] += 0.12 * float(np.ptp(points[:, 1]))  # the nose looks out
    shape = np.zeros((SIDE, SIDE), dtype=np.float32)
    cv2.fillPoly(shape, [cv2.convexHull(edge.astype(np.float32)).round().astype(np.int32)], (1.0,))
    return _cloth(people, blurred(shape, 0.8), rng)


def _thing(people: ParsingPeople, points: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) anything: a corner of something, a bar, a disc."""
    tall = float(np.ptp(points, axis=0).max())
    middle = points.mean(axis=0) + rng.normal(0, 0.55 * tall, 2)
    shape = np.zeros((SIDE, SIDE), dtype=np.float32)
    if rng.random() < 0.5:
        size = tall * np.exp(rng.uniform(np.log(0.03), np.log(0.35), 2))
        turn = float(rng.uniform(0, 360))
        cv2.ellipse(
            shape,
            tuple(int(v) for v in middle),
            tuple(max(1, int(v)) for v in size),
            turn,
            0,
            360,
            (1.0,),
            -1,
        )
    else:
        corners = middle + tall * rng.normal(0, 0.3, (int(rng.integers(3, 6)), 2))
        cv2.fillPoly(shape, [corners.round().astype(np.int32)], (1.0,))
    return _cloth(people, blurred(shape, 0.8), rng)


def _cloth(people: ParsingPeople, alpha: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) a shape (SIDE, SIDE) of some colour, with soft folds, or printed."""
    folds = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 7.0, sigmaY=3.0)
    shade = (
        1.0
        + 0.12 * folds / max(float(folds.std()), 1e-6)
        + rng.normal(0, 0.15) * (np.linspace(-1, 1, SIDE, dtype=np.float32)[None])
    )
    colour = np.full((SIDE, SIDE, 3), rng.uniform(0, 255, 3), dtype=np.float32)
    if rng.random() < 0.3:
        ground = people.grounds[int(rng.integers(len(people.grounds)))]
        colour = cv2.resize(ground, (SIDE, SIDE)).astype(np.float32)
    layer = np.clip(colour * shade[..., None], 0, 255)
    return np.asarray(np.concatenate([layer * alpha[..., None], alpha[..., None]], axis=2), dtype=np.float32)
