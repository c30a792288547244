# SPDX-License-Identifier: GPL-3.0-or-later
"""A made-up, lettered head for tests of the hologram and the scene: no photo, no assets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from holotalk_addon.head.head import Hair, Head

# fmt: off
ARKIT_NAMES = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)
# fmt: on

# (centre of the left eye, radius); the right eye is its mirror image.
EYE, EYE_RADIUS = np.array([0.032, 0.0, 0.078]), 0.014
SKIN_V = 0.2  # the texture below this height belongs to eyes, lashes, teeth and tongue


def stand_in_head(columns: int = 48, rows: int = 40, texture_size: int = 1024) -> Head:
    """An egg with a nose, eyes, lashes, teeth, tongue and a fading neck; letters F, L, B, R on its sides."""
    builder = _Builder()
    _add_skin(builder, columns, rows)
    for sign in (1.0, -1.0):
        _add_ball(builder, EYE * [sign, 1, 1], EYE_RADIUS, part=1, box=(0.02, 0.02, 0.14, 0.14))
        x = EYE[0] * sign
        corners = np.array([[x - 0.015, 0.012, 0.095], [x + 0.015, 0.012, 0.095],
                            [x + 0.015, 0.017, 0.1], [x - 0.015, 0.017, 0.1]])  # fmt: skip
        builder.add(corners, [[0, 1, 2, 3]], [_box(0.22, 0.02, 0.34, 0.14)], 2)
    corners = np.array([[-0.018, -0.068, 0.082], [0.018, -0.068, 0.082],
                        [0.018, -0.06, 0.084], [-0.018, -0.06, 0.084]])  # fmt: skip
    builder.add(corners, [[0, 1, 2, 3]], [_box(0.42, 0.02, 0.54, 0.14)], 3)
    corners = np.array([[-0.01, -0.072, 0.08], [0.01, -0.072, 0.08], [0.0, -0.067, 0.083]])
    triangle = [(0.62, 0.02), (0.74, 0.02), (0.68, 0.14), (0.0, 0.0)]
    builder.add(corners, [[0, 1, 2, -1]], [triangle], 4)

    vertices = np.concatenate(builder.vertices).astype(np.float32)
    parts = np.concatenate(builder.parts).astype(np.uint8)
    eye_of = np.concatenate(builder.eye_of)
    expression = np.zeros(52, dtype=np.float32)
    for name, strength in (("jawOpen", 0.25), ("mouthSmileLeft", 0.5), ("eyeLookInLeft", 0.2)):
        expression[ARKIT_NAMES.index(name)] = strength
    fade = np.clip((vertices[:, 1] + 0.175) / 0.05, 0.0, 1.0).astype(np.float32)
    return Head(
        vertices=vertices,
        polygons=np.concatenate(builder.polygons).astype(np.int32),
        uvs=np.concatenate(builder.uvs).astype(np.float32),
        polygon_parts=parts,
        expression_names=ARKIT_NAMES,
        expression_deltas=_deltas(vertices, eye_of),
        expression=expression,
        fade=fade,
        texture=_texture(texture_size),
    )


HAIR_GAP = 0.02
RIGHT_HAIR, LEFT_HAIR = (200, 40, 160), (40, 180, 200)
"""The colours of the hair on the two sides of the person."""


def stand_in_hair(head: Head, gap: float = HAIR_GAP) -> Hair:
    """A shell ``gap`` metres outside the scalp, of one colour on each side, with a soft rim; its lowest row
    at the back of the neck is dark."""
    centre = head.vertices[np.maximum(head.polygons, 0)].mean(axis=1)
    scalp = (centre[:, 1] > 0.05) | ((centre[:, 2] < -0.02) & (centre[:, 1] > -0.06))
    polygons = head.polygons[scalp & (head.polygon_parts == 0)]
    uvs = head.uvs[scalp & (head.polygon_parts == 0)].copy()
    used, numbers = np.unique(polygons, return_inverse=True)
    used = used[1:]  # without the -1 of the triangles on the crown
    polygons = numbers.reshape(polygons.shape) - 1
    skin = head.polygons[head.polygon_parts == 0]
    outside = np.isin(used, skin[~scalp[head.polygon_parts == 0]])
    rim = outside[np.maximum(polygons, 0)] & (polygons >= 0)
    soft = rim.any(axis=1)
    uvs[..., 1] = np.where(soft[:, None], np.where(rim, 0.02, 0.45), 0.75)
    uvs[polygons < 0] = 0.0
    away = head.vertices[used] - (0.0, -0.01, -0.008)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    texture = np.full((64, 64, 4), 255, dtype=np.uint8)
    texture[:, :32, :3], texture[:, 32:, :3] = RIGHT_HAIR, LEFT_HAIR
    height = (63.5 - np.arange(64)) / 64
    texture[..., 3] = np.round(255 * np.clip((height - 0.02) / 0.4, 0.0, 1.0))[:, None]
    vertices = (head.vertices[used] + gap * away).astype(np.float32)
    return Hair(
        vertices=vertices,
        polygons=polygons.astype(np.int32),
        uvs=uvs.astype(np.float32),
        soft=soft,
        fade=np.clip((vertices[:, 1] + 0.056) / 0.01, 0.0, 1.0).astype(np.float32),
        texture=texture,
    )


def stand_in_with_hair(gap: float = HAIR_GAP) -> Head:
    """:func:`stand_in_head` with :func:`stand_in_hair`."""
    head = stand_in_head()
    return replace(head, hair=stand_in_hair(head, gap))


class _Builder:
    def __init__(self):
        self.vertices, self.polygons, self.uvs, self.parts, self.eye_of = [], [], [], [], []
        self.count = 0

    def add(self, vertices, polygons, uvs, part, eye=0):
        polygons = np.asarray(polygons)
        self.vertices.append(np.asarray(vertices, dtype=np.float64))
        self.polygons.append(np.where(polygons >= 0, polygons + self.count, -1))
        self.uvs.append(np.asarray(uvs, dtype=np.float64))
        self.parts.append(np.full(len(polygons), part))
        self.eye_of.append(np.full(len(vertices), eye))
        self.count += len(vertices)


def _box(u0, v0, u1, v1):
    return [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]


def _add_skin(builder, columns, rows):
    """A surface of revolution with elliptic rings from the crown down the neck, longitude 0 in front."""
    height = np.linspace(0.112, -0.185, rows)
    egg = np.sqrt(np.clip(1.0 - ((height + 0.01) / 0.123) ** 2, 0.0, None))
    neck = np.where(height < -0.02, 0.62 + 0.1 * np.clip((-0.12 - height) / 0.065, 0, 1), 0.0)
    size = np.maximum(egg, neck * np.clip((-height - 0.02) / 0.03, 0, 1))
    longitude = 2.0 * np.pi * np.arange(columns) / columns - np.pi
    x = 0.078 * size[:, None] * np.sin(longitude)
    z = 0.1 * size[:, None] * np.cos(longitude) - 0.008
    nose_height = np.clip(1 - np.abs(height + 0.025) / 0.03, 0, 1)
    nose = np.exp(-((longitude / 0.2) ** 2))[None, :] * nose_height[:, None]
    z = z + 0.028 * nose
    ears = (
        np.exp(-(((np.abs(longitude) - 1.6) / 0.15) ** 2))[None, :]
        * (np.clip(1 - np.abs(height) / 0.03, 0, 1)[:, None])
    )
    x = x + 0.014 * ears * np.sign(x)
    y = np.broadcast_to(height[:, None], x.shape)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    polygons, uvs = [], []
    v = SKIN_V + (1 - SKIN_V) * (height - height[-1]) / (height[0] - height[-1])
    for r in range(rows - 1):
        for c in range(columns):
            n = (c + 1) % columns
            polygons.append([(r + 1) * columns + c, (r + 1) * columns + n, r * columns + n, r * columns + c])
            uvs.append(_box(c / columns, v[r + 1], (c + 1) / columns, v[r]))
    # Close the crown with a fan of triangles.
    top = len(vertices)
    vertices = np.concatenate([vertices, [[0.0, 0.1135, -0.008]]])
    for c in range(columns):
        polygons.append([c, (c + 1) % columns, top, -1])
        uvs.append([(c / columns, 0.995), ((c + 1) / columns, 0.995), ((c + 0.5) / columns, 1.0), (0, 0)])
    builder.add(vertices, polygons, uvs, 0)


def _add_ball(builder, centre, radius, *, part, box, columns=12, rows=8):
    """A ball whose pole looks forward; the texture's ``box`` wraps round it from the pole outward."""
    polar = np.linspace(0.0, np.pi, rows + 1)[1:-1]
    around = 2 * np.pi * np.arange(columns) / columns
    x = np.sin(polar)[:, None] * np.cos(around)
    y = np.sin(polar)[:, None] * np.sin(around)
    z = np.broadcast_to(np.cos(polar)[:, None], x.shape)
    ring = np.stack([x, y, z], -1).reshape(-1, 3)
    vertices = centre + radius * np.concatenate([ring, [[0, 0, 1.0], [0, 0, -1.0]]])
    front, back = len(ring), len(ring) + 1
    u0, v0, u1, v1 = box

    def uv(distance, angle):  # an azimuthal map: the iris is a disc in the middle of the box
        return (
            (u0 + u1) / 2 + (u1 - u0) / 2 * distance * np.cos(angle),
            (v0 + v1) / 2 + (v1 - v0) / 2 * distance * np.sin(angle),
        )

    polygons, uvs, step = [], [], 2 * np.pi / columns
    distance = polar / np.pi
    for c in range(columns):
        n, a, b = (c + 1) % columns, c * step, (c + 1) * step
        polygons.append([front, c, n, -1])
        uvs.append([uv(0, a), uv(distance[0], a), uv(distance[0], b), (0, 0)])
        for r in range(rows - 2):
            polygons.append([r * columns + c, (r + 1) * columns + c, (r + 1) * columns + n, r * columns + n])
            d0, d1 = distance[r : r + 2]
            uvs.append([uv(d0, a), uv(d1, a), uv(d1, b), uv(d0, b)])
        last = (rows - 2) * columns
        polygons.append([back, last + n, last + c, -1])
        uvs.append([uv(1, a), uv(distance[-1], b), uv(distance[-1], a), (0, 0)])
    builder.add(vertices, polygons, uvs, part, eye=1 if centre[0] > 0 else 2)


