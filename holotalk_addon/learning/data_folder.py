# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of training data that fills up: people are written one by one and gathered into shards.

Each person is written as soon as they are done (``unfinished/``) and moved into a shard when its people are
complete, so that whatever stops the work loses at most the people at work. Nothing but the process that was
called writes files: workers send arrays, so a farm needs no common disk.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import OptionError
from ..outputs import BESIDE, check_results_folder, make_folder, replacing
from ..progress import Progress, Say, say_nothing, silent
from .contact_sheet import contact_sheet, count_attributes
from .orders import Batch, Batches, Order
from .shards import (
    CARD,
    Card,
    ShardEntry,
    TrainingData,
    digest,
    read_arrays,
    read_card,
    shard_name,
    write_arrays,
    write_card,
)

PEOPLE_A_SHARD = {"holotalk": 50, "full": 8}
"""Shards of about 2 MB, and of some ten: little is lost with one, and there are not too many."""
UNFINISHED = "unfinished"
PART = f"person_{'[0-9]' * 8}*.npz"
"""The names of people who are done, in there."""
SHEET = "contact_sheet.png"

Source = Callable[[list[int]], Batches]
"""Makes the people with these numbers."""


def fill_folder(
    order: Order,
    folder: Path,
    samples: int,
    source: Source,
    *,
    progress: Progress = silent,
    say: Say = say_nothing,
) -> Card:
    """Fill a folder with samples, or go on where it stopped.

    Args:
        order: what to render.
        folder: where to; it is made if need be. What it holds already is checked, kept and added to.
        samples: how many there shall be in all.
        source: makes the people with these numbers, one after another, in any order.
        progress: told the fraction done. Whatever it raises ends the work, and all that is done is kept.
        say: told sentences for the user.

    Returns:
        The card, as ``card.json`` holds it.

    Raises:
        OptionError: the folder holds other data, or a number that cannot work.
        OutputError: the folder cannot be written.
    """
    if samples < 1:
        raise OptionError(f"{samples} samples cannot be rendered: ask for 1 or more.")
    kept = _Folder(order, folder, samples, say)
    missing = kept.missing()
    progress(kept.done / samples)
    if missing:
        with closing(source(missing)) as batches:
            for number, batch in batches:
                kept.add(number, batch)
                progress(kept.done / samples)
    return kept.finish()


