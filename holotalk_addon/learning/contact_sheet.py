# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data at a glance: a sheet of its pictures, and how often each attribute occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .shards import Card, TrainingData

SHEET_PEOPLE = 60
SHEET_COLUMNS = 6
SHEET_TILE = 128


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
