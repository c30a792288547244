# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio shows everybody in their own things, whoever sat there before."""

from dataclasses import replace

import numpy as np
import pytest
from stand_in_head import stand_in_head

from holotalk_addon.head.view import level_view
from holotalk_addon.people import Prop, SyntheticPerson, random_shot
from holotalk_addon.people.attributes import random_attributes

bpy = pytest.importorskip("bpy")

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def board(colour, size, see_through, x):
    """A square of 8 cm before the face, at the left or right."""
    texture = np.full((size, size, 4), 255, dtype=np.uint8)
    texture[..., :3] = COLOURS[colour]
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.04
    vertices = np.concatenate([corners + np.array([x, 0.0]), np.full((4, 1), 0.15)], axis=1)
    uvs = np.array([[[0, 0], [1, 0], [1, 1], [0, 1]]])
    return Prop(vertices.astype(np.float32), np.array([[0, 1, 2, 3]], dtype=np.int32),
                uvs.astype(np.float32), texture, "board", see_through)  # fmt: skip


def test_nobody_wears_what_an_earlier_sitter_wore():
    from holotalk_addon.scene.studio import Studio

    head = stand_in_head(texture_size=64)
    rng = np.random.default_rng(4)
    shot = replace(random_shot(rng), lamps=(), sky=(1, 1, 1), horizon=(1, 1, 1), ground=(1, 1, 1))
    names = list(COLOURS)
    with Studio() as studio:
        for sitter in range(14):
            worn = [
                (str(rng.choice(names)), int(rng.choice([8, 64, 128])), bool(rng.random() < 0.4))
                for _ in range(int(rng.integers(0, 3)))
            ]
            props = tuple(board(*w, x) for w, x in zip(worn, (-0.05, 0.05), strict=False))
            person = SyntheticPerson(
                head, props, random_attributes(rng), np.zeros(1, np.float32), head.expression
            )
            picture = studio.photograph(person, shot, [level_view(0.0, 32)])[0]
            for (colour, _, _), x in zip(worn, (-0.05, 0.05), strict=False):
                column = int(16 + x / 0.33 * 32)
                seen = picture[12:20, column - 2 : column + 2, :3].reshape(-1, 3).mean(axis=0)
                assert names[int(seen.argmax())] == colour, (sitter, worn, seen)
                assert np.sort(seen)[-1] > np.sort(seen)[-2] + 60
