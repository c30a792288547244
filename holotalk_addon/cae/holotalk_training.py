# SPDX-License-Identifier: GPL-3.0-or-later
"""HOLOTALK's convolutional autoencoder in plain Keras, and how it is trained.

The picture is a person's front over their side (64 x 64 each), and the picture in is the picture that shall
come out. What the network has to push both through, 1024 numbers, holds the person; so when the side comes
from somebody else, the front's traits shall show in it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ..learning.engine import Samples, Task
from ..learning.run_record import arrays_digest
from ..learning.shards import SNAPSHOT_SIDE
from .snapshots import Snapshots, stacked

INPUT_SHAPE = (2 * SNAPSHOT_SIDE, SNAPSHOT_SIDE, 1)
"""Rows, columns, channels of the stacked snapshots: grey 0..1, the front above."""
ENCODER = (32, 64, 128, 256, 512)
CODE = 1024
GRID = (4, 2, 128)
"""What the code is reshaped to: rows, columns, channels."""
DECODER = (512, 256, 128, 64, 32)
PARAMETERS = 8_970_753

_SHEET_PEOPLE = 8
_SHEET_SCALE = 2


def holotalk_autoencoder() -> keras.Model:
    """The network, freshly initialised: (N, 128, 64, 1) float32 0..1 -> the same.

    The dense layers have ReLUs as the convolutions do: two linear ones in a row would be one.
    """
    picture = keras.Input(INPUT_SHAPE, name="stack")
    x = picture
    for number, filters in enumerate(ENCODER, start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"encode_{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(CODE, activation="relu", name="code_1")(x)
    x = layers.Dense(CODE, activation="relu", name="code_2")(x)
    x = layers.Reshape(GRID, name="grid")(x)
    for number, filters in enumerate(DECODER, start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"decode_{number}")(x)
        x = layers.UpSampling2D(2, name=f"grow_{number}")(x)
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="picture")(x)
    return keras.Model(picture, x, name="holotalk")


def holotalk_task(
    training: Snapshots, held_out: Snapshots, templates: NDArray[np.uint8] | None = None
) -> Task:
    """What :func:`..learning.engine.train` shall do.

    Args:
        training: what to learn from; mirrored copies are made as they are needed.
        held_out: other people, on whom every epoch is judged.
        templates: (5, 64, 64) sides of the template person for :data:`..learning.shards.SNAPSHOT_YAWS`;
            with them each epoch is also judged the way the network is used, and the sheet shows it.
    """

    def judge(network: keras.Model) -> dict[str, float]:
        return {} if templates is None else {"transfer_l1": transfer_error(network, held_out, templates)}

    return Task(
        name="holotalk",
        settings={"filters": [*ENCODER, *DECODER], "code": CODE},
        network=holotalk_autoencoder,
        loss="binary_crossentropy",
        metrics=(partial(keras.metrics.MeanAbsoluteError, name="l1"),),
        training=_samples(training),
        held_out=_samples(held_out),
        sheet=lambda network: sheet(network, held_out, templates),
        judge=judge,
    )


def _samples(snapshots: Snapshots) -> Samples:
    def make(chosen: NDArray[np.intp], rng: np.random.Generator | None) -> tuple[Any, Any]:
        pictures = stacked(snapshots.front[chosen], snapshots.side[chosen])
        if rng is not None:
            mirrored = rng.random(len(chosen)) < 0.5
            pictures[mirrored] = pictures[mirrored][:, :, ::-1]
        return pictures, pictures

    content = arrays_digest((snapshots.person, snapshots.yaw, snapshots.front, snapshots.side))
    return Samples(snapshots.person, make, content)


def transfer_error(network: keras.Model, samples: Snapshots, templates: NDArray[np.uint8]) -> float:
    """Mean absolute error, 0..1, of the sides the network makes of these people's fronts over the
    template's sides, against their true sides, over the pixels that either has.
    """
    asked = stacked(samples.front, templates[samples.yaw // 10])
    made = np.asarray(network.predict(asked, batch_size=64, verbose=0))[:, asked.shape[1] // 2 :]
    true = samples.side.astype(np.float32)[..., None] / 255.0
    counted = (true > 0) | (asked[:, asked.shape[1] // 2 :] > 0)
    return float(np.abs(made - true)[counted].mean())


def sheet(network: keras.Model, samples: Snapshots, templates: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """(H, W) uint8: people spread over the samples, a column each; down the column the person's front over
    side, what the network makes of it, and with templates the front over the template's side and
    what the network makes of that.
    """
    count = len(samples.person)
    chosen = np.linspace(0, count - 1, min(_SHEET_PEOPLE, count)).astype(int)
    rows = [stacked(samples.front[chosen], samples.side[chosen])]
    rows.append(np.asarray(network.predict(rows[0], verbose=0)))
    if templates is not None:
        rows.append(stacked(samples.front[chosen], templates[samples.yaw[chosen] // 10]))
        rows.append(np.asarray(network.predict(rows[-1], verbose=0)))
    columns = np.concatenate(rows, axis=1)[..., 0]
    picture = np.concatenate(list(columns), axis=1)
    large: NDArray[Any] = picture.repeat(_SHEET_SCALE, axis=0).repeat(_SHEET_SCALE, axis=1)
    return (np.clip(large, 0, 1) * 255.0 + 0.5).astype(np.uint8)