def _deltas(vertices, eye_of):
    deltas = np.zeros((52, len(vertices), 3), dtype=np.float32)
    x, y, z = vertices.T

    def bump(px, py, radius):
        near = np.exp(-(((x - px) ** 2 + (y - py) ** 2) / radius**2))
        return near * np.clip(z / 0.05, 0.0, 1.0)

    for k, name in enumerate(ARKIT_NAMES):
        side = 1.0 if name.endswith("Left") else -1.0 if name.endswith("Right") else 0.0
        if name.startswith("eyeLook"):
            eye = 1 if side > 0 else 2
            centre = EYE * [side, 1, 1]
            direction = name[7:].removesuffix("Left").removesuffix("Right")
            inward = -side
            axis, angle = {
                "Up": ("x", -25), "Down": ("x", 25), "In": ("y", 25 * inward), "Out": ("y", -25 * inward),
            }[direction]  # fmt: skip
            moved = (vertices - centre) @ _turn(axis, angle).T + centre
            deltas[k] = np.where((eye_of == eye)[:, None], moved - vertices, 0.0)
            continue
        skin = (eye_of == 0).astype(np.float64)
        if name == "jawOpen":
            low = np.clip((-0.055 - y) / 0.03, 0, 1) * np.clip((y + 0.17) / 0.05, 0, 1)
            deltas[k, :, 1] = -0.02 * low * np.clip(z / 0.05, 0, 1)
        elif name.startswith(("eye", "brow", "cheek", "nose")):
            height = {"eye": 0.012, "bro": 0.03, "che": -0.03, "nos": -0.02}[name[:3]]
            deltas[k, :, 1] = 0.004 * skin * bump(0.032 * side, height, 0.015) * (-1) ** k
        else:
            deltas[k, :, 2] = 0.004 * skin * bump(0.02 * side, -0.068, 0.02)
            deltas[k, :, 0] = 0.004 * skin * bump(0.02 * side, -0.068, 0.02) * side
    return deltas


