# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wear: collars, hats, scarves, glasses. Made around the mean head, carried to the person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..surface import smoothstep
from .person import PersonAttributes, Prop
from .shapes import bent, cloth, hat_rim, joined, plain, reach, sheet, tube
from .skin_optics import skin_colour, to_srgb
from .space import Grid
from .workshop import Workshop

Points = NDArray[np.float64]

_SKULL = np.array([0.0, 0.015, -0.012])
_NECK = np.array([0.0, 0.0, -0.022])
_AROUND = 40
_FRAMES = ((0.05, 0.05, 0.05), (0.20, 0.12, 0.07), (0.35, 0.33, 0.32), (0.62, 0.52, 0.32), (0.10, 0.12, 0.25),
           (0.45, 0.10, 0.12))  # fmt: skip


def dress(shop: Workshop, attributes: PersonAttributes, warp: Grid, rng: np.random.Generator) -> list[Prop]:
    """Everything a person wears.

    Args:
        shop: the workshop.
        attributes: what they wear.
        warp: carries the mean head's surroundings to the person.
        rng: decides colours and cuts.
    """
    streams = [np.random.default_rng(s) for s in rng.integers(0, 2**63, (4, 2))]
    props: list[Prop] = []
    if attributes.collar != "none":
        props += _clothes(shop, attributes, streams[0])
    if attributes.headwear != "none":
        props += _headwear(shop, attributes, streams[1])
    if attributes.scarf:
        props += [_scarf(shop, streams[2])]
    if attributes.glasses != "none":
        props += _glasses(shop, attributes, streams[3])
    return [bent(p, warp) for p in props]


# Clothes.


def _clothes(shop: Workshop, attributes: PersonAttributes, rng: np.random.Generator) -> list[Prop]:
    """Shoulders and chest in skin, and a garment over them, open at the neck by its cut."""
    faces = shop.torso_faces
    shape = shop.torso.astype(np.float64)
    wide = 0.80 + 0.2 * float(np.clip((attributes.age - 8) / 12, 0, 1))
    wide *= 0.90 + 0.14 * attributes.sex + 0.10 * (attributes.weight - 0.5)
    below = smoothstep((-0.15 - shape[:, 1]) / 0.06)
    shape[:, 0] *= 1 + (wide - 1) * below
    normals = _face_normals(shape, faces)

    albedo = skin_colour(
        shop.skin,
        np.log([[attributes.melanin]]),
        np.log([[attributes.haemoglobin * 0.9]]),
    )
    corner = shape[faces]
    chest = (np.abs(corner[..., 0]).max(axis=1) < 0.15) & (corner[..., 1].min(axis=1) > -0.33)
    # Under the bust's own skin on the neck, over its edge below: the two cross where both look alike.
    cut = shop.model.mean[(shop.model.fade <= 0) & (shop.model.vertex_parts == 0)][:-1]
    slope, level = np.polyfit(cut[:, 2], cut[:, 1], 1)
    past = smoothstep((slope * shape[:, 2] + level + 0.012 - shape[:, 1]) / 0.012)
    skin = Prop(
        "body",
        (shape + normals * (0.0045 * past - 0.0025)[:, None]).astype(np.float32),
        faces[chest],
        _flat_uvs(shape, faces[chest]),
        plain(to_srgb(albedo)[0, 0]),
        False,
        0.55,
    )
    deep = {"t-shirt": 0.004, "v-neck": 0.0, "shirt": 0.0, "turtleneck": -0.004, "hoodie": -0.004}
    x, z = shape[:, 0], shape[:, 2]
    neckline = -0.141 - 0.42 * (z + 0.06) - deep[attributes.collar] - 0.012 * float(rng.random())
    if attributes.collar == "v-neck":
        neckline = neckline - 0.075 * np.clip(1 - np.abs(x) / 0.05, 0, 1) * (z > 0)
    above = shape[:, 1] - neckline
    offset = 0.006 + 0.004 * float(rng.random()) + 0.004 * below
    garment = shape + normals * offset[:, None]
    garment[:, 1] -= np.maximum(above, 0.0)
    kept = faces[(above[faces] < 0).any(axis=1)]
    fabric = cloth(rng)
    props = [
        skin,
        Prop("collar", garment.astype(np.float32), kept, _flat_uvs(shape, kept), fabric, False, 0.9),
    ]
    if attributes.collar == "turtleneck":
        props.append(_around_neck(shop, "collar", (-0.185, -0.165, -0.14, -0.112, -0.108, -0.13),
                                  (0.016, 0.009, 0.007, 0.007, 0.011, 0.012), fabric, 0.35))  # fmt: skip
    elif attributes.collar == "shirt":
        props.append(_around_neck(shop, "collar", (-0.170, -0.155, -0.138, -0.134, -0.150, -0.172),
                                  (0.010, 0.007, 0.007, 0.010, 0.015, 0.021), fabric, 0.40))  # fmt: skip
    elif attributes.collar == "hoodie":
        props.append(_around_neck(shop, "collar", (-0.185, -0.17, -0.150, -0.140, -0.150, -0.19),
                                  (0.010, 0.014, 0.018, 0.022, 0.030, 0.035), fabric, 0.45))  # fmt: skip
    return props


