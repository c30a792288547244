# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data of plainly painted random heads, drawn without Blender: stands in for rendered people."""

import hashlib
import json

import cv2
import numpy as np

from holotalk_addon.face import landmarks68_from_mesh
from holotalk_addon.face.parsing import CLASSES
from holotalk_addon.head.colours import luminance
from holotalk_addon.head.drawing import draw_head
from holotalk_addon.head.template import template_colours
from holotalk_addon.head.view import level_view
from holotalk_addon.learning import shards
from holotalk_addon.learning.parsing_people import ParsingPeople


def _shape_and_paint(model, number):
    """(K,) identity, (V, 3) vertices, which have no expression, and (V, 3) lit colours of a person."""
    rng = np.random.default_rng((7, number))
    identity = rng.normal(0, 1, len(model.identity_basis))
    posed = model.vertices(identity)
    skin, hair = rng.uniform(0.45, 1.2), rng.uniform(0.3, 2.5)
    scalp = model.region("scalp")[:, None]
    colours = np.clip(template_colours(model) * (skin * (1 - scalp) + hair * scalp), 0, 1)
    light = rng.normal([0.0, 0.4, 1.0], 0.4)
    # The light stands with the head.
    shade = 0.4 + 0.6 * np.clip(model.normals(posed) @ (light / np.linalg.norm(light)), 0, 1)
    return identity, posed, colours * (shade * model.fade)[:, None]


def made_up_person(model, number):
    """A function of the yaw: the (64, 64) grey snapshots of person ``number``."""
    _, posed, colours = _shape_and_paint(model, number)

    def snapshot(yaw):
        drawn = draw_head(model, posed, level_view(yaw, shards.SNAPSHOT_SIDE))
        return (np.clip(luminance(drawn.field(model, colours)), 0, 1) * 255 + 0.5).astype(np.uint8)

    return snapshot


FULL_SIZE = 160
FULL_YAWS = (-90.0, -60.0, -45.0, -30.0, 0.0, 30.0, 45.0, 60.0, 90.0, 180.0)


def write_made_up_truth(model, folder, people, size=FULL_SIZE):
    """Fill a folder with as much of the preset ``full`` as judging needs: these people in one shard."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_true_row(model, person, size) for person in people]
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    arrays["index"] = np.arange(len(rows), dtype=np.int64)
    path = folder / shards.shard_name(0)
    shards.write_arrays(path, arrays)
    entry = shards.ShardEntry(path.name, 0, len(rows), hashlib.sha256(path.read_bytes()).hexdigest())
    card = shards.Card("full", 7, size, FULL_YAWS, people[0], len(rows), (entry,), True)
    shards.write_card(folder, card)
    return folder


def made_up_attributes(number):
    """What is told of person ``number``: their hair is paint."""
    return {"age": number % 90, "hat": "none", "headwear": "none", "hair_style": "painted"}


def _true_row(model, number, size):
    identity, posed, colours = _shape_and_paint(model, number)
    views = [level_view(yaw, size) for yaw in FULL_YAWS]
    drawn = [draw_head(model, posed, view) for view in views]
    pictures = [d.field(model, colours) for d in drawn]
    covers = [d.cover() for d in drawn]
    points = model.landmarks(posed)
    depths = [
        np.where(c > 0, d.field(model, -v.to_camera(posed)[:, 2:])[..., 0] / np.maximum(c, 0.1), np.inf)
        for d, c, v in zip(drawn, covers, views, strict=True)
    ]
    origins = np.array([-v.translation[2] for v in views], np.float32)
    face = shards.REGION_LABELS.index("face")
    photo = draw_head(model, posed, level_view(0.0, 2 * size))
    ground = 0.4 * (1 - photo.cover()[..., None])

    def byte(picture):
        return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)

    return {
        "person": np.int64(number),
        "attributes": np.array(json.dumps(made_up_attributes(number)).encode(), dtype="S200"),
        "photo": byte(photo.field(model, colours) + ground),
        "photo_camera": np.array([level_view(0.0, 2 * size).camera.focal, size, size], np.float32),
        "yaws": np.array(FULL_YAWS, np.float32),
        "colour": np.stack([byte(np.dstack([p, c])) for p, c in zip(pictures, covers, strict=True)]),
        "depth": (np.stack(depths) - origins[:, None, None]).astype(np.float16),
        "depth_origin": origins,
        "identity": identity.astype(np.float32),
        "region": np.stack([np.where(c > 0.5, face, 0).astype(np.uint8) for c in covers]),
        "camera": np.array(
            [[v.camera.focal, v.camera.centre_x, v.camera.centre_y] for v in views], np.float32
        ),
        "rotation": np.stack([v.rotation for v in views]).astype(np.float32),
        "translation": np.stack([v.translation for v in views]).astype(np.float32),
        "landmarks68": np.stack([landmarks68_from_mesh(v.project(points)) for v in views]).astype(np.float32),
        "points468": points.astype(np.float32),
    }


def write_made_up_data(model, folder, people, yaws=shards.SNAPSHOT_YAWS, per_shard=64):
    """Fill a folder with the preset ``holotalk``: one sample for each of these people and yaws."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(person, yaw) for person in people for yaw in yaws]
    entries = []
    for start in range(0, len(rows), per_shard):
        part = rows[start : start + per_shard]
        known = {person: made_up_person(model, person) for person, _ in part}
        pictures = [known[person] for person, _ in part]
        arrays = {
            "index": np.arange(start, start + len(part), dtype=np.int64),
            "person": np.array([person for person, _ in part], dtype=np.int64),
            "attributes": np.array([json.dumps({"age": person % 90}).encode() for person, _ in part]),
            "yaw": np.array([yaw for _, yaw in part], dtype=np.int16),
            "front": np.stack([p(yaw) for p, (_, yaw) in zip(pictures, part, strict=True)]),
            "side": np.stack([p(yaw - 90) for p, (_, yaw) in zip(pictures, part, strict=True)]),
        }
        path = folder / shards.shard_name(len(entries))
        shards.write_arrays(path, arrays)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(shards.ShardEntry(path.name, start, len(part), sha256))
    card = shards.Card(
        "holotalk",
        7,
        shards.SNAPSHOT_SIDE,
        tuple(map(float, yaws)),
        people[0],
        len(rows),
        tuple(entries),
        True,
    )
    shards.write_card(folder, card)
    return folder