def _turn(axis, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _blotched(picture, rows):
    """Freckle the skin at random, so that no part of it looks like another or like its mirror image."""
    rng = np.random.default_rng(7)
    spots = Image.fromarray(rng.integers(0, 256, (40, 48), dtype=np.uint8))
    spots = np.asarray(spots.resize(picture.size, Image.Resampling.BICUBIC), dtype=np.float64)
    pixels = np.asarray(picture, dtype=np.float64).copy()
    pixels[:rows, :, :3] += (spots[:rows, :, None] - 128.0) * 0.3
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def _texture(size):
    """Skin above ``SKIN_V``: u 0.5 front, 0.75 the person's left, 0 back, 0.25 right. Letters are
    drawn as seen from outside, with a patch beside them that no mirror image or turn matches."""
    picture = Image.new("RGBA", (size, size), (196, 150, 122, 255))
    draw = ImageDraw.Draw(picture)
    skin = int(size * (1 - SKIN_V))
    quarter = size // 4
    colours = {"F": (196, 150, 122), "L": (120, 160, 205), "B": (112, 84, 62), "R": (150, 190, 120)}
    for letter, u in (("F", 0.5), ("L", 0.75), ("B", 0.0), ("R", 0.25)):
        tile = Image.new("RGBA", (quarter, skin), (*colours[letter], 255))
        pen = ImageDraw.Draw(tile)
        font = ImageFont.load_default(quarter * 0.8)
        glyph = Image.new("RGBA", (quarter, quarter), (0, 0, 0, 0))
        ImageDraw.Draw(glyph).text((quarter / 2, quarter / 2), letter, (20, 20, 40, 255), font, anchor="mm")
        glyph = glyph.resize((quarter, int(quarter * 1.4)))
        tile.alpha_composite(glyph, (0, int(skin * 0.3)))
        pen.rectangle((quarter * 0.6, skin * 0.18, quarter * 0.9, skin * 0.26), fill=(250, 240, 90, 255))
        pen.rectangle((quarter * 0.1, skin * 0.7, quarter * 0.35, skin * 0.8), fill=(230, 60, 60, 255))
        left = int((u - 0.125) * size)
        picture.paste(tile, (left % size, 0))
        if left < 0:  # the back wraps round the seam
            picture.paste(tile, (left, 0))

    picture = _blotched(picture, skin)
    draw = ImageDraw.Draw(picture)

    def disc(u, v, radius, colour):
        x, y = u * size, (1 - v) * size
        r = radius * size
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    draw.rectangle((0, skin, size, size), fill=(240, 238, 232, 255))
    disc(0.08, 0.08, 0.018, (40, 90, 150, 255))
    disc(0.08, 0.08, 0.008, (5, 5, 5, 255))
    draw.rectangle((int(0.2 * size), skin, int(0.36 * size), size), fill=(20, 15, 10, 128))
    draw.rectangle((int(0.6 * size), skin, int(0.76 * size), size), fill=(190, 80, 90, 255))
    return np.asarray(picture, dtype=np.uint8)