def _around_neck(
    shop: Workshop,
    name: str,
    heights: tuple[float, ...],
    offsets: tuple[float, ...],
    texture: NDArray[np.uint8],
    slope: float,
    wobble: NDArray[np.floating] | None = None,
) -> Prop:
    """Rings around the neck at heights (m, at the neck's axis) and offsets from the skin, leaning
    forward by the slope."""
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    ways = np.stack([np.sin(turn), np.zeros(_AROUND), np.cos(turn)], axis=1)
    rows = []
    for k, (height, offset) in enumerate(zip(heights, offsets, strict=True)):
        lean = height - slope * 0.055 * np.cos(turn)
        if wobble is not None:
            lean = lean + wobble[k]
        centre = _NECK + np.stack([0 * turn, lean, 0 * turn], axis=1)
        rows.append(reach(shop.space, centre, ways, np.full(_AROUND, offset)))
    ring = np.stack(rows)
    # A ring that met a shoulder would spike out to it.
    flat = ring - (_NECK * [1, 0, 1])
    radius = np.hypot(flat[..., 0], flat[..., 2])
    limit = np.minimum(radius, 1.25 * np.median(radius, axis=1, keepdims=True))
    flat[..., [0, 2]] *= (limit / np.maximum(radius, 1e-6))[..., None]
    return sheet(name, flat + _NECK * [1, 0, 1], texture, tiles=(4.0, 1.0))


def _scarf(shop: Workshop, rng: np.random.Generator) -> Prop:
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    t = np.linspace(0, 1, 9)
    heights = tuple(-0.185 + 0.075 * t)
    bulge = tuple(0.010 + 0.020 * np.sqrt(np.abs(np.sin(np.pi * t * 2.0))) + 0.006 * (1 - t))
    wobble = np.array([0.006 * np.sin(turn * 2 + rng.uniform(0, 6)) for _ in t])
    return _around_neck(shop, "scarf", heights, bulge, cloth(rng), 0.25, wobble)


# On the head.


def _dome(shop: Workshop, rim: Points, turn: Points, rows: int, offset: Points) -> Points:
    """(rows, N, 3) from the rim to the top, at (rows, N) offsets from the skin."""
    lowest = np.arctan2(rim - _SKULL[1], 0.098)
    t = np.linspace(0, 1, rows)[:, None]
    elevation = lowest + (np.pi / 2 - 1e-3 - lowest) * t
    ways = np.stack(
        [np.sin(turn) * np.cos(elevation), np.sin(elevation), np.cos(turn) * np.cos(elevation)], axis=-1
    )
    return reach(shop.space, _SKULL, ways, offset)