SKIN_COLOUR, HAIR_COLOUR, CLOTHES_COLOUR = (220, 170, 140), (60, 35, 20), (30, 60, 200)


def made_up_people(numbers, size=192):
    """People for the parsing network: a face, a cap of hair behind it and a bust, each in one colour; the
    grounds are plain."""
    drawn = [_drawn_photo(number, size) for number in numbers]
    names = np.array([0, *(CLASSES.index(name) for name in ("skin", "hair", "clothes"))], dtype=np.uint8)
    grounds = [np.full((64, 64, 3), grey, dtype=np.uint8) for grey in (40, 128, 230)]
    return ParsingPeople(
        np.array(list(numbers), dtype=np.int64),
        [colour for colour, _, _ in drawn],
        [names[what] for _, what, _ in drawn],
        np.stack([points for _, _, points in drawn]),
        grounds,
    )


def _drawn_photo(number, size):
    """(S, S, 4) sRGB and alpha, (S, S) 0 ground, 1 face, 2 hair, 3 clothes, (468, 2) points in the face."""
    rng = np.random.default_rng((9, number))
    middle, tall = np.array([0.5, 0.45]) * size, size * rng.uniform(0.15, 0.19)
    what = np.zeros((size, size), dtype=np.uint8)
    x, y = (int(v) for v in middle)
    cv2.ellipse(what, (x, size), (int(0.36 * size), int(0.3 * size)), 0, 0, 360, 3, -1)
    cv2.ellipse(what, (x, y - int(0.35 * tall)), (int(1.1 * tall), int(1.2 * tall)), 0, 180, 360, 2, -1)
    cv2.ellipse(what, (x, y), (int(0.85 * tall), int(1.15 * tall)), 0, 0, 360, 1, -1)
    palette = np.array([(0, 0, 0), SKIN_COLOUR, HAIR_COLOUR, CLOTHES_COLOUR], dtype=np.uint8)
    alpha = np.where(what > 0, 255, 0).astype(np.uint8)[..., None]
    turn = 2 * np.pi * np.arange(468) / 468 - np.pi / 2
    radius = np.sqrt((np.arange(468) % 4 + 1) / 4)
    points = middle + tall * np.column_stack([0.8 * radius * np.cos(turn), 1.1 * radius * np.sin(turn)])
    # The first two are brow and chin, one above the other while they are upright.
    points[:2] = middle + 1.1 * tall * np.array([[0.0, -1.0], [0.0, 1.0]])
    return np.concatenate([palette[what], alpha], axis=2), what, points.astype(np.float32)


def write_made_up_photos(folder, people, size=96):
    """Fill a folder with the photos alone of the preset ``full``: number -> (hair style, collar)."""
    names = np.array([shards.REGION_LABELS.index(name) for name in ("ground", "face", "scalp", "clothes")])
    drawn = [_drawn_photo(number, size) for number in people]
    arrays = {
        "index": np.arange(len(people), dtype=np.int64),
        "person": np.array(list(people), dtype=np.int64),
        "attributes": np.array(
            [
                json.dumps({"hair_style": style, "collar": collar}).encode()
                for style, collar in people.values()
            ]
        ),
        "photo_colour": np.stack([colour for colour, _, _ in drawn]),
        "photo_region": np.stack([names[what].astype(np.uint8) for _, what, _ in drawn]),
        "photo_landmarks468": np.stack([points for _, _, points in drawn]),
    }
    path = folder / shards.shard_name(0)
    shards.write_arrays(path, arrays)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = shards.ShardEntry(path.name, 0, len(people), sha256)
    shards.write_card(folder, shards.Card("full", 7, size, (), 0, len(people), (entry,), True))
