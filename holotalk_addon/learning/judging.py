# SPDX-License-Identifier: GPL-3.0-or-later
"""What a completion is worth: views of the completed head against true ones, of people nobody has trained on.

A photo goes in; the head that comes out is laid on the true one (its size and place are the fit's business,
not the completion's) and drawn from where the true cameras stood. Two regions are judged: all of the head,
and what the photo did not show of it. Hair, glasses and hats belong to the head; clothes do not, nor does the
end of the bust, where the head fades out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..face.photo import Photo, photo_from_pixels
from ..face.pose import CHIN
from ..head.camera import Camera
from ..head.colours import luminance
from ..head.completion import HeadTexture, SeenHead
from ..head.drawing import DrawnPerson, draw_person
from ..head.eyes import lash_alpha
from ..head.fill import padded
from ..head.head import Hair
from ..head.morphable_model import HeadModel, align_similarity
from ..head.template import template_colours
from ..head.view import View
from ..progress import Progress, silent
from .shards import HELD_OUT_FROM, REGION_LABELS, Arrays, TrainingData, open_data

REGIONS = ("head", "unseen", "paintable")
"""Head and hair; those of their pixels that the photo did not show; those of them which both the true and the
drawn head cover. Where but one of them is, no colour is right."""
MEASURES = ("SSIM", "PSNR", "L1")
VIEWS = ((-90.0, 90.0), (-60.0, 60.0), (180.0,))
"""The yaws of the views that are judged, in groups."""
YAWS = tuple(yaw for group in VIEWS for yaw in group)

_NO_HEAD = tuple(REGION_LABELS.index(name) for name in ("ground", "clothes"))
_SKIN = tuple(REGION_LABELS.index(name) for name in ("skin", "face", "ears", "neck"))
_SCALP = REGION_LABELS.index("scalp")
_SEEN = 0.5
_BELOW_CHIN_M = 0.02
_SPARSE = 4
"""Every fourth sample, about one a pixel, tells how far the drawn surface is off."""
_FEWEST = 20
"""Pixels that a region must have to be judged."""
TRUTH = (
    "person", "attributes", "photo", "photo_camera", "yaws", "colour", "depth", "depth_origin", "region",
    "camera", "rotation", "translation", "identity", "points468",
)  # fmt: skip
"""The arrays of a shard that make a :class:`TruePerson`."""


@dataclass(frozen=True)
class TruePerson:
    """Somebody of whom everything is known: a photo, and how they look from all sides. V views."""

    number: int
    attributes: dict[str, Any]
    """Who they are and how they are lit: plain values by name."""
    photo: NDArray[np.uint8]
    """(S, S, 3) sRGB."""
    photo_focal: float
    """Pixels."""
    views: tuple[View, ...]
    """V of them, in the order that was asked for."""
    colour: NDArray[np.float32]
    """(V, S, S, 3) 0..1: the head on black, without clothes."""
    head: NDArray[np.bool_]
    """(V, S, S) what shows the head."""
    clothes: NDArray[np.bool_]
    """(V, S, S) what shows clothes."""
    skin: NDArray[np.bool_]
    """(V, S, S) what shows bare skin: of the scalp a bald person's alone, for others' has hair's colour."""
    depth: NDArray[np.float32]
    """(V, S, S) metres from the camera, along its axis, to what shows; +inf where nothing does."""
    identity: NDArray[np.float32]
    """(K,) the head model's code of the head at rest."""
    points468: NDArray[np.float64]
    """(468, 3) metres, head axes: the points of the face mesh."""

    def taken(self) -> Photo:
        """The photo as the pipeline takes it, with the camera's true focal length."""
        return photo_from_pixels(self.photo, self.photo_focal)

    def lowest(self) -> NDArray[np.float64]:
        """(3,) metres, head axes: head and hair are measured above this place, a little below the chin."""
        return np.asarray(self.points468[CHIN] - [0.0, _BELOW_CHIN_M, 0.0])

    def surface(self, v: int) -> NDArray[np.float64]:
        """(N, 3) metres, head axes: the places of the head that a view shows, one a pixel of ``head``."""
        view = self.views[v]
        row, column = np.nonzero(self.head[v])
        centres = np.stack([column + 0.5, row + 0.5], axis=1)
        at = view.camera.unproject(centres, self.depth[v, row, column])
        return np.asarray((at - view.translation) @ view.rotation)


def held_out_data(folder: Path, people: int, yaws: Sequence[float] = YAWS) -> TrainingData:
    """The held-out people in a folder, at least so many, seen from these yaws.

    Raises:
        OptionError: the folder holds something else, or is not finished.
    """
    data = open_data(folder, "full")
    card = data.card
    held_out = card.first_person >= HELD_OUT_FROM
    if card.samples < people or not held_out or not set(card.yaws).issuperset(yaws):
        sides = ", ".join(f"{yaw:g}" for yaw in yaws)
        raise OptionError(
            f"{folder} has not {people} held-out people from {sides} degrees: choose another folder."
        )
    return data