def _headwear(shop: Workshop, attributes: PersonAttributes, rng: np.random.Generator) -> list[Prop]:
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    if attributes.headwear == "beanie":
        rim = hat_rim("beanie", turn) + rng.normal(0, 0.004)
        t = np.linspace(0, 1, 14)[:, None]
        slouch = float(rng.uniform(0.0, 0.035))
        offset = 0.015 + slouch * smoothstep((t - 0.3) / 0.7) * np.ones(_AROUND)
        offset = offset + 0.005 * smoothstep((0.34 - t) / 0.02)
        return [sheet("hat", _dome(shop, rim, turn, 14, offset), cloth(rng, "knit"), tiles=(6.0, 2.0))]
    if attributes.headwear == "headband":
        return [_headband(shop, turn, rng)]
    if attributes.headwear == "headscarf":
        return _headscarf(shop, rng)
    rim = hat_rim(attributes.headwear, turn)
    t = np.linspace(0, 1, 12)[:, None]
    fabric = cloth(rng, "plain")
    if attributes.headwear == "cap":
        offset = 0.011 + 0.014 * np.sin(np.pi * np.clip(t * 0.8, 0, 1)) * (1 + 0.4 * np.cos(turn))
        crown = sheet("hat", _dome(shop, rim, turn, 12, offset), fabric, tiles=(4.0, 2.0))
        angle = np.linspace(-1.05, 1.05, 17)
        edge = _dome(shop, hat_rim("cap", angle), angle, 2, np.full((2, 17), 0.012))[0]
        out = np.linspace(0, 1, 6)[:, None]
        length = float(rng.uniform(0.058, 0.075)) * np.cos(angle / 1.05 * np.pi / 2) ** 0.6
        bill = edge[None] + np.stack(
            [
                0.10 * out * length * np.sin(angle),
                -out * (0.010 + 0.10 * length) - 0.016 * out * (np.abs(angle) / 1.05) ** 2,
                out * length,
            ],
            axis=-1,
        )
        return [joined("hat", [crown, sheet("hat", bill, fabric, closed=False)])]
    base = _dome(shop, rim, turn, 2, np.full((2, _AROUND), 0.013))[0]
    middle = base.mean(axis=0)
    tall = float(rng.uniform(0.085, 0.115))
    rows = []
    brim = float(rng.uniform(0.035, 0.075))
    for wide in (1.0, 0.6, 0.2):
        away = base - middle
        away[:, 1] = 0
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        ring = base + away * brim * wide
        ring[:, 1] += 0.012 * wide * np.cos(2 * turn + np.pi) - 0.004 * wide
        rows.append(ring)
    for up, size in (
        (0.0, 1.0),
        (0.25, 0.99),
        (0.6, 0.95),
        (0.9, 0.90),
        (1.0, 0.80),
        (0.98, 0.4),
        (0.96, 0.02),
    ):
        ring = middle + (base - middle) * size
        ring[:, 1] = base[:, 1] * (1 - up) + (middle[1] + tall) * up
        rows.append(ring)
    band = fabric.copy()
    band[int(0.50 * len(band)) : int(0.62 * len(band)), :, :3] = (band[..., :3].mean() * 0.5).astype(np.uint8)
    return [sheet("hat", np.stack(rows), band)]


def _headband(shop: Workshop, turn: Points, rng: np.random.Generator) -> Prop:
    low = hat_rim("beanie", turn)
    wide = float(rng.uniform(0.02, 0.04))
    rows = []
    for share, offset in ((0.0, 0.011), (0.08, 0.014), (0.92, 0.014), (1.0, 0.011)):
        rows.append(_dome(shop, low + wide * share, turn, 2, np.full((2, _AROUND), offset))[0])
    return sheet("hat", np.stack(rows), cloth(rng), tiles=(6.0, 1.0))


def _headscarf(shop: Workshop, rng: np.random.Generator) -> list[Prop]:
    """A hood about the face's opening, and a cape over neck and shoulders."""
    fabric = cloth(rng, str(rng.choice(["plain", "plain", "stripes"])))
    turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)  # about the face, 0 is up
    opening = np.radians(np.interp(np.cos(turn), [-1, -0.5, 0, 0.6, 1], [66, 54, 46, 38, 33]))
    t = np.linspace(0, 1, 16)[:, None]
    # Downward it ends in the neck, or its rays would run along the body.
    end = np.radians(np.interp(np.cos(turn), [-1, -0.6, -0.1, 1], [78, 95, 150, 179]))
    off = opening + (end - opening) * t
    ways = np.stack([np.sin(turn) * np.sin(off), np.cos(turn) * np.sin(off), np.cos(off)], axis=-1)
    folds = 0.002 * np.sin(turn * 9 + 3 * t)
    offset = 0.010 + 0.010 * smoothstep(t / 0.3) + folds
    hood = sheet("hat", reach(shop.space, _SKULL, ways, offset)[::-1], fabric, tiles=(3.0, 3.0))
    # Behind, the cape goes up under the hood.
    up = 0.13 * smoothstep((0.35 - np.cos(turn)) / 0.7)
    t = np.linspace(0, 1, 12)
    wobble = np.array([0.005 * np.sin(turn * 5 + rng.uniform(0, 6)) * (1 - s) + up * s**2 for s in t])
    heights = tuple(np.linspace(-0.235, -0.085, 12))
    offsets = tuple(np.interp(t, [0, 0.3, 0.7, 1], [0.020, 0.026, 0.020, 0.017]))
    cape = _around_neck(shop, "hat", heights, offsets, fabric, 0.45, wobble)
    return [joined("hat", [hood, cape])]