class _Folder:
    """What is there, what is missing, and the card."""

    def __init__(self, order: Order, folder: Path, samples: int, say: Say) -> None:
        self._order, self._folder, self._samples, self._say = order, Path(folder), samples, say
        self._unfinished = self._folder / UNFINISHED
        self._each = order.samples_a_person
        self._people = -(-samples // self._each)
        self._per_shard = PEOPLE_A_SHARD[order.preset]
        card = Card(order.preset, order.seed, order.size, order.yaws, order.first_person, samples)
        check_results_folder(self._folder)
        there = read_card(self._folder)
        if there is not None and not there.same_data(card):
            raise OptionError(
                f"{self._folder} holds other data (preset {there.preset}, seed {there.seed}, "
                f"size {there.size}, first person {there.first_person}): choose another folder, "
                "or the same options."
            )
        if there is not None and there.samples > samples:
            raise OptionError(
                f"{self._folder} is for {there.samples} samples: ask for as many or more, "
                "or choose another folder."
            )
        if there is None and self._folder.is_dir() and any(self._folder.glob("shard_*.npz")):
            raise OptionError(f"{self._folder} holds shards without a {CARD}: choose another folder.")
        make_folder(self._folder)
        make_folder(self._unfinished)
        self._card = card if there is None else replace(card, made_with=there.made_with)
        self._shards = self._sound_shards(there)
        self._parts = self._sound_parts()
        self._save(complete=False)
        for shard in range(-(-self._people // self._per_shard)):
            self._assemble(shard)

    @property
    def done(self) -> int:
        """Samples that are there."""
        ready = sum(entry.samples for entry in self._shards.values())
        return ready + sum(self._kept(number) for number in self._parts)

    def missing(self) -> list[int]:
        """The people still to be rendered, by number."""
        first = self._order.first_person
        return [
            number
            for number in range(first, first + self._people)
            if number not in self._parts and self._shard_of(number) not in self._shards
        ]

    def add(self, number: int, batch: Batch) -> None:
        """Keep a person who has been rendered."""
        if not self._card.made_with:
            self._card = replace(self._card, made_with=dict(batch.made_with))
            self._save(complete=False)
        elif dict(self._card.made_with) != dict(batch.made_with):
            then, now = (
                ", ".join(f"{name} {version}" for name, version in versions.items())
                for versions in (self._card.made_with, batch.made_with)
            )
            raise OptionError(
                f"{self._folder} was begun with {then}, and this is {now}: the pictures would differ. "
                "Choose another folder."
            )
        write_arrays(self._part(number), batch.arrays)
        self._parts.add(number)
        self._assemble(self._shard_of(number))

    def finish(self) -> Card:
        """Count, draw the sheet, complete the card."""
        data = TrainingData(self._folder, self._save(complete=True))
        attributes = dict(zip(data.column("person").tolist(), data.attributes(), strict=True))
        card = replace(data.card, people=len(attributes), counts=count_attributes(attributes.values()))
        with replacing(self._folder / SHEET) as beside:
            from PIL import Image

            Image.fromarray(contact_sheet(data)).save(beside, "PNG")
        write_card(self._folder, card)
        # What a killed process had half written goes too; what is not ours (a file manager's) stays, and so
        # does the folder around it.
        for path in [*self._unfinished.glob(PART), *self._unfinished.glob(f"{BESIDE}*")]:
            path.unlink()
        if not any(self._unfinished.iterdir()):
            self._unfinished.rmdir()
        return card

    def _shard_of(self, number: int) -> int:
        return (number - self._order.first_person) // self._per_shard

    def _part(self, number: int) -> Path:
        return self._unfinished / f"person_{number:08d}.npz"

    def _kept(self, number: int) -> int:
        """How many of a person's samples are wanted: of the last one perhaps not all."""
        return min(self._each, self._samples - (number - self._order.first_person) * self._each)

    def _range(self, shard: int) -> tuple[int, int]:
        """First sample of a shard, and how many there are."""
        first = shard * self._per_shard * self._each
        return first, min(self._per_shard * self._each, self._samples - first)

    def _sound_shards(self, there: Card | None) -> dict[int, ShardEntry]:
        sound: dict[int, ShardEntry] = {}
        for entry in there.shards if there is not None else ():
            shard = entry.first // (self._per_shard * self._each)
            path = self._folder / entry.name
            if digest(path) != entry.sha256:
                state = "is damaged" if path.exists() else "is missing"
                self._say(f"{entry.name} {state}: its {entry.samples} samples are rendered anew.")
            elif (entry.first, entry.samples) == self._range(shard):
                sound[shard] = entry
            else:  # the last one of a smaller order
                self._split(path)
        return sound

    def _split(self, path: Path) -> None:
        """Turn a shard that shall hold more back into people."""
        arrays = read_arrays(path)
        if arrays is None:
            return
        for number in np.unique(arrays["person"]).tolist():
            mine = arrays["person"] == number
            if mine.sum() == self._each:
                write_arrays(self._part(number), {name: array[mine] for name, array in arrays.items()})

    def _sound_parts(self) -> set[int]:
        first = self._order.first_person
        sound = set()
        for path in self._unfinished.glob(PART):
            arrays = read_arrays(path)
            number = int(path.stem.removeprefix("person_"))
            wanted = np.arange(self._each) + (number - first) * self._each
            if (
                arrays is not None
                and np.array_equal(arrays.get("index", []), wanted)
                and self._shard_of(number) not in self._shards
                and number < first + self._people
            ):
                sound.add(number)
            else:
                path.unlink()
        return sound

    def _assemble(self, shard: int) -> None:
        """Write a shard whose people are all there."""
        start = self._order.first_person + shard * self._per_shard
        people = range(start, min(start + self._per_shard, self._order.first_person + self._people))
        if shard in self._shards or not self._parts.issuperset(people):
            return
        parts = [read_arrays(self._part(number)) for number in people]
        first, samples = self._range(shard)
        joined = {
            name: np.concatenate([part[name] for part in parts if part is not None])[:samples]
            for name in parts[0] or {}
        }
        path = self._folder / shard_name(shard)
        write_arrays(path, joined, compress=self._order.preset == "full")
        self._shards[shard] = ShardEntry(path.name, first, samples, digest(path))
        self._parts.difference_update(people)
        self._save(complete=False)
        for number in people:
            self._part(number).unlink()

    def _save(self, *, complete: bool) -> Card:
        entries = tuple(self._shards[shard] for shard in sorted(self._shards))
        self._card = replace(self._card, shards=entries, complete=complete)
        if not complete:
            write_card(self._folder, self._card)
        return self._card
