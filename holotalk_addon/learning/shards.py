# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of training data: how they are laid out, written, checked and read.

A folder of data holds ``card.json`` (what is in it, with the SHA-256 of every shard) and shards
``shard_00000.npz``, ``shard_00001.npz``, ... An ``.npz`` is a zip of plain arrays: NumPy alone reads it
on any computer, without a schema compiler or a framework (TFRecord needs TensorFlow to read, Parquet and
Arrow know no pictures, HDF5 is one more library and does not survive a crash while it is open); its
checksums tell a damaged one; and the same arrays make the same bytes. All arrays of a shard have the
samples as their first axis, and nothing in them is pickled.

Arrays of both presets
    ``index`` (n,) int64 number of the sample, ``person`` (n,) int64 number of the person (from
    :data:`HELD_OUT_FROM` on: never for training), ``attributes`` (n,) bytes, a JSON object in ASCII: who the
    person is and how they are lit.

Preset ``holotalk``: grey snapshots on black
    ``yaw`` (n,) int16 degrees of the front, one of :data:`SNAPSHOT_YAWS`; ``front`` (n, 64, 64) uint8 grey
    sRGB; ``side`` (n, 64, 64) the same at yaw - 90. Scale and place are :func:`..head.view.level_view`'s, the
    same for everybody. People turned the other way are these mirrored: see :func:`mirrored`.

Preset ``full``: V level views around the person, and a photo, S pixels a side
    ``yaws`` (n, V) float32 degrees;
    ``colour`` (n, V, S, S, 4) uint8 sRGB and alpha (not multiplied in);
    ``depth`` (n, V, S, S) float16 metres from the camera along its axis, less ``depth_origin``; +inf where
    nothing is. Half precision is exact to 0.12 mm within a quarter of a metre of the head's origin;
    ``depth_origin`` (n, V) float32 metres: the depth of the head's origin;
    ``normals`` (n, V, S, S, 3) int8: unit normals in camera axes times 127, 0 where nothing is;
    ``region`` (n, V, S, S) uint8: an index into :data:`REGION_LABELS`; 0 is the ground, the rest the person;
    ``uv`` (n, V, S, S, 2) uint16: texture coordinates times 65535 where the head itself is seen, 0 elsewhere;
    ``landmarks68`` (n, V, 68, 2), ``landmarks468`` (n, V, 468, 2) float32 pixels, x right and y down from
    the outer corner of the first pixel;
    ``seen468`` (n, V, 468) bool: whether the point is not hidden;
    ``camera`` (n, V, 3) float32: focal length, centre x, centre y in pixels;
    ``rotation`` (n, V, 3, 3), ``translation`` (n, V, 3) float32: head axes -> camera axes, metres;
    ``pose`` (n, V, 3) float32 degrees: yaw, pitch, roll.
    The photo is one more view, at any pose and by any camera, with a ground: the same arrays without the V
    axis under the names ``photo_colour`` (with alpha: the soft outline), ``photo_depth``, ...;
    ``photo`` (n, S, S, 3) uint8 sRGB is the picture itself.
    ``identity`` (n, K), ``expression`` (n, 52) float32: the head model's codes; ``points468`` (n, 468, 3)
    float32 metres, head axes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPartError, OptionError
from ..outputs import replacing, write_text

if TYPE_CHECKING:
    import tensorflow as tf  # type: ignore[import-not-found, import-untyped, unused-ignore]

FORMAT = 1
"""Version of the layout of shards and card."""
CARD = "card.json"
PRESETS = ("holotalk", "full")
HELD_OUT_FROM = 1_000_000
"""People with this number and above are held out: for judging, never for training."""
SNAPSHOT_YAWS = (0, 10, 20, 30, 40)
"""Degrees that the fronts of the preset ``holotalk`` are turned by."""
SNAPSHOT_SIDE = 64

REGION_LABELS = (
    "ground", "skin", "face", "scalp", "ears", "neck", "lips", "brows", "eyelids", "mouth inside",
    "eye sockets", "eyes", "lashes", "teeth", "tongue", "hair", "beard", "glasses", "headwear", "clothes",
    "other",
)  # fmt: skip
"""What a pixel of ``region`` may show."""

Arrays = Mapping[str, NDArray[Any]]
"""The named arrays of one shard, or of some samples."""


@dataclass(frozen=True)
class ShardEntry:
    """What the card says about one shard."""

    name: str
    first: int
    """Its first sample."""
    samples: int
    sha256: str


