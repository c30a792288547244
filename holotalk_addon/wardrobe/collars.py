# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wear about neck and shoulders: garments with their collars, scarves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..head.membrane import smoothstep
from ..head.skin_optics import skin_colour, to_srgb
from .fitting_room import FittingRoom
from .look import Look
from .prop import Prop
from .shapes import AROUND, cloth, plain, reach, sheet

Points = NDArray[np.float64]

_NECK = np.array([0.0, 0.0, -0.022])


def clothes(room: FittingRoom, look: Look, rng: np.random.Generator) -> list[Prop]:
    """Shoulders and chest in skin, and a garment over them, open at the neck by its cut."""
    faces = room.torso_faces
    shape = room.torso.astype(np.float64)
    wide = 0.80 + 0.2 * float(np.clip((look.age - 8) / 12, 0, 1))
    wide *= 0.90 + 0.14 * look.sex + 0.10 * (look.weight - 0.5)
    below = smoothstep((-0.15 - shape[:, 1]) / 0.06)
    shape[:, 0] *= 1 + (wide - 1) * below
    normals = _face_normals(shape, faces)

    albedo = skin_colour(
        room.skin,
        np.log([[look.melanin]]),
        np.log([[look.haemoglobin * 0.9]]),
    )
    corner = shape[faces]
    chest = (np.abs(corner[..., 0]).max(axis=1) < 0.15) & (corner[..., 1].min(axis=1) > -0.33)
    # Under the bust's own skin on the neck, over its edge below: the two cross where both look alike.
    cut = room.model.mean[(room.model.fade <= 0) & (room.model.vertex_parts == 0)][:-1]
    slope, level = np.polyfit(cut[:, 2], cut[:, 1], 1)
    past = smoothstep((slope * shape[:, 2] + level + 0.012 - shape[:, 1]) / 0.012)
    skin = Prop(
        (shape + normals * (0.0045 * past - 0.0025)[:, None]).astype(np.float32),
        faces[chest],
        _flat_uvs(shape, faces[chest]),
        plain(to_srgb(albedo)[0, 0]),
        "body",
        False,
        0.55,
    )
    deep = {"t-shirt": 0.004, "v-neck": 0.0, "shirt": 0.0, "turtleneck": -0.004, "hoodie": -0.004}
    x, z = shape[:, 0], shape[:, 2]
    neckline = -0.141 - 0.42 * (z + 0.06) - deep[look.collar] - 0.012 * float(rng.random())
    if look.collar == "v-neck":
        neckline = neckline - 0.075 * np.clip(1 - np.abs(x) / 0.05, 0, 1) * (z > 0)
    above = shape[:, 1] - neckline
    offset = 0.006 + 0.004 * float(rng.random()) + 0.004 * below
    garment = shape + normals * offset[:, None]
    garment[:, 1] -= np.maximum(above, 0.0)
    kept = faces[(above[faces] < 0).any(axis=1)]
    fabric = cloth(rng)
    props = [
        skin,
        Prop(garment.astype(np.float32), kept, _flat_uvs(shape, kept), fabric, "collar", False, 0.9),
    ]
    if look.collar == "turtleneck":
        props.append(around_neck(room, "collar", (-0.185, -0.165, -0.14, -0.112, -0.108, -0.13),
                                  (0.016, 0.009, 0.007, 0.007, 0.011, 0.012), fabric, 0.35))  # fmt: skip
    elif look.collar == "shirt":
        props.append(around_neck(room, "collar", (-0.170, -0.155, -0.138, -0.134, -0.150, -0.172),
                                  (0.010, 0.007, 0.007, 0.010, 0.015, 0.021), fabric, 0.40))  # fmt: skip
    elif look.collar == "hoodie":
        props.append(around_neck(room, "collar", (-0.185, -0.17, -0.150, -0.140, -0.150, -0.19),
                                  (0.010, 0.014, 0.018, 0.022, 0.030, 0.035), fabric, 0.45))  # fmt: skip
    return props


def around_neck(
    room: FittingRoom,
    name: str,
    heights: tuple[float, ...],
    offsets: tuple[float, ...],
    texture: NDArray[np.uint8],
    slope: float,
    wobble: NDArray[np.floating] | None = None,
) -> Prop:
    """Rings around the neck at heights (m, at the neck's axis) and offsets from the skin, leaning
    forward by the slope."""
    turn = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    ways = np.stack([np.sin(turn), np.zeros(AROUND), np.cos(turn)], axis=1)
    rows = []
    for k, (height, offset) in enumerate(zip(heights, offsets, strict=True)):
        lean = height - slope * 0.055 * np.cos(turn)
        if wobble is not None:
            lean = lean + wobble[k]
        centre = _NECK + np.stack([0 * turn, lean, 0 * turn], axis=1)
        rows.append(reach(room.space, centre, ways, np.full(AROUND, offset)))
    ring = np.stack(rows)
    # A ring that met a shoulder would spike out to it.
    flat = ring - (_NECK * [1, 0, 1])
    radius = np.hypot(flat[..., 0], flat[..., 2])
    limit = np.minimum(radius, 1.25 * np.median(radius, axis=1, keepdims=True))
    flat[..., [0, 2]] *= (limit / np.maximum(radius, 1e-6))[..., None]
    return sheet(name, flat + _NECK * [1, 0, 1], texture, tiles=(4.0, 1.0))


def scarf(room: FittingRoom, rng: np.random.Generator) -> Prop:
    """A scarf round the neck."""
    turn = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    t = np.linspace(0, 1, 9)
    heights = tuple(-0.185 + 0.075 * t)
    bulge = tuple(0.010 + 0.020 * np.sqrt(np.abs(np.sin(np.pi * t * 2.0))) + 0.006 * (1 - t))
    wobble = np.array([0.006 * np.sin(turn * 2 + rng.uniform(0, 6)) for _ in t])
    return around_neck(room, "scarf", heights, bulge, cloth(rng), 0.25, wobble)


def _face_normals(vertices: Points, faces: NDArray[np.int32]) -> Points:
    """(N, 3) smooth vertex normals."""
    diagonal = np.cross(
        vertices[faces[:, 2]] - vertices[faces[:, 0]], vertices[faces[:, 3]] - vertices[faces[:, 1]]
    )
    result = np.zeros_like(vertices)
    for k in range(4):
        for axis in range(3):
            result[:, axis] += np.bincount(faces[:, k], diagonal[:, axis], len(vertices))
    return np.asarray(result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12))


def _flat_uvs(vertices: Points, faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(M, 4, 2) cloth laid on from the front, 12 cm a tile, mirrored tile by tile."""
    plane = vertices[faces][..., :2] / 0.12
    cell = np.floor(plane.mean(axis=1, keepdims=True))
    inside = np.clip(plane - cell, 0.0, 1.0)
    return np.where(np.mod(cell, 2) == 1, 1 - inside, inside).astype(np.float32)
