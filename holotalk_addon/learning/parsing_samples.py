# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that the parsing network learns from: rendered people, put together anew each time they are shown.

A rendered photo is cut out of its ground. Each time it stands before another one, in another place, size
and light; hair and clothes change their colours; other people stand beside and before it; hands, masks and
things are held before the face; the picture's edge cuts it; a camera blurs it, stores it as JPEG, or in grey.
So a few thousand renders show what no renderer made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..face.parsing import CLASSES, SIDE, Square, face_outline, network_input
from ..outputs import replacing
from ..people.backdrop import BACKGROUNDS, draw_background
from .run_record import arrays_digest
from .shards import REGION_LABELS, TrainingData

UNKNOWN = 255
"""Label of a pixel of which nothing is known: nothing is learnt from it."""
SKIN, HAIR, CLOTHES, COVER = (CLASSES.index(name) for name in ("skin", "hair", "clothes", "cover"))
_HEAD = tuple(CLASSES.index(name) for name in ("skin", "hair", "beard", "headwear", "glasses"))

_OWN = {"ground": 0, "other": SKIN} | {
    name: CLASSES.index(name) for name in ("hair", "beard", "headwear", "glasses", "clothes")
}
"""The class of each region of the training data that is not plainly skin; *other* is skin below the bust."""
_BARE = ("bald", "fringe")
"""Styles under which the model's scalp shows skin; under all others it is painted as hair."""
_MOST_COVERED = 0.6
"""Share of a face that a thing may hide: of more than that, nobody could tell whose face it is."""
_FADES = "none"
"""The collar of people who fade away below the neck, as nobody does in a photo."""
_QUALITY = 92
"""Of WebP: at 256 pixels nothing of a render is lost that a JPEG would keep."""

Rng = np.random.Generator
Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class ParsingPeople:
    """People cut out of their grounds, and grounds."""

    person: NDArray[np.int64]
    """(N,) who."""
    cut_out: Sequence[NDArray[np.uint8]]
    """N of (S, S, 4) sRGB and alpha, not multiplied in."""
    label: Sequence[NDArray[np.uint8]]
    """N of (S, S) indices into :data:`~..face.parsing.CLASSES`."""
    points: NDArray[np.float32]
    """(N, 468, 2) pixels."""
    grounds: Sequence[Rgb]
    """M of (S, S, 3) pictures without people."""

    def of(self, chosen: NDArray[np.bool_]) -> ParsingPeople:
        """Some of the people, (N,), with all grounds."""
        few = np.flatnonzero(chosen)
        return ParsingPeople(
            self.person[few],
            [self.cut_out[k] for k in few],
            [self.label[k] for k in few],
            self.points[few],
            self.grounds,
        )

    def digest(self) -> str:
        """Of all of it, as :func:`.run_record.arrays_digest` gives it."""
        return arrays_digest((self.person, *self.cut_out, *self.label, self.points, *self.grounds))


def people_of(folders: Iterable[TrainingData], grounds: Sequence[Rgb]) -> ParsingPeople:
    """The people of some folders of training data of the preset ``full``."""
    person: list[int] = []
    cut_out, label, points = [], [], []
    names = ["person", "photo_colour", "photo_region", "photo_landmarks468"]
    for data in folders:
        attributes = dict(zip(data.column("person").tolist(), data.attributes(), strict=True))
        for arrays in data.shards(names):
            for i, number in enumerate(arrays["person"].tolist()):
                who = attributes[number]
                if who["collar"] == _FADES:
                    continue
                person.append(number)
                cut_out.append(arrays["photo_colour"][i])
                label.append(_classes(who)[arrays["photo_region"][i]])
                points.append(arrays["photo_landmarks468"][i])
    if not person:
        raise OptionError("The data hold no photos of people: render some with --preset full.")
    return ParsingPeople(
        np.array(person, dtype=np.int64), cut_out, label, np.asarray(points, dtype=np.float32), grounds
    )


def _classes(who: dict[str, Any]) -> NDArray[np.uint8]:
    """(len(REGION_LABELS),) the class of each region of somebody."""
    classes = np.array([_OWN.get(name, SKIN) for name in REGION_LABELS], dtype=np.uint8)
    if not str(who["hair_style"]).startswith(_BARE):
        classes[REGION_LABELS.index("scalp")] = HAIR
    return classes


def drawn_grounds(count: int, rng: Rng) -> list[Rgb]:
    """(256, 256, 3) grounds as those behind our random people."""
    return [draw_background(str(rng.choice(BACKGROUNDS)), rng) for _ in range(count)]


def grounds_from(pictures: Sequence[Rgb], count: int, rng: Rng) -> list[Rgb]:
    """(SIDE, SIDE, 3) random cuts of pictures without people."""
    found = []
    for k in range(count):
        picture = pictures[k % len(pictures)]
        shorter = min(picture.shape[:2])
        side = int(shorter * np.exp(rng.uniform(np.log(min(1.0, 100.0 / shorter)), 0.0)))
        top, left = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
        cut = picture[top : top + side, left : left + side]
        found.append(np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8))
    return found