def true_people(data: TrainingData, yaws: Sequence[float] = YAWS) -> Iterator[TruePerson]:
    """Everybody in a folder of the preset ``full``, seen from these yaws.

    Raises:
        OptionError: a shard is damaged, or has not all that is needed.
        ValueError: there are not these views.
    """
    for arrays in data.shards(TRUTH):
        yield from people_of(arrays, yaws)


def people_of(arrays: Arrays, yaws: Sequence[float] = YAWS) -> Iterator[TruePerson]:
    """The people in the arrays named :data:`TRUTH` of one shard.

    Raises:
        ValueError: there are not these views.
    """
    for i in range(len(arrays["person"])):
        yield _true_person({name: array[i] for name, array in arrays.items()}, yaws)


def _true_person(row: dict[str, NDArray[Any]], yaws: Sequence[float]) -> TruePerson:
    there = [float(yaw) for yaw in row["yaws"]]
    chosen = [there.index(yaw) for yaw in yaws]
    size = row["colour"].shape[1]
    views = tuple(
        View(
            size,
            Camera(*(float(v) for v in row["camera"][k])),
            row["rotation"][k].astype(np.float64),
            row["translation"][k].astype(np.float64),
        )
        for k in chosen
    )
    attributes = json.loads(bytes(row["attributes"]).decode())
    rgba = row["colour"][chosen].astype(np.float32) / np.float32(255.0)
    head = ~np.isin(row["region"][chosen], _NO_HEAD)
    clothes = row["region"][chosen] == REGION_LABELS.index("clothes")
    bare = (*_SKIN, _SCALP) if attributes.get("hair_style") == "bald" else _SKIN
    colour = rgba[..., :3] * rgba[..., 3:] * ~clothes[..., None]
    focal = float(row["photo_camera"][0])
    points = row["points468"].astype(np.float64)
    depth = row["depth"][chosen].astype(np.float32) + row["depth_origin"][chosen, None, None]
    return TruePerson(
        number=int(row["person"]),
        attributes=attributes,
        photo=row["photo"],
        photo_focal=focal,
        views=views,
        colour=colour,
        head=head,
        clothes=clothes,
        skin=np.isin(row["region"][chosen], bare),
        depth=depth,
        identity=row["identity"],
        points468=points,
    )


@dataclass(frozen=True)
class Views:
    """A fitted head as the true cameras see it. V views."""

    drawn: tuple[DrawnPerson, ...]
    judged: NDArray[np.bool_]
    """(V, S, S) either head or its hair covers the pixel, and neither clothes nor the fading end of the bust
    do."""
    unseen: NDArray[np.bool_]
    """(V, S, S) those of them that the photo did not show."""
    ends: NDArray[np.bool_]
    """(V, S, S) where the bust fades out."""


def lay_on(person: TruePerson, seen_head: SeenHead) -> Views:
    """Lay the head that was made of ``person.photo``, with its hair, on the true one, by the similarity
    between their 468 points, and find what each view shows of them.
    """
    head, hair = laid(person, seen_head), laid_hair(person, seen_head)
    drawn = tuple(draw_person(seen_head.model, head, hair, view) for view in person.views)
    ends = np.stack([one.ends() for one in drawn])
    cover = np.stack([one.cover() for one in drawn])
    judged = (person.head | (cover > 0.5)) & ~person.clothes & ~ends
    hair_seen = None if seen_head.hair is None else seen_head.hair.seen
    seen = np.stack([one.seen(seen_head.baked.seen, hair_seen) for one in drawn]) > _SEEN
    return Views(drawn, judged, judged & ~seen, ends)


