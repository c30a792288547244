# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is it? dlib's face descriptor: the nearer two of them, the more alike two faces.

A ResNet with 29 convolutions, trained on 7485 people to put the pictures of each into a ball of radius 0.6
that overlaps with nobody else's (README of dlib-models).
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError
from .networks import MEND


class FaceDescriptor:
    """The network, read from its file when the first face is described: who describes none pays nothing. It
    takes 0.2 s and 25 MB of memory then, and 0.25 s a face.

    Not safe to call from two threads at once: the network owns its buffers.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __call__(self, pixels: NDArray[np.uint8], points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(128,) of one face.

        Args:
            pixels: (H, W, 3) sRGB.
            points: (68, 2) its landmarks in pixels.

        Raises:
            AssetError: the network's file is missing or damaged.

        """
        import dlib

        shape = dlib.full_object_detection(
            dlib.rectangle(0, 0, pixels.shape[1], pixels.shape[0]),
            [dlib.point(round(float(x)), round(float(y))) for x, y in points],
        )
        # dlib turns, scales and cuts the face out to 150 x 150 pixels by itself.
        return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(pixels), shape))

    @cached_property
    def _network(self) -> Any:
        import dlib

        try:
            # dlib reads this one from a file alone, and on Windows cannot open every name: where there may be
            # trouble it is opened from within its folder, whose name does not matter then.
            if str(self.path).isascii():
                return dlib.face_recognition_model_v1(str(self.path))
            with contextlib.chdir(self.path.parent):
                return dlib.face_recognition_model_v1(self.path.name)
        except (OSError, RuntimeError) as error:
            raise AssetError(f"{self.path} cannot be loaded. {MEND}") from error


def descriptor_distance(
    one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """(...) how far (..., 128) descriptors are apart: below 0.6 dlib takes two faces for one person's."""
    return np.asarray(np.linalg.norm(np.asarray(one) - np.asarray(other), axis=-1), dtype=np.float64)
