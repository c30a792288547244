# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretrained parts that faces are found with, loaded once and handed round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError, LeftOutError
from .descriptor import FaceDescriptor
from .networks import MEND, Network


@dataclass(frozen=True)
class FaceModels:
    """Everything pretrained that :func:`~holotalk_addon.face.find_faces` uses, and who is who."""

    landmark: Network
    """468-point mesh: (192, 192, 3) 0..1 -> 1404 coordinates and the face flag (a logit)."""
    short_range: Network
    """Face detector for faces that fill much of the picture: (128, 128, 3), -1..1."""
    full_range: Network
    """Face detector for smaller faces: (192, 192, 3), -1..1."""
    iris: Network
    """Iris and eye contour: (64, 64, 3) 0..1."""
    hog: Any
    """``dlib.get_frontal_face_detector()``."""
    shape68: Any | None
    """``dlib.shape_predictor`` with 68 points. ``None`` in an add-on built without it: the model's licence
    keeps it from commercial use; the landmarks are read off the mesh then."""
    descriptor: FaceDescriptor
    """Tells whether two faces are one person's; read when it is first asked."""
    canonical_mesh: NDArray[np.float64] | None = None
    """(468, 3) metres in head axes: the mesh of a level head with a calm face, the reference of the
    pose. ``None``: the shape built into :mod:`.pose`."""

    @property
    def landmarks68_source(self) -> Literal["dlib", "mesh"]:
        """Where the 68 landmarks come from: dlib's predictor, or the mesh in an add-on built without it."""
        return "mesh" if self.shape68 is None else "dlib"

    @classmethod
    def load(
        cls,
        find: Callable[[str], Path],
        canonical_mesh: NDArray[np.floating[Any]] | None = None,
        threads: int | None = None,
    ) -> FaceModels:
        """Load all. ``find`` takes a key of :data:`..networks.NETWORKS` and returns that file's path; for the
        68-point model alone it may raise :class:`~holotalk_addon.errors.LeftOutError`, see ``shape68``.

        Raises :class:`~holotalk_addon.errors.AssetError` where a file is missing or damaged.
        """
        import dlib

        try:
            shape68 = _shape_predictor(find("shape_predictor_68"))
        except LeftOutError:
            shape68 = None
        return cls(
            landmark=Network(find("face_landmark"), threads),
            short_range=Network(find("face_detection_short_range"), threads),
            full_range=Network(find("face_detection_full_range"), threads),
            iris=Network(find("iris_landmark"), threads),
            hog=dlib.get_frontal_face_detector(),
            shape68=shape68,
            descriptor=FaceDescriptor(find("face_descriptor")),
            canonical_mesh=None if canonical_mesh is None else np.asarray(canonical_mesh, dtype=np.float64),
        )


def _shape_predictor(path: Path) -> Any:
    """Load dlib's landmark model from a file. Raises :class:`~holotalk_addon.errors.AssetError`."""
    import dlib

    predictor = dlib.shape_predictor.__new__(dlib.shape_predictor)
    try:
        # Contents, not the name: dlib cannot open every name on Windows. The state of a pickled predictor
        # is the file's own bytes, in a tuple.
        predictor.__setstate__((Path(path).read_bytes(),))
    except (OSError, RuntimeError) as error:
        raise AssetError(f"{path} cannot be loaded. {MEND}") from error
    return predictor
