# SPDX-License-Identifier: GPL-3.0-or-later
"""Photographs of random people: one person's samples of an order of training data.

What a sample is follows from the :class:`~..learning.orders.Order` and its number alone: which process
renders it, when, and after whom, changes no byte. The unit of work is a person: all views of one are one
render call.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import bpy
import cv2
import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..head.morphable_model import HeadModel, load_model
from ..head.view import View, level_view
from ..learning.orders import Batch, Order
from ..learning.shards import REGION_LABELS
from ..people import Shot, SyntheticPerson, open_workshop, random_shot, synthetic_person
from ..people.compile_model import ensure_model
from ..people.truth import Layer, head_layer, landmarks_in, look, polygon_regions
from .studio import Studio

_PROP_LABELS = {
    "hair": "hair", "brows": "brows", "beard": "beard", "glasses": "glasses", "lenses": "glasses",
    "hat": "headwear", "cap": "headwear", "headwear": "headwear", "scarf": "clothes", "collar": "clothes",
}  # fmt: skip


class PhotoSession:
    """Renders people one after another; holds the head model and the studio. One for each process, used
    from one thread: Blender has one state.
    """

    def __init__(self, order: Order) -> None:
        """Loads the model and sets up the studio in the open Blender file.

        Raises:
            AssetError: the assets are missing.
        """
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
        person = synthetic_person(
            self.model, np.random.default_rng((self.order.seed, number, 0)), self._workshop
        )
        return person, random_shot(np.random.default_rng((self.order.seed, number, 1)))

    def __call__(self, number: int) -> Batch:
        """The samples of the person with this number."""
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
        grey = np.stack([grey_picture(picture) for picture in self._studio.photograph(person, shot, views)])
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
            "photo": _before(pictures[-1], shot.background)[None],
            "identity": np.asarray(person.identity, dtype=np.float32)[None],
            "expression": np.asarray(person.expression, dtype=np.float32)[None],
            "points468": points.astype(np.float32)[None],
        }
        return arrays

    def _layers(self, person: SyntheticPerson) -> list[Layer]:

        layers = [head_layer(person.head, self._regions)]
        for prop in person.props:
            label = REGION_LABELS.index(_PROP_LABELS.get(prop.name, "other"))
            labels = np.full(len(prop.polygons), label, dtype=np.uint8)
            layers.append(Layer(prop, labels, prop.see_through, normals=prop.normals))
        return layers

    def _truth(self, person: SyntheticPerson, layers: list[Layer], view: View) -> dict[str, NDArray[Any]]:

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


def grey_picture(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S) luma of an (S, S, 4) picture on black (ITU-R BT.601, as OpenCV's grey)."""
    shown = picture[..., :3].astype(np.float32) * (picture[..., 3:].astype(np.float32) / np.float32(255.0))
    grey = shown @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.asarray(grey + np.float32(0.5)).astype(np.uint8)


def _before(picture: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3): an (S, S, 4) picture before a background that is stretched behind it."""
    size = picture.shape[0]
    behind = cv2.resize(background, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    alpha = picture[..., 3:].astype(np.float32) / np.float32(255.0)
    shown = picture[..., :3].astype(np.float32) * alpha + behind * (1 - alpha)
    return np.asarray(shown + np.float32(0.5)).astype(np.uint8)
