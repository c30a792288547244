# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretrained parts: four LiteRT networks and dlib's three models, loaded once and handed round."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import AssetError, LeftOutError

if TYPE_CHECKING:
    from .descriptor import FaceDescriptor

ASSETS = (
    "face_landmark",
    "face_detection_short_range",
    "face_detection_full_range",
    "iris_landmark",
    "shape_predictor_68",
    "face_descriptor",
)
"""Keys under which :meth:`FaceModels.load` asks for files."""

MEND = (
    "In Blender, remove the add-on and install its zip again; for the command, delete the file and run "
    "`holotalk assets`."
)

_CHATTER = "Created TensorFlow Lite XNNPACK delegate"


class Network:
    """A ``.tflite`` network with one float32 input and float32 outputs, run by LiteRT on the CPU.

    Not safe to call from two threads at once: the interpreter owns its buffers.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Load ``path``; ``threads`` defaults to the computer's cores, at most 4 (the networks are
        too small to use more). Raises :class:`~holotalk_addon.errors.AssetError`.
        """
        from ai_edge_litert.interpreter import Interpreter

        self.path = Path(path)
        try:
            with _without_chatter():
                # Contents, not the name: the C++ side cannot open every name on Windows.
                self._interpreter: Any = Interpreter(
                    model_content=self.path.read_bytes(),
                    num_threads=threads or min(4, os.cpu_count() or 1),
                )
                self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise AssetError(
                f"The network {self.path} cannot be loaded ({' '.join(str(error).split())[:120]}). {MEND}"
            ) from error
        (entry,) = self._interpreter.get_input_details()
        self._input = int(entry["index"])
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in entry["shape"])
        self._outputs = {str(d["name"]): int(d["index"]) for d in self._interpreter.get_output_details()}

    def __call__(self, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run once. ``values`` has ``input_shape`` with or without the leading 1; returns copies of all
        outputs by name.
        """
        batch = np.ascontiguousarray(values, dtype=np.float32).reshape(self.input_shape)
        self._interpreter.set_tensor(self._input, batch)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


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
        """Load all. ``find`` takes a key of :data:`ASSETS` and returns that file's path; for the 68-point
        model alone it may raise :class:`~holotalk_addon.errors.LeftOutError`, see ``shape68``.

        Raises :class:`~holotalk_addon.errors.AssetError` where a file is missing or damaged.
        """
        import dlib

        from .descriptor import FaceDescriptor

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


@contextmanager
def _without_chatter() -> Iterator[None]:
    """LiteRT's C++ side announces its delegate on standard error and offers Python no switch for it.
    Standard error goes to a scratch file meanwhile, and all but that announcement is passed on.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, ValueError, AttributeError):
        # No standard error at all (Blender started from the Windows desktop): nothing to keep quiet.
        yield
        return
    with tempfile.TemporaryFile() as scratch:
        os.dup2(scratch.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            scratch.seek(0)
            for line in scratch.read().decode(errors="replace").splitlines():
                if _CHATTER not in line:
                    print(line, file=sys.stderr)
