# SPDX-License-Identifier: GPL-3.0-or-later
"""People for the parsing network to learn from, cut out of their grounds: read off rendered training data,
and kept in one small file.
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
from ..face.parsing import CLASSES, SIDE
from ..outputs import replacing
from ..people.backdrop import BACKGROUNDS, draw_background
from .run_record import arrays_digest
from .shards import REGION_LABELS, TrainingData

SKIN, HAIR, CLOTHES, COVER = (CLASSES.index(name) for name in ("skin", "hair", "clothes", "cover"))
_OWN = {"ground": 0, "other": SKIN} | {
    name: CLASSES.index(name) for name in ("hair", "beard", "headwear", "glasses", "clothes")
}
"""The class of each region of the training data that is not plainly skin; *other* is skin below the bust."""
_BARE = ("bald", "fringe")
"""Styles under which the model's scalp shows skin; under all others it is painted as hair."""
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
