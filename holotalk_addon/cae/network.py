# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks that complete heads, in plain Keras: any backend trains them.

HOLOTALK's convolutional autoencoder: the picture is a person's front over their side (64 x 64 each), and the
target is the picture itself. What the network has to push both through, 1024 numbers, holds the person; so
when the side comes from somebody else, the front's traits shall show in it.

Ours: what is drawn of a fitted head from one side goes in, with the front and with masks of what the photo
showed; what that side truly looks like comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from .shards import SNAPSHOT_SIDE
from .stacks import CHANNELS, STACK_SIZE

INPUT_SHAPE = (2 * SNAPSHOT_SIDE, SNAPSHOT_SIDE, 1)
"""Rows, columns, channels of the stacked snapshots: grey 0..1, the front above."""
ENCODER = (32, 64, 128, 256, 512)
CODE = 1024
GRID = (4, 2, 128)
"""What the code is reshaped to: rows, columns, channels."""
DECODER = (512, 256, 128, 64, 32)
PARAMETERS = 8_970_753

LEVELS = (24, 48, 72, 96, 128)
"""Filters of our network at 128, 64, 32, 16 and 8 pixels."""


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


@keras.saving.register_keras_serializable(package="holotalk")
class GrowPixels(layers.Layer):
    """(N, H, W, 4 C) -> (N, 2 H, 2 W, C): every place's channels become its four pixels (Shi et al. 2016)."""

    def call(self, pictures: Any) -> Any:
        """Rearrange."""
        _, rows, columns, channels = pictures.shape
        x = ops.reshape(pictures, (-1, rows, columns, 2, 2, channels // 4))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, 2 * rows, 2 * columns, channels // 4))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Of what :meth:`call` gives back."""
        count, rows, columns, channels = shape
        return count, *(2 * n if n else None for n in (rows, columns)), channels // 4 if channels else None


def completion_network(levels: Sequence[int] = LEVELS, keeps: bool = True) -> keras.Model:
    """Our network, freshly initialised: (N, 256, 256, 9) float32 0..1 (see :mod:`.stacks`) to
    (N, 256, 256, 3) sRGB 0..1 on black, the side as it is.

    A U-Net (Ronneberger et al. 2015) that says of every pixel how much of what mirroring and filling has
    drawn there stays, and what colour replaces the rest. At first nearly all stays: it starts from what is to
    be beaten, and detail that is right passes as it is. The first and last layers work on blocks of two by
    two pixels: full resolution would take most of the time.

    Args:
        levels: filters at half the resolution, a quarter, and so on.
        keeps: False draws all colours anew; to see what keeping is worth.
    """

    def conv(x: Any, filters: int, name: str, strides: int = 1) -> Any:
        return layers.Conv2D(filters, 3, strides, padding="same", activation="relu", name=name)(x)

    stack = keras.Input((STACK_SIZE, STACK_SIZE, CHANNELS), name="stack")
    x = layers.Conv2D(levels[0], 4, 2, padding="same", activation="relu", name="enter")(stack)
    kept = []
    for number, filters in enumerate(levels[1:], start=1):
        x = conv(x, levels[number - 1], f"look_{number}")
        kept.append(x)
        x = conv(x, filters, f"shrink_{number}", 2)
    x = conv(x, levels[-1], "middle_1")
    x = conv(x, levels[-1], "middle_2")
    for number in reversed(range(1, len(levels))):
        x = layers.UpSampling2D(2, name=f"enlarge_{number}")(conv(x, levels[number - 1], f"fewer_{number}"))
        x = layers.Concatenate(name=f"join_{number}")([x, kept[number - 1]])
        x = conv(x, levels[number - 1], f"draw_{number}")
    # Four numbers a pixel: three of colour, one of what stays; 2 is 0.88 of it.
    start = np.tile(np.array([0.0, 0.0, 0.0, 2.0], dtype=np.float32), 4)
    x = layers.Conv2D(
        16, 3, padding="same", bias_initializer=keras.initializers.Constant(start), name="leave"
    )(x)
    x = layers.Activation("sigmoid", name="share")(GrowPixels(name="pixels")(x))
    colour, stays = x[..., :3], x[..., 3:]
    side = stack[..., :3]
    picture = colour + (side - colour) * stays if keeps else colour
    return keras.Model(stack, picture, name="completion")
