# SPDX-License-Identifier: GPL-3.0-or-later
"""HOLOTALK's convolutional autoencoder, in plain Keras: any backend trains it.

The picture is a person's front over their side (64 x 64 each), and the target is the picture itself. What
the network has to push both through, 1024 numbers, holds the person; so when the side comes from
somebody else, the front's traits shall show in it.
"""

from __future__ import annotations

import keras
from keras import layers

from .shards import SNAPSHOT_SIDE

INPUT_SHAPE = (2 * SNAPSHOT_SIDE, SNAPSHOT_SIDE, 1)
"""Rows, columns, channels of the stacked snapshots: grey 0..1, the front above."""
ENCODER = (32, 64, 128, 256, 512)
CODE = 1024
GRID = (4, 2, 128)
"""What the code is reshaped to: rows, columns, channels."""
DECODER = (512, 256, 128, 64, 32)
PARAMETERS = 8_970_753


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