@dataclass(frozen=True)
class Card:
    """What a folder of training data holds."""

    preset: str
    seed: int
    size: int
    """Pixels of the pictures' side."""
    yaws: tuple[float, ...]
    """Degrees of the views; of the fronts in the preset ``holotalk``."""
    first_person: int
    samples: int
    """That were asked for."""
    shards: tuple[ShardEntry, ...] = ()
    complete: bool = False
    """Whether all of them are there."""
    made_with: Mapping[str, str] = field(default_factory=dict)
    """Versions that decide the bytes."""
    people: int = 0
    """How many different ones."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """For every attribute: how many people have which value, numbers in ten classes."""
    format: int = FORMAT

    def same_data(self, other: Card) -> bool:
        """Whether a sample of one is the sample of the same number of the other."""
        mine = (self.format, self.preset, self.seed, self.size, self.yaws, self.first_person)
        return mine == (other.format, other.preset, other.seed, other.size, other.yaws, other.first_person)


def shard_name(number: int) -> str:
    """The file name of a shard."""
    return f"shard_{number:05d}.npz"


def write_arrays(path: Path, arrays: Arrays, *, compress: bool = False) -> None:
    """Write arrays as an ``.npz`` in one step; the same arrays give the same bytes.

    Args:
        path: where; an existing file is replaced when the new one is complete.
        arrays: all with the same first axis, none of objects.
        compress: worth it where much of the pictures is empty.

    Raises:
        OutputError: the folder cannot be written.
    """
    if any(a.dtype.hasobject for a in arrays.values()):
        raise TypeError("arrays of objects would be pickled")
    with replacing(path) as beside:
        (np.savez_compressed if compress else np.savez)(beside, **arrays)


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """All arrays of an ``.npz``; None where the file is missing, half-written or damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}  # reading checks every member's checksum
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None
    counts = {len(a) if a.ndim else -1 for a in arrays.values()}
    return arrays if len(counts) == 1 and counts != {-1} else None


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; empty where it is missing."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_card(folder: Path, card: Card) -> None:
    """Write ``card.json`` in one step."""
    write_text(folder / CARD, json.dumps(asdict(card), indent=1) + "\n")


def read_card(folder: Path) -> Card | None:
    """The card of a folder; None where there is none.

    Raises:
        OptionError: the file is no card, or one of another version.
    """
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        told["shards"] = tuple(ShardEntry(**entry) for entry in told["shards"])
        told["yaws"] = tuple(told["yaws"])
        card = Card(**told)
    except (ValueError, TypeError, KeyError) as error:
        raise OptionError(f"{path} is no card of training data: choose another folder.") from error
    if card.format != FORMAT:
        raise OptionError(f"{path} is of format {card.format}, this version reads {FORMAT}: render it anew.")
    return card


@dataclass(frozen=True)
class TrainingData:
    """A finished folder of training data, ready to be read."""

    folder: Path
    card: Card

    def shards(self, names: Sequence[str] | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        """The arrays of one shard after another, in order.

        Args:
            names: read only these.

        Raises:
            OptionError: a shard is damaged, or has no such array.
        """
        for entry in self.card.shards:
            yield self.shard(entry, names)

    def shard(self, entry: ShardEntry, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """The arrays of one shard, or those of these names.

        Raises:
            OptionError: it is damaged, or has no such array.
        """
        arrays = read_arrays(self.folder / entry.name) if names is None else self._some(entry, names)
        if arrays is None or any(len(a) != entry.samples for a in arrays.values()):
            raise OptionError(
                f"{self.folder / entry.name} is damaged: the command that rendered it redoes it."
            )
        return arrays

    def column(self, name: str) -> NDArray[Any]:
        """One array of all samples, in order: (N, ...)."""
        return np.concatenate([arrays[name] for arrays in self.shards([name])])

    def attributes(self) -> list[dict[str, Any]]:
        """Who each sample shows, and how they are lit."""
        return [json.loads(line) for line in self.column("attributes")]

    def _some(self, entry: ShardEntry, names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        try:
            with np.load(self.folder / entry.name, allow_pickle=False) as data:
                missing = [name for name in names if name not in data.files]
                if missing:
                    raise OptionError(f"{self.folder / entry.name} has no '{missing[0]}': wrong preset?")
                return {name: data[name] for name in names}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None


def open_data(folder: Path, preset: str | None = None) -> TrainingData:
    """Open a folder of training data.

    Args:
        folder: where ``card.json`` lies.
        preset: which one it must be.

    Raises:
        OptionError: there is none, it is not finished, or it is another preset.
    """
    card = read_card(folder)
    if card is None:
        raise OptionError(f"There is no training data in {folder}: render some with 'holotalk render-data'.")
    if preset is not None and card.preset != preset:
        raise OptionError(f"{folder} holds the preset {card.preset}: {preset} is needed here.")
    if not card.complete:
        raise OptionError(f"{folder} is not finished: run the command that rendered it again, it goes on.")
    return TrainingData(folder, card)


def mirrored(front: NDArray[Any], side: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same people turned the other way: (n, 64, 64) fronts at -yaw and sides at 90 - yaw, by the
    left-right symmetry of heads (and of how they are lit in the mirror).
    """
    return front[..., ::-1], side[..., ::-1]


def dataset(data: TrainingData, names: Sequence[str], *, shuffle: int = 0, seed: int = 0) -> tf.data.Dataset:
    """Samples as a ``tf.data.Dataset`` of dictionaries, read shard by shard as they are asked for.

    Args:
        data: from :func:`open_data`.
        names: the arrays wanted.
        shuffle: samples are drawn from a buffer of so many; 0 keeps their order.
        seed: of the shuffle.

    Raises:
        MissingPartError: TensorFlow is not installed.
        OptionError: there is no such array.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingPartError("TensorFlow is not installed: pip install 'holotalk[train]'.") from error
    first = next(data.shards(names))
    signature = {name: tf.TensorSpec(a.shape[1:], tf.dtypes.as_dtype(a.dtype)) for name, a in first.items()}

    def samples() -> Iterator[dict[str, NDArray[Any]]]:
        for arrays in data.shards(names):
            for i in range(len(arrays[names[0]])):
                yield {name: array[i] for name, array in arrays.items()}

    result = tf.data.Dataset.from_generator(samples, output_signature=signature)
    result = result.apply(tf.data.experimental.assert_cardinality(data.card.samples))
    return result.shuffle(shuffle, seed=seed) if shuffle else result