# Glasses.


def _glasses(shop: Workshop, attributes: PersonAttributes, rng: np.random.Generator) -> list[Prop]:
    kind = attributes.glasses
    model = shop.model
    poles = model.poles(model.mean)
    bridge = model.landmarks(model.mean)[168]
    frame_rgb = np.array(_FRAMES[rng.integers(len(_FRAMES))])
    if kind == "thin":
        frame_rgb = np.array(_FRAMES[rng.choice([0, 2, 3])])
    frame = plain(frame_rgb)
    radius = {"thin": 0.0009, "thick": 0.0022, "rimless": 0.0007, "sunglasses": 0.0018}[kind]
    half_w = float(rng.uniform(0.0235, 0.028)) + (0.002 if kind == "sunglasses" else 0.0)
    half_h = half_w * float(rng.uniform(0.62, 0.95))
    power = float(rng.uniform(2.0, 4.5))  # a superellipse: round to square
    turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power) * half_w
    up = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power) * half_h
    parts: list[Prop] = []
    lenses: list[Prop] = []
    before = max(float(poles[:, 2].max()) + 0.012, float(bridge[2]) - 0.004)
    inner_ends = []
    for side in (-1.0, 1.0):
        centre = np.array([side * 0.0325, -0.003, before])
        rim = centre + np.stack(
            [across, up, -0.14 * np.abs(across * side + 0.0) * 0.0 - 0.12 * across * side], axis=1
        )
        if kind != "rimless":
            parts.append(tube("glasses", rim, radius, frame, closed=True))
        tint = np.array([0.04, 0.04, 0.045]) if kind == "sunglasses" else np.array([0.75, 0.80, 0.82])
        alpha = float(rng.uniform(0.72, 0.92)) if kind == "sunglasses" else 0.10
        fan = np.stack([centre + (rim - centre) * s for s in (1.0, 0.5, 0.02)])
        lens = sheet("lenses", fan, plain(tint, alpha), see_through=True, roughness=0.05)
        lenses.append(lens)
        inner_ends.append(rim[np.argmin(rim[:, 0] * side)] + [0, 0.25 * half_h, 0])
        hinge = rim[np.argmax(rim[:, 0] * side)] + [0, 0.35 * half_h, -0.001]
        ear = np.array([side * 0.081, 0.004, -0.002])
        behind = np.array([side * 0.079, -0.022, -0.022])
        corner = np.array([side * 0.0775, hinge[1], hinge[2] - 0.012])
        course = np.concatenate(
            [
                np.linspace(hinge, corner, 4)[:-1],
                np.linspace(corner, ear, 8)[:-1],
                np.linspace(ear, behind, 4),
            ]
        )
        parts.append(tube("glasses", course, max(radius * 0.9, 0.0009), frame, closed=False))
    t = np.linspace(0, 1, 9)[:, None]
    arc = inner_ends[0] * (1 - t) + inner_ends[1] * t
    arc[:, 1] += 0.003 * np.sin(np.pi * t[:, 0])
    arc[:, 2] = np.maximum(arc[:, 2], bridge[2] + 0.0015) + 0.002 * np.sin(np.pi * t[:, 0])
    parts.append(tube("glasses", arc, radius, frame, closed=False))
    return [joined("glasses", parts), joined("lenses", lenses)]


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
