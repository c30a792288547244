# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled training data: random people, photographed in Blender, written as shards (see :mod:`.cae.shards`).

What a sample is follows from the :class:`Order` and its number alone: which worker renders it, when, and
after whom, changes no byte. The unit of work is a person: all views of one are one render call. Each person
is written as soon as they are done (``unfinished/``) and moved into a shard when its people are complete, so
that whatever stops the work loses at most the people at work. Nothing but the process that was called
writes files: workers send arrays, so a farm needs no common disk.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import __version__
from .cae.shards import (
    CARD,
    PRESETS,
    REGION_LABELS,
    SNAPSHOT_SIDE,
    SNAPSHOT_YAWS,
    Arrays,
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
from .errors import MissingPartError, OptionError
from .head.view import View, level_view
from .outputs import check_results_folder, make_folder, replacing
from .progress import Progress, silent

if TYPE_CHECKING:
    from .head.morphable_model import HeadModel
    from .head.synthetic import SyntheticPerson
    from .head.synthetic.shot import Shot
    from .head.truth import Layer

FULL_SIZE = 256
FULL_YAWS = (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0, 180.0)
SIZES = (16, 1024)
"""Smallest and largest pictures."""
PEOPLE_A_SHARD = {"holotalk": 50, "full": 8}
"""Shards of about 2 MB, and of some ten: little is lost with one, and there are not too many."""
UNFINISHED = "unfinished"
SHEET = "contact_sheet.png"
SHEET_PEOPLE = 60
SHEET_COLUMNS = 6
SHEET_TILE = 128

_PROP_LABELS = {
    "hair": "hair", "brows": "brows", "beard": "beard", "glasses": "glasses", "lenses": "glasses",
    "hat": "headwear", "cap": "headwear", "headwear": "headwear", "scarf": "clothes", "collar": "clothes",
}  # fmt: skip

Say = Callable[[str], None]


def say_nothing(_sentence: str) -> None:
    """A :data:`Say` that drops what it hears."""


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
        preset: one of :data:`.cae.shards.PRESETS`.
        seed: decides who the people are.
        size: pixels a side; None for the preset's own.
        yaws: degrees of the views; none of the preset ``full``: the photo alone; None for the preset's own.
        first_person: number of the first one; from :data:`.cae.shards.HELD_OUT_FROM` on they are held out.

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


class PhotoSession:
    """Renders people one after another; holds the head model and the studio. One for each process, used
    from one thread: Blender has one state.
    """

    def __init__(self, order: Order) -> None:
        """Loads the model and sets up the studio in the open Blender file.

        Raises:
            AssetError: the assets are missing.
        """
        from .head.compile_model import ensure_model
        from .head.morphable_model import load_model
        from .head.synthetic import open_workshop
        from .head.truth import polygon_regions
        from .scene.training_studio import Studio

        self.order = order
        self.model: HeadModel = load_model(ensure_model())
        self._workshop = open_workshop(self.model)
        self._regions = polygon_regions(self.model, REGION_LABELS)
        self._studio = Studio()

    def close(self) -> None:
        """Take the studio down."""
        self._studio.close()

    def person(self, number: int) -> tuple[SyntheticPerson, Shot]:
        """Who has this number, and how they are photographed."""
        from .head.synthetic import synthetic_person
        from .head.synthetic.shot import random_shot

        person = synthetic_person(
            self.model, np.random.default_rng((self.order.seed, number, 0)), self._workshop
        )
        return person, random_shot(np.random.default_rng((self.order.seed, number, 1)))

    def batch(self, number: int) -> Batch:
        """The samples of the person with this number."""
        import bpy

        person, shot = self.person(number)
        order = self.order
        arrays = self._snapshots(person, shot) if order.preset == "holotalk" else self._full(person, shot)
        count = order.samples_a_person
        start = (number - order.first_person) * count
        told = json.dumps(describe(person, shot), sort_keys=True).encode("ascii")
        arrays |= {
            "index": np.arange(start, start + count, dtype=np.int64),
            "person": np.full(count, number, dtype=np.int64),
            "attributes": np.array([told] * count, dtype=np.bytes_),
        }
        versions = {
            "holotalk": __version__,
            "blender": bpy.app.version_string,
            "denoiser": self._studio.denoiser,
        }
        return Batch(arrays, versions)

    def _snapshots(self, person: SyntheticPerson, shot: Shot) -> dict[str, NDArray[Any]]:
        yaws = self.order.yaws
        views = [level_view(yaw - turn, self.order.size) for turn in (0.0, 90.0) for yaw in yaws]
        grey = np.stack([_grey(picture) for picture in self._studio.photograph(person, shot, views)])
        return {"yaw": np.array(yaws, dtype=np.int16), "front": grey[: len(yaws)], "side": grey[len(yaws) :]}

    def _full(self, person: SyntheticPerson, shot: Shot) -> dict[str, NDArray[Any]]:
        size = self.order.size
        photo = shot.view(size)
        views = [level_view(yaw, size) for yaw in self.order.yaws]
        pictures = self._studio.photograph(person, shot, [*views, photo], shot.rotation())
        layers = self._layers(person)
        rows = [
            {"colour": picture, **self._truth(person, layers, view)}
            for picture, view in zip(pictures, [*views, photo], strict=True)
        ]
        seen, taken = rows[:-1], rows[-1]
        arrays = {name: np.stack([row[name] for row in seen])[None] for name in taken if seen}
        arrays |= {f"photo_{name}": value[None] for name, value in taken.items()}
        points = self.model.landmarks(person.head.posed_vertices())
        arrays |= {
            "yaws": np.array([self.order.yaws], dtype=np.float32),
            "photo": _on_ground(pictures[-1], shot.background)[None],
            "identity": np.asarray(person.identity, dtype=np.float32)[None],
            "expression": np.asarray(person.expression, dtype=np.float32)[None],
            "points468": points.astype(np.float32)[None],
        }
        return arrays

    def _layers(self, person: SyntheticPerson) -> list[Layer]:
        from .head.truth import Layer, head_layer

        layers = [head_layer(person.head, self._regions)]
        for prop in person.props:
            label = REGION_LABELS.index(_PROP_LABELS.get(prop.name, "other"))
            labels = np.full(len(prop.polygons), label, dtype=np.uint8)
            alpha = np.ascontiguousarray(prop.texture[..., 3]) if prop.see_through else None
            layers.append(Layer(prop.vertices, prop.polygons, prop.uvs, labels, alpha, normals=prop.normals))
        return layers

    def _truth(self, person: SyntheticPerson, layers: list[Layer], view: View) -> dict[str, NDArray[Any]]:
        from .head.truth import landmarks_in, look

        truth = look(layers, view)
        marks = landmarks_in(self.model, person.head.posed_vertices(), view, truth.depth)
        origin = np.float32(-view.translation[2])
        on_head = (truth.layer == 0)[..., None]
        uv = np.where(on_head, np.clip(truth.uv, 0.0, 1.0), 0.0)
        camera = view.camera
        return {
            "depth": (truth.depth - origin).astype(np.float16),
            "depth_origin": np.array(origin),
            "normals": np.round(truth.normals * 127.0).astype(np.int8),
            "region": truth.label,
            "uv": np.round(uv * 65535.0).astype(np.uint16),
            "landmarks68": marks.points68,
            "landmarks468": marks.points468,
            "seen468": marks.seen468,
            "camera": np.array([camera.focal, camera.centre_x, camera.centre_y], dtype=np.float32),
            "rotation": view.rotation.astype(np.float32),
            "translation": view.translation.astype(np.float32),
            "pose": marks.pose,
        }


def describe(person: SyntheticPerson, shot: Shot) -> dict[str, Any]:
    """Who it is and how they are photographed, as plain values that JSON takes."""

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 4)
        if isinstance(value, (tuple, list)):
            return [plain(v) for v in value]
        if isinstance(value, dict):
            return {key: plain(v) for key, v in value.items()}
        return value

    taken = {key: value for key, value in asdict(shot).items() if key != "background"}
    taken["light"] = taken.pop("kind")
    return dict(plain(asdict(person.attributes) | {f"shot_{key}": value for key, value in taken.items()}))


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S) luma of an (S, S, 4) picture on black (ITU-R BT.601, as OpenCV's grey)."""
    shown = picture[..., :3].astype(np.float32) * (picture[..., 3:].astype(np.float32) / np.float32(255.0))
    grey = shown @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.asarray(grey + np.float32(0.5)).astype(np.uint8)


def _on_ground(picture: NDArray[np.uint8], ground: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3): an (S, S, 4) picture before a background that is stretched behind it."""
    size = picture.shape[0]
    behind = cv2.resize(ground, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    alpha = picture[..., 3:].astype(np.float32) / np.float32(255.0)
    shown = picture[..., :3].astype(np.float32) * alpha + behind * (1 - alpha)
    return np.asarray(shown + np.float32(0.5)).astype(np.uint8)


# ---------------------------------------------------------------- the folder


def render_data(
    order: Order,
    folder: Path,
    samples: int,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
) -> Card:
    """Render samples into a folder, or go on where it stopped.

    Args:
        order: what to render.
        folder: where to; it is made if need be. What it holds already is checked, kept and added to.
        samples: how many there shall be in all.
        workers: processes of a local cluster, None: one for each processor; 0: this process alone.
        scheduler: the address of a Dask scheduler whose workers shall render; no local cluster then.
        progress: told the fraction done. Whatever it raises ends the work, and all that is done is kept.
        say: told sentences for the user.

    Returns:
        The card, as ``card.json`` holds it.

    Raises:
        OptionError: the folder holds other data, or a number that cannot work.
        MissingPartError: a scheduler is asked for where Dask is not installed.
        OutputError: the folder cannot be written.
    """
    if samples < 1:
        raise OptionError(f"{samples} samples cannot be rendered: ask for 1 or more.")
    if workers is not None and not 0 <= workers <= 256:
        raise OptionError(f"{workers} workers cannot work: choose 0 to 256.")
    source = _source(order, workers, scheduler, say)
    book = _Book(order, folder, samples, say)
    missing = book.missing()
    progress(book.done / samples)
    if missing:
        with closing(source(missing)) as batches:
            for number, batch in batches:
                book.add(number, batch)
                progress(book.done / samples)
    return book.finish()


def render_for_panel(preset: str, folder: str, samples: int, seed: int, progress: Progress) -> int:
    """:func:`render_data` in this process, in words that a command can carry; returns the samples there."""
    return render_data(make_order(preset, seed), Path(folder), samples, workers=0, progress=progress).samples


def _source(
    order: Order, workers: int | None, scheduler: str | None, say: Say
) -> Callable[[list[int]], Batches]:
    """Where the people come from: this process, or workers of Dask."""
    if scheduler is None and workers == 0:
        return lambda people: render_here(order, people)
    if scheduler is None and "bpy" in sys.modules:
        # Blender's Python is no interpreter that a worker could be started with; and a process that has
        # loaded the module hands Blender's own folders down, where another `bpy` lies, which is but a part.
        say("Rendering in one process: no workers can be started where Blender is loaded.")
        return lambda people: render_here(order, people)
    if find_spec("distributed") is None:
        how = "pip install 'holotalk[data]'"
        if scheduler is not None:
            raise MissingPartError(f"A scheduler needs Dask's distributed, which is not installed: {how}.")
        say(f"Rendering in one process: Dask's distributed is not installed ({how}).")
        return lambda people: render_here(order, people)
    from . import farm

    return lambda people: farm.render_there(order, people, workers, scheduler)


def render_here(order: Order, people: list[int]) -> Batches:
    """Render people in this process; yields (number, batch)."""
    with closing(PhotoSession(order)) as session:
        for number in people:
            yield number, session.batch(number)


class _Book:
    """Keeps the folder: what is there, what is missing, and the card."""

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
        for path in self._unfinished.glob("person_*.npz"):
            path.unlink()
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
        for path in self._unfinished.glob("person_*.npz"):
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


def count_attributes(people: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """For every attribute how many people have which value; numbers in ten classes. Lists are left out."""
    rows = list(people)
    counts: dict[str, dict[str, int]] = {}
    for name in sorted({name for row in rows for name in row}):
        values = [row[name] for row in rows if name in row]
        if all(isinstance(value, (str, bool)) for value in values):
            counts[name] = {str(value): count for value, count in sorted(Counter(map(str, values)).items())}
        elif all(isinstance(value, (int, float)) for value in values):
            number, edges = np.histogram(np.array(values, dtype=np.float64), bins=10)
            counts[name] = {
                f"{low:.4g}..{high:.4g}": int(count)
                for low, high, count in zip(edges[:-1], edges[1:], number, strict=True)
            }
    return counts


def contact_sheet(data: TrainingData) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: up to :data:`SHEET_PEOPLE` people, evenly taken, some pictures of each."""
    each = len(data.card.yaws) if data.card.preset == "holotalk" else 1
    people = -(-data.card.samples // each)
    wanted = set(np.unique(np.linspace(0, people - 1, SHEET_PEOPLE).astype(int)).tolist())
    strips: list[NDArray[np.uint8]] = []
    last = -1
    names = ["person", "front", "side"] if data.card.preset == "holotalk" else ["person", "photo"]
    if data.card.preset == "full" and data.card.yaws:
        names.append("colour")
    for arrays in data.shards(names):
        for i, person in enumerate(arrays["person"].tolist()):
            if person != last and person - data.card.first_person in wanted:
                strips.append(_strip(arrays, i, data.card))
            last = person
    columns = min(SHEET_COLUMNS, len(strips))
    rows = -(-len(strips) // columns)
    sheet = np.zeros((rows, columns, *strips[0].shape), dtype=np.uint8)
    for k, strip in enumerate(strips):
        sheet[k // columns, k % columns] = strip
    height, width = strips[0].shape[:2]
    return np.ascontiguousarray(sheet.swapaxes(1, 2).reshape(rows * height, columns * width, 3))


def _strip(arrays: Mapping[str, NDArray[Any]], i: int, card: Card) -> NDArray[np.uint8]:
    """Some pictures of one person in a row."""
    if card.preset == "holotalk":
        grey = [arrays["front"][i], arrays["side"][i]]
        pictures = [np.repeat(picture[..., None], 3, axis=2) for picture in grey]
    else:
        pictures = [arrays["photo"][i]]
        for yaw in (0.0, -90.0, 180.0) if card.yaws else ():
            view = int(np.argmin([abs(y - yaw) for y in card.yaws]))
            colour = arrays["colour"][i, view].astype(np.float32)
            pictures.append((colour[..., :3] * colour[..., 3:] / 255.0).astype(np.uint8))
    tile = (SHEET_TILE, SHEET_TILE)
    return np.concatenate(
        [np.asarray(cv2.resize(p, tile, interpolation=cv2.INTER_AREA)) for p in pictures], axis=1
    )
