# SPDX-License-Identifier: GPL-3.0-or-later
"""Real faces for the tests, each found and parsed once a run: the demo portrait, the portraits of
HOLOTALK_PHOTOS and the photos that went wrong beside them."""

import functools
import os
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from holotalk_addon import assets
from holotalk_addon.face import Face, FaceModels, Photo, find_faces, photo_from_pixels, read_photo
from holotalk_addon.face.parsing import Parsing, ParsingNetwork
from holotalk_addon.networks import find_network

PORTRAITS = (
    "carell.jpg",
    "connelly.jpg",
    "lawrence.jpg",
    "justin.png",
    "sample_2.jpg",
    "sample_3.jpg",
    "sample_4.jpg",
    "takeo.ppm",
    *(f"stock-emotions-a-{k}.jpg" for k in range(1, 9)),
)


def photo_path(name: str) -> Path:
    """A portrait by file name; skips the test where there is no such collection."""
    folder = os.environ.get("HOLOTALK_PHOTOS")
    if not folder:
        pytest.skip("HOLOTALK_PHOTOS is not set: no portraits to try")
    for path in (Path(folder) / name, Path(folder).parent / "cases" / name):
        if path.exists():
            return path
    pytest.skip(f"{name} is neither in HOLOTALK_PHOTOS nor in cases beside it")


def case_path(name: str) -> Path:
    """A photo that once went wrong, by file name; skips the test where there is no such collection."""
    path = photo_path(".").parent / "cases" / name
    if not path.exists():
        pytest.skip(f"{name} is not in cases beside HOLOTALK_PHOTOS")
    return path


@functools.cache
def models() -> FaceModels:
    return FaceModels.load(assets.find)


@functools.cache
def photo(name: str) -> Photo:
    if name == "astronaut":
        return photo_from_pixels(skimage.data.astronaut())
    return read_photo(photo_path(name))


@functools.cache
def faces(name: str) -> list[Face]:
    return find_faces(photo(name), models())


@functools.cache
def network() -> ParsingNetwork:
    return ParsingNetwork(find_network("parsing"))


@functools.cache
def parsing(name: str, number: int = 0) -> Parsing:
    """What the pixels around one of the faces show."""
    return network()(photo(name).pixels, faces(name)[number].mesh)


def read_pts(name: str) -> np.ndarray:
    """(68, 2) hand-made landmarks of an iBUG .pts file, which counts from 1 at the first pixel's centre."""
    body = photo_path(name).read_text().split("{")[1].split("}")[0]
    return np.array([[float(v) for v in line.split()] for line in body.strip().splitlines()]) - 0.5


def nme(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance in per cent of the distance of the eyes' outer corners."""
    error = np.linalg.norm(points - truth, axis=1).mean()
    return float(100.0 * error / np.linalg.norm(truth[36] - truth[45]))
