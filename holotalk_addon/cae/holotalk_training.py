# SPDX-License-Identifier: GPL-3.0-or-later
"""How HOLOTALK's autoencoder is trained: the picture in is the picture that shall come out."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from .network import holotalk_autoencoder
from .snapshots import Snapshots, stacked
from .training import Samples, Task

_SHEET_PEOPLE = 8
_SHEET_SCALE = 2


def holotalk_task(
    training: Snapshots, held_out: Snapshots, templates: NDArray[np.uint8] | None = None
) -> Task:
    """What :func:`.training.train` shall do.

    Args:
        training: what to learn from; mirrored copies are made as they are needed.
        held_out: other people, on whom every epoch is judged.
        templates: (5, 64, 64) sides of the template person for :data:`.shards.SNAPSHOT_YAWS`; with them each
            epoch is also judged the way the network is used, and the sheet shows it.
    """

    def judge(network: keras.Model) -> dict[str, float]:
        return {} if templates is None else {"transfer_l1": transfer_error(network, held_out, templates)}

    return Task(
        name="holotalk",
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

    return Samples(snapshots.person, make)


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