def laid(
    person: TruePerson, seen_head: SeenHead, points: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """(N, 3) points of a fitted head, or its own posed vertices, laid on the true one by the similarity
    between their 468 points.
    """
    posed = seen_head.fit.posed(seen_head.model)
    return align_similarity(
        seen_head.model.landmarks(posed), person.points468, posed if points is None else points
    )


def laid_hair(person: TruePerson, seen_head: SeenHead) -> Hair | None:
    """The hair of a fitted head, moved with it as :func:`laid` moves the head; None where there is none."""
    hair = seen_head.grown
    if hair is None:
        return None
    return replace(hair, vertices=laid(person, seen_head, hair.vertices).astype(np.float32))


def face_miss(model: HeadModel, shape: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean distance in mm of the face's vertices from the true ones, laid on them by a similarity.

    Args:
        model: the morphable model.
        shape: (V, 3) metres, a head at rest.
        truth: (V, 3) metres, the true one.
    """
    face = model.region("face") > 0.5
    moved = align_similarity(shape[face], truth[face])
    return float(1000 * np.linalg.norm(moved - truth[face], axis=1).mean())


def surface_miss(
    person: TruePerson, surfaces: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """(V,) mm between a drawn head and the true one, with all that they wear on it, as far as each view shows
    them: the mean distance of the drawn places from the nearest true one, and of the true places from the
    nearest drawn one, averaged.

    The nearest place may be one that another view shows. Places under a little below the chin, and drawn ones
    behind true clothes, are not counted. True places are a pixel apart (1.7 mm at 192 pixels): no surface is
    nearer than a third of that, not even the true one.

    Args:
        person: the truth.
        surfaces: for each view, what :func:`..head.drawing.surface` tells of the head laid on the true one.
    """
    from scipy.spatial import cKDTree

    true = [person.surface(v) for v in range(len(person.views))]
    to_true = cKDTree(np.concatenate(true))
    to_drawn = cKDTree(np.concatenate([places for _, places in surfaces]))
    low = person.lowest()[1]
    result = np.full(len(person.views), np.nan)
    for v, (pixel, places) in enumerate(surfaces):
        counted = (places[:, 1] > low) & ~person.clothes[v].ravel()[pixel]
        off, _ = to_true.query(places[counted][::_SPARSE])
        missed, _ = to_drawn.query(true[v][true[v][:, 1] > low])
        result[v] = 1000 * (off.mean() + missed.mean()) / 2
    return result


def completed(views: Views, texture: HeadTexture) -> NDArray[np.float32]:
    """(V, S, S, 3) 0..1: a completed head as the true cameras see it, on black; with hair if it has any."""
    return np.stack([drawn.picture(texture) for drawn in views.drawn])


def scores(person: TruePerson, views: Views, pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """(V, 3, 3) the :data:`MEASURES` of (V, S, S, 3) pictures in the :data:`REGIONS`; NaN where a region
    has next to no pixels.
    """
    result = np.full((len(person.views), len(REGIONS), len(MEASURES)), np.nan)
    for v, (truth, picture) in enumerate(zip(person.colour, pictures, strict=True)):
        shown = picture * ~person.clothes[v][..., None]
        both = views.unseen[v] & person.head[v] & (views.drawn[v].cover() > 0.5)
        for r, region in enumerate((views.judged[v], views.unseen[v], both)):
            result[v, r] = compared(truth, shown, region)
    return result


def skin_light(person: TruePerson, views: Views, pictures: NDArray[np.float32]) -> NDArray[np.float64]:
    """(V,) how much lighter (V, S, S, 3) pictures show the skin that the photo did not than it is: the mean
    difference of luminance, 0..1, below 0 where it is too dark; NaN where next to none is bare in both.
    """
    result = np.full(len(person.views), np.nan)
    for v, (truth, picture) in enumerate(zip(person.colour, pictures, strict=True)):
        drawn = views.drawn[v]
        both = views.unseen[v] & person.skin[v] & (drawn.head.cover() > 0.5) & (drawn.hair_cover() < 0.5)
        if both.sum() >= _FEWEST:
            result[v] = float((luminance(picture) - luminance(truth))[both].mean())
    return result


def compared(
    truth: NDArray[np.floating], picture: NDArray[np.floating], region: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(3,) SSIM, PSNR in dB and mean absolute error (0..1) of an (H, W, C) picture within an (H, W) region.

    SSIM is that of Wang et al. 2004 (Gaussian windows, sigma 1.5), averaged over the pixels of the region;
    NaN where it has next to none.
    """
    from skimage.metrics import structural_similarity

    if region.sum() < _FEWEST:
        return np.full(3, np.nan)
    _, each = structural_similarity(
        truth,
        picture,
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    difference = (truth - picture)[region].astype(np.float64)
    psnr = -10.0 * np.log10(max(float((difference**2).mean()), 1e-10))
    return np.array([float(each[region].mean()), psnr, float(np.abs(difference).mean())])


def template_copy(seen_head: SeenHead, progress: Progress = silent) -> HeadTexture:
    """The least that can be done: what the photo does not show is the template person's, as it is."""
    layout = seen_head.layout
    plain = layout.draw(seen_head.model, template_colours(seen_head.model))
    seen = seen_head.baked.seen[..., None]
    rgb = plain + (seen_head.baked.colour - plain) * seen
    rgb = padded(rgb, layout.picture(np.ones(len(layout.texel), dtype=np.float32)) > 0)
    rgba = np.concatenate([np.clip(rgb, 0, 1), lash_alpha(seen_head)[..., None]], axis=2)
    progress(1.0)
    return HeadTexture((rgba * 255.0 + 0.5).astype(np.uint8), seen_head.baked.seen, seen_head.grown)
