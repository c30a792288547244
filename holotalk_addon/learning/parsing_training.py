# SPDX-License-Identifier: GPL-3.0-or-later
"""The network that says what each pixel around a face shows (:mod:`..face.parsing`), and its training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from ..face.parsing import CHANNELS, CLASSES, SIDE, face_outline
from .engine import Samples, Task
from .parsing_people import ParsingPeople
from .parsing_samples import UNKNOWN, Sample, class_overlap, make_sample

LEVELS = (24, 48, 96, 144, 192)
"""Filters at a half, a quarter, ... of the resolution."""
COUNTS = (0.7, 1.0, 1.2, 1.5, 2.0, 1.5, 1.0, 2.0)
"""How much a pixel of each class counts in the loss: the rarer the more, but far less than they are rare."""
_JUDGED_SEED = 7
_SHEET_PEOPLE = 12
COLOURS = np.array(
    [
        *((0, 0, 0), (230, 200, 180), (255, 140, 0), (150, 60, 200)),
        *((60, 90, 255), (0, 220, 220), (120, 120, 120), (255, 0, 0)),
    ],
    dtype=np.uint8,
)
"""(8, 3) sRGB: the classes in pictures."""


def parsing_network(filters: Sequence[int] = LEVELS) -> keras.Model:
    """The network, freshly initialised: (N, SIDE, SIDE, CHANNELS), as :func:`..face.parsing.network_input`
    makes it, to (N, SIDE, SIDE, len(CLASSES)) logits.

    Args:
        filters: at half the resolution, a quarter, and so on.
    """

    def conv(x: Any, count: int, name: str, size: int = 3, strides: int = 1) -> Any:
        x = layers.Conv2D(count, size, strides, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)
        return layers.Activation("relu", name=f"{name}_relu")(x)

    picture = keras.Input((SIDE, SIDE, CHANNELS), name="picture")
    full = layers.Rescaling(1.0 / 255.0, name="unit")(picture)
    x = conv(full, filters[0], "enter", 4, 2)
    kept = []
    for number, count in enumerate(filters[1:], start=1):
        x = conv(x, filters[number - 1], f"look_{number}")
        kept.append(x)
        x = conv(x, count, f"shrink_{number}", strides=2)
    x = conv(conv(x, filters[-1], "middle_1"), filters[-1], "middle_2")
    for number in reversed(range(1, len(filters))):
        x = conv(x, filters[number - 1], f"fewer_{number}")
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"enlarge_{number}")(x)
        x = layers.Concatenate(name=f"join_{number}")([x, kept[number - 1]])
        x = conv(x, filters[number - 1], f"draw_{number}")
    x = layers.UpSampling2D(2, interpolation="bilinear", name="enlarge")(x)
    x = layers.Concatenate(name="join")([x, full])
    x = conv(x, 16, "draw")
    logits = layers.Conv2D(len(CLASSES), 3, padding="same", dtype="float32", name="logits")(x)
    return keras.Model(picture, logits, name="parsing")


@keras.saving.register_keras_serializable(package="holotalk")
class PixelLoss(keras.losses.Loss):
    """Cross-entropy of (N, H, W, C) logits against (N, H, W) labels, of the pixels that are known, as they
    count."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number."""
        label = ops.cast(y_true, "int32")
        known = ops.cast(label < len(CLASSES), "float32")
        label = ops.minimum(label, len(CLASSES) - 1)
        weight = ops.take(ops.convert_to_tensor(COUNTS, dtype="float32"), label) * known
        odds = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        loss = -ops.sum(ops.one_hot(label, len(CLASSES), dtype="float32") * odds, axis=-1)
        return ops.sum(loss * weight) / (ops.sum(weight) + 1.0)


def parsing_task(people: ParsingPeople, held_out: ParsingPeople) -> Task:
    """What is trained, on ``people``, judged on the pictures of other people, ``held_out``."""
    network = partial(parsing_network)
    judged = [
        make_sample(held_out, k, np.random.default_rng((_JUDGED_SEED, k)))
        for k in range(len(held_out.person))
    ]

    def make(chosen: NDArray[np.intp], rng: np.random.Generator | None) -> tuple[Any, Any]:
        if rng is None:
            return _batch([judged[k] for k in chosen])
        return _batch([make_sample(people, int(k), rng) for k in chosen])

    return Task(
        name="parsing",
        settings={"filters": list(LEVELS), "shares of the classes in the loss": list(COUNTS)},
        network=network,
        loss=PixelLoss(),
        metrics=(),
        training=Samples(people.person, make, people.digest()),
        held_out=Samples(held_out.person, make, held_out.digest()),
        sheet=partial(_sheet, judged[:_SHEET_PEOPLE]),
        judge=lambda trained: {f"iou_{k}": v for k, v in judge(trained, judged).items()},
    )


def _batch(samples: Sequence[Sample]) -> tuple[Any, Any]:
    return np.stack([sample.input() for sample in samples]), np.stack([sample.label for sample in samples])


def judge(network: keras.Model, samples: Sequence[Sample]) -> dict[str, float]:
    """:func:`.parsing_samples.class_overlap` of what the network says; 0 for what no sample shows."""

    def pairs() -> Iterator[tuple[NDArray[np.uint8], NDArray[np.intp]]]:
        for start in range(0, len(samples), 32):
            some = samples[start : start + 32]
            found = np.asarray(network.predict(_batch(some)[0], verbose=0)).argmax(axis=-1)
            yield from zip((sample.label for sample in some), found, strict=True)

    return {name: float(np.nan_to_num(share)) for name, share in class_overlap(pairs()).items()}


def _sheet(samples: Sequence[Sample], network: keras.Model) -> NDArray[np.uint8]:
    """Picture, truth and what the network says, a row each."""
    found = np.asarray(network.predict(_batch(samples)[0], verbose=0)).argmax(axis=-1)
    rows = []
    for sample, what in zip(samples, found, strict=True):
        truth = np.where(
            (sample.label == UNKNOWN)[..., None], np.uint8(50), COLOURS[np.minimum(sample.label, 7)]
        )
        rim = cv2.morphologyEx(face_outline(sample.points), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
        truth[rim] = 255
        rows.append(np.concatenate([sample.rgb * sample.inside[..., None], truth, COLOURS[what]]))
    return np.ascontiguousarray(np.concatenate(rows, axis=1), dtype=np.uint8)