def save_people(people: ParsingPeople, path: Path) -> None:
    """Write people in one small file (a hundredth of their training data).

    Raises:
        OutputError: the file cannot be written.
    """

    def packed(pictures: Iterable[NDArray[np.uint8]], ending: str, *how: int) -> dict[str, NDArray[Any]]:
        files = [cv2.imencode(ending, picture, list(how))[1].ravel() for picture in pictures]
        return {"bytes": np.concatenate(files), "lengths": np.array([len(file) for file in files])}

    lossy = (cv2.IMWRITE_WEBP_QUALITY, _QUALITY)
    # Under the clear parts lies nothing that would cost bytes.
    solid = (np.where(c[..., 3:] > 0, c, np.uint8(0))[..., [2, 1, 0, 3]] for c in people.cut_out)
    parts = {
        "cut_out": packed(solid, ".webp", *lossy),
        "label": packed(people.label, ".png", cv2.IMWRITE_PNG_COMPRESSION, 9),
        "ground": packed((g[..., ::-1] for g in people.grounds), ".webp", *lossy),
    }
    arrays = {f"{name}_{kind}": values for name, part in parts.items() for kind, values in part.items()}
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, person=people.person, points=people.points.astype(np.float16), **arrays)


def load_people(path: Path) -> ParsingPeople:
    """Read what :func:`save_people` wrote.

    Raises:
        OptionError: it is something else, or damaged.
    """

    def unpacked(content: NDArray[np.uint8], lengths: NDArray[np.int64], flags: int) -> list[Any]:
        return [cv2.imdecode(file, flags) for file in np.split(content, np.cumsum(lengths)[:-1])]

    try:
        with np.load(path) as arrays:
            cut_out = unpacked(arrays["cut_out_bytes"], arrays["cut_out_lengths"], cv2.IMREAD_UNCHANGED)
            label = unpacked(arrays["label_bytes"], arrays["label_lengths"], cv2.IMREAD_GRAYSCALE)
            ground = unpacked(arrays["ground_bytes"], arrays["ground_lengths"], cv2.IMREAD_COLOR)
            person, points = arrays["person"], arrays["points"].astype(np.float32)
    except (OSError, KeyError, ValueError, cv2.error) as error:
        raise OptionError(f"{path} is not a file of people for the parsing network: make it anew.") from error
    return ParsingPeople(
        person,
        [np.ascontiguousarray(picture[..., [2, 1, 0, 3]]) for picture in cut_out],
        label,
        points,
        [np.ascontiguousarray(picture[..., ::-1]) for picture in ground],
    )


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
    own, label = _warped(cut_out, place), _warped_label(label, place)
    inside = _photo_inside(people.cut_out[number], place)
    points = np.asarray(people.points[number] @ place[:, :2].T + place[:, 2], dtype=np.float32)
    ground = _ground(people, own, label, rng, varied)
    if varied and rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 3))):
            ground, _ = _over(ground, _somebody(people, points, rng, (0.75, 1.5)))
    rgb, _ = _over(ground, own)
    if varied:
        rgb, label = _covered(people, rgb, label, points, rng)
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


def _at_centres(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same map for OpenCV, which counts from the middle of the first pixel."""
    return np.column_stack([place[:, :2], place[:, 2] + 0.5 * place[:, :2].sum(axis=1) - 0.5])


def _warped(cut_out: NDArray[np.uint8], place: NDArray[np.float64]) -> NDArray[np.float32]:
    """(SIDE, SIDE, 4) float32 0..255, multiplied by alpha 0..1 (the last channel)."""
    alpha = cut_out[..., 3:].astype(np.float32) * np.float32(1.0 / 255.0)
    picture = np.concatenate([cut_out[..., :3] * alpha, alpha], axis=2)
    return np.asarray(
        cv2.warpAffine(picture, _at_centres(place), (SIDE, SIDE), flags=cv2.INTER_LINEAR), dtype=np.float32
    )


def _warped_label(label: NDArray[np.uint8], place: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.warpAffine(label, _at_centres(place), (SIDE, SIDE), flags=cv2.INTER_NEAREST), dtype=np.uint8
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


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)


def _over(below: NDArray[np.float32], above: NDArray[np.float32]) -> tuple[NDArray[np.float32], Any]:
    """(SIDE, SIDE, 3) a picture with a warped cut-out over it, and (SIDE, SIDE) where that is."""
    alpha = above[..., 3:]
    return below * (1.0 - alpha) + above[..., :3], alpha[..., 0] > 0.5


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
        result = _blurred(result, float(np.exp(rng.uniform(np.log(0.7), np.log(9.0)))))
    if rng.random() < 0.22:  # a ground of the colour of hair or skin is where colours alone fail
        shown = label == (HAIR if rng.random() < 0.7 else SKIN)
        if shown.sum() > 100:
            wanted = own[shown][:, :3].mean(axis=0)
            result = result * 0.5 + wanted - 0.5 * result.mean(axis=(0, 1))
            result += rng.normal(0, 8, 3)
    else:
        result = result * np.exp(rng.normal(0, 0.25, 3)) * float(np.exp(rng.normal(0, 0.35)))
    return np.asarray(np.clip(result, 0, 255), dtype=np.float32)


def _somebody(
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
    return _warped(people.cut_out[other], place)


def _covered(
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
        covered, there = _over(rgb, layer)
        if there[outline].mean() > _MOST_COVERED:
            return
        rgb = covered
        head = np.isin(label, _HEAD)
        label[there & head] = COVER
        label[there & (label == CLOTHES)] = 0

    if rng.random() < 0.13:
        put(_somebody(people, points, rng, (0.85, 1.5)))
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
    return _cloth(people, _blurred(shape, 0.8), rng)


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
    return _cloth(people, _blurred(shape, 0.8), rng)


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
