# SPDX-License-Identifier: GPL-3.0-or-later
"""An order of training data: what decides every byte of it, and what one person of it consists of."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass

from ..errors import OptionError
from .shards import PRESETS, SNAPSHOT_SIDE, SNAPSHOT_YAWS, Arrays

FULL_SIZE = 256
FULL_YAWS = (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0, 180.0)
SIZES = (16, 1024)
"""Smallest and largest pictures."""


@dataclass(frozen=True)
class Order:
    """What decides every byte of the data, but how much of it there is."""

    preset: str
    seed: int
    size: int
    """Pixels of the pictures' side."""
    yaws: tuple[float, ...]
    """Degrees of the level views; of the fronts in the preset ``holotalk``."""
    first_person: int

    @property
    def samples_a_person(self) -> int:
        """Samples that one person makes: in the preset ``holotalk`` one for each yaw."""
        return len(self.yaws) if self.preset == "holotalk" else 1


def make_order(
    preset: str = "holotalk",
    seed: int = 0,
    size: int | None = None,
    yaws: Iterable[float] | None = None,
    first_person: int = 0,
) -> Order:
    """An order, checked.

    Args:
        preset: one of :data:`.shards.PRESETS`.
        seed: decides who the people are.
        size: pixels a side; None for the preset's own.
        yaws: degrees of the views; none of the preset ``full``: the photo alone; None for the preset's own.
        first_person: number of the first one; from :data:`.shards.HELD_OUT_FROM` on they are held out.

    Raises:
        OptionError: something that cannot work.
    """
    if preset not in PRESETS:
        raise OptionError(f"There is no preset '{preset}': choose {' or '.join(PRESETS)}.")
    if not 0 <= seed < 2**63 or not 0 <= first_person < 2**62:
        raise OptionError("Seed and first person are whole numbers from 0.")
    asked = None if yaws is None else tuple(float(yaw) for yaw in yaws)
    if preset == "holotalk":
        if size not in (None, SNAPSHOT_SIDE) or asked not in (None, tuple(map(float, SNAPSHOT_YAWS))):
            raise OptionError(
                f"The preset holotalk is fixed: {SNAPSHOT_SIDE} pixels, yaws 0 to 40. "
                "For other views choose --preset full."
            )
        return Order(preset, seed, SNAPSHOT_SIDE, tuple(map(float, SNAPSHOT_YAWS)), first_person)
    size = FULL_SIZE if size is None else size
    if not SIZES[0] <= size <= SIZES[1]:
        raise OptionError(f"Pictures of {size} pixels cannot be rendered: choose {SIZES[0]} to {SIZES[1]}.")
    asked = FULL_YAWS if asked is None else asked
    if not all(abs(yaw) <= 360 for yaw in asked) or len(set(asked)) != len(asked):
        raise OptionError("The yaws are degrees from -360 to 360, each named once.")
    return Order(preset, seed, size, asked, first_person)


@dataclass(frozen=True)
class Batch:
    """All samples of one person."""

    arrays: Arrays
    made_with: Mapping[str, str]
    """Versions of what decides the bytes."""


Batches = Generator[tuple[int, Batch], None, None]
"""People as they are done: (number, batch)."""
