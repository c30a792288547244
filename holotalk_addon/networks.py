# SPDX-License-Identifier: GPL-3.0-or-later
"""Every network that heads are made or checked with, in one list: its file, its source and its use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import assets
from .errors import AssetError


@dataclass(frozen=True)
class NetworkFile:
    """A pretrained network."""

    key: str
    """By which it is asked for; of a third party's network also its key in :data:`.assets.PACKAGES`."""
    does: str
    """What it is for."""
    trained: str | None = None
    """Its file in ``model_weights``, trained by this project; None: a third party's, fetched by
    :mod:`.assets`."""
    left_out: bool = False
    """Whether no add-on carries it: the command line alone runs it."""
    research: bool = False
    """Whether its licence keeps it from commercial use: the add-on can be built without it."""


NETWORKS = (
    NetworkFile("face_landmark", "468 points of the face, for every photo"),
    NetworkFile("face_detection_short_range", "large faces of a photo"),
    NetworkFile("face_detection_full_range", "small faces of a photo"),
    NetworkFile("iris_landmark", "eyes and irises of a face"),
    NetworkFile("shape_predictor_68", "dlib's 68 landmarks", research=True),
    NetworkFile("face_descriptor", "whether two faces are one person's: the self-check and the likeness"),
    NetworkFile("parsing", "what each pixel around the face shows, for every head", "parsing.tflite"),
    NetworkFile("cae", "the completion cae: the sides that a photo did not show", "cae.tflite"),
    NetworkFile("holotalk", "the completion holotalk, to compare with", "holotalk.tflite", left_out=True),
)


def third_party_networks() -> tuple[str, ...]:
    """Keys of those that the add-on carries and this project has not trained."""
    return tuple(n.key for n in NETWORKS if n.trained is None and not n.left_out)


def find_network(key: str) -> Path:
    """The path of a network's file.

    A trained one lies in ``model_weights``, which the built add-on carries inside and a checkout beside this
    package.

    Raises:
        AssetError: it is not there, or not the one that the add-on was built with.
        LeftOutError: it is for research alone, and this add-on was built without it.
        KeyError: there is no such network.
    """
    network = {network.key: network for network in NETWORKS}[key]
    if network.trained is None:
        return assets.find(key)
    here = Path(__file__).resolve().parent
    for folder in (here / "model_weights", here.parent / "model_weights"):
        if (folder / network.trained).is_file():
            return assets.check_trained(folder / network.trained)
    raise AssetError(
        f"The trained network {network.trained} is missing: install HoloTalk again, or run `make train`."
    )
