# SPDX-License-Identifier: GPL-3.0-or-later
"""What our completion network learns from: stacks of rendered people, made of their photos as the pipeline
makes them, over what they truly look like.

Nothing of how a side looks is in a stack: the photo is detected, fitted, textured and filled like any other,
with what that gets wrong (but the focal length, which photos tell), and laid on the true head. Before that it
is spoilt as photos are (:func:`as_photographed`).

A folder of stacks has one ``.npz`` for each shard of the data they are made of, with the arrays of
:class:`StackArrays` by name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..head.completion import SeenHead
from ..head.drawing import draw_person
from ..head.fill import mirror_and_fill
from ..head.view import level_view
from ..learning.judging import TruePerson, laid, laid_hair, lay_on
from ..learning.shards import read_arrays, write_arrays
from .stacks import SIDE_YAWS, STACK_SIZE, draw_sides

NOT_JUDGED, SEEN, UNSEEN = 0, 1, 2
"""Values of :attr:`StackArrays.region`."""


@dataclass(frozen=True)
class StackArrays:
    """Stacks of N people, K sides each, and the truth. Bytes, 255 for 1."""

    person: NDArray[np.int64]
    """(N,) the person's number."""
    front: NDArray[np.uint8]
    """(N, 256, 256, 3) as :class:`.stacks.Sides`, and so the four following."""
    side: NDArray[np.uint8]
    """(N, K, 256, 256, 3)"""
    seen: NDArray[np.uint8]
    """(N, K, 256, 256)"""
    cover: NDArray[np.uint8]
    """(N, K, 256, 256)"""
    hair: NDArray[np.uint8]
    """(N, K, 256, 256)"""
    truth: NDArray[np.uint8]
    """(N, K, 256, 256, 3) sRGB on black: the head as it is, without clothes."""
    region: NDArray[np.uint8]
    """(N, K, 256, 256) one of NOT_JUDGED (clothes, the end of the bust, the ground), SEEN, UNSEEN."""

    def __len__(self) -> int:
        return len(self.person)


def as_photographed(person: TruePerson, rng: np.random.Generator) -> TruePerson:
    """The person with a photo that is spoilt as photos are, and with all views in its colours.

    A camera's white balance and tone change photo and truth alike; lens blur, noise and JPEG's blocks are
    the photo's alone, and are not to be learnt.
    """
    gain = np.exp(rng.normal(0.0, 0.06, 3)) * np.exp(rng.normal(0.0, 0.10))
    gamma = float(np.exp(rng.normal(0.0, 0.08)))

    def toned(picture: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(np.clip(picture * gain, 0.0, 1.0) ** gamma, dtype=np.float32)

    photo = toned(person.photo / 255.0)
    blur = rng.uniform(0.0, 1.2)
    if blur > 0.3:
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), blur), dtype=np.float32)
    noise = rng.normal(0.0, 1.0, photo.shape) * abs(rng.normal(0.0, 0.02))
    pixels = (np.clip(photo + noise, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    quality = int(rng.integers(45, 97))
    _, file = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    spoilt = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1]
    return replace(person, photo=np.ascontiguousarray(spoilt), colour=toned(person.colour))


def learning_stacks(person: TruePerson, seen_head: SeenHead) -> StackArrays:
    """The stacks of one person (N = 1).

    Args:
        person: seen from the yaws of :data:`.stacks.SIDE_YAWS`, in that order.
        seen_head: what the pipeline has made of ``person.photo``.

    Raises:
        OptionError: the views have another size than the network's.
    """
    if person.views[0].size != STACK_SIZE:
        raise OptionError(
            f"The views have {person.views[0].size} pixels: render them with --size {STACK_SIZE}."
        )
    views = lay_on(person, seen_head)
    head, hair = laid(person, seen_head), laid_hair(person, seen_head)
    front = draw_person(seen_head.model, head, hair, level_view(0.0, STACK_SIZE))
    sides = draw_sides(seen_head, mirror_and_fill(seen_head), (front, *views.drawn))
    region = np.where(views.unseen, UNSEEN, np.where(views.judged, SEEN, NOT_JUDGED)).astype(np.uint8)
    truth = (person.colour * 255.0 + 0.5).astype(np.uint8)
    arrays = asdict(sides) | {"truth": truth, "region": region, "person": np.int64(person.number)}
    return StackArrays(**{name: np.asarray(array)[None] for name, array in arrays.items()})


def no_stacks() -> StackArrays:
    """Of nobody (N = 0)."""
    square = (STACK_SIZE, STACK_SIZE)
    sides = (0, len(SIDE_YAWS), *square)
    masks = {name: np.zeros(sides, dtype=np.uint8) for name in ("seen", "cover", "hair", "region")}
    colours = {name: np.zeros((*sides, 3), dtype=np.uint8) for name in ("side", "truth")}
    front = np.zeros((0, *square, 3), dtype=np.uint8)
    return StackArrays(person=np.zeros(0, dtype=np.int64), front=front, **masks, **colours)


def joined(parts: list[StackArrays]) -> StackArrays:
    """All of them in one."""
    names = [field.name for field in fields(StackArrays)]
    return StackArrays(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def write_stacks(path: Path, stacks: StackArrays) -> None:
    """Write stacks to an ``.npz``.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_arrays(path, {field.name: getattr(stacks, field.name) for field in fields(stacks)}, compress=True)


def read_stacks(folder: Path) -> StackArrays:
    """All stacks in a folder.

    Raises:
        OptionError: there are none, or a file is damaged.
    """
    paths = sorted(folder.glob("shard_*.npz"))
    if not paths:
        raise OptionError(f"There are no stacks in {folder}: make some with blender_scripts/make_stacks.py.")
    parts = []
    for path in paths:
        arrays = read_arrays(path)
        if arrays is None or set(arrays) != {field.name for field in fields(StackArrays)}:
            raise OptionError(f"{path} is damaged: delete it, and run the command that made it again.")
        parts.append(StackArrays(**arrays))
    return joined(parts)
