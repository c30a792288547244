# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo -> hologram as named stages, each reporting its progress.

``person_from_photo`` runs photo, faces, mask, fit, texture, hair and completion and needs no Blender;
``build_hologram``, ``render_hologram``, ``save_blend``, ``render_views`` and ``export`` take its head into
Blender. The command line and the add-on reach ``head`` and ``scene`` through these alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import assets
from .errors import AssetError, OptionError
from .outputs import replacing
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .face import Face, FaceModels, Photo
    from .head.completion import Completion, CompletionInput, NamedPicture
    from .head.fitting import HeadFit
    from .head.head import Head
    from .head.morphable_model import HeadModel
    from .hologram.layout import PyramidLayout
    from .hologram.motion import LoopMotion
    from .outputs import ExportOptions
    from .scene.hologram_scene import HologramScene

COMPLETIONS = ("auto", "mirror", "cae", "holotalk")
"""What may be asked for; ``auto`` is ``cae`` in this version."""

PICTURES = {"cae": ("left", "right", "back", "sides"), "holotalk": ("left", "front", "right")}
"""By the completion's name, what the pictures show that it draws itself, in the order of
:attr:`Person.pictures`."""

Tell = Callable[[str, float], None]
"""Told a stage's name and the fraction of it done. It may raise to cancel."""


def tell_nobody(_stage: str, _fraction: float) -> None:
    """A :data:`Tell` that drops what it hears."""


@dataclass
class Stages:
    """Runs named stages: tells how far each is and keeps how long it took."""

    tell: Tell = tell_nobody
    seconds: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Time what happens inside; yields the stage's own :data:`~.progress.Progress`."""
        self.tell(name, 0.0)
        start = time.perf_counter()
        yield partial(self.tell, name)
        self.seconds.append((name, time.perf_counter() - start))
        self.tell(name, 1.0)


@dataclass(frozen=True)
class Tools:
    """What is loaded once and used for every photo."""

    model: HeadModel
    faces: FaceModels


@dataclass(frozen=True)
class Person:
    """All that was found out about one person from one photo."""

    photo: Photo
    faces: tuple[Face, ...]
    """Every face of the photo, largest first."""
    face: Face
    """The one that was taken."""
    fit: HeadFit
    head: Head
    seen: NDArray[np.float32]
    """(S, S) how much of each texel the photo showed, 0..1."""
    warnings: tuple[str, ...]
    """Sentences for the user."""
    pictures: tuple[NamedPicture, ...] = ()
    """What the completion has drawn of the person beside the texture, named as in :data:`PICTURES`."""


def load_tools() -> Tools:
    """Load the head model (compiled on first use) and the face networks.

    Raises:
        AssetError: something has not been fetched yet, or is damaged.
    """
    from .face import FaceModels
    from .head.compile_model import ensure_model
    from .head.morphable_model import load_model

    model = load_model(ensure_model())
    return Tools(model, FaceModels.load(assets.find, model.canonical_mesh468))


def completion(name: str, weights: Path | None = None) -> Completion:
    """The completion of this name.

    Args:
        name: one of :data:`COMPLETIONS`.
        weights: the trained network of a learned one; None: this version's own.

    Raises:
        OptionError: there is none, or not in this version.
        AssetError: its weights are missing or damaged.
    """
    from .head.fill import mirror_and_fill

    if name not in COMPLETIONS:
        raise OptionError(f"There is no completion '{name}': choose auto, mirror, cae or holotalk.")
    if name in ("auto", "cae"):
        from .cae.learned import CompletionNetwork, learned_completion

        return learned_completion(CompletionNetwork(weights or trained_weights("cae.tflite")))
    if name == "holotalk":
        from .cae.holotalk import HolotalkNetwork, holotalk_completion

        return holotalk_completion(HolotalkNetwork(weights or trained_weights(f"{name}.tflite")))
    return mirror_and_fill


def trained_weights(name: str) -> Path:
    """The path of a network that this project has trained: in ``model_weights``, which the built add-on
    carries inside and a checkout beside this package.

    Raises:
        AssetError: it is not there.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "model_weights", here.parent / "model_weights"):
        if (folder / name).is_file():
            return folder / name
    raise AssetError(f"The trained network {name} is missing: install HoloTalk again, or run `make train`.")


def person_from_photo(
    path: Path,
    tools: Tools,
    stages: Stages,
    face_number: int = 1,
    complete: str = "auto",
    texture_size: int | None = None,
) -> Person:
    """One portrait photo to a fitted, textured head.

    Args:
        path: the photo.
        tools: from :func:`load_tools`.
        stages: told the progress; keeps the times.
        face_number: 1 is the largest face.
        complete: one of :data:`COMPLETIONS`.
        texture_size: pixels a side; None for the default.

    Raises:
        PhotoError: the photo cannot be read.
        FaceError: there is no (such) face in it.
        OptionError: an unknown completion.
        AssetError: the completion's network is missing or damaged.
    """
    from .face import read_photo

    with stages.stage("Reading the photo"):
        photo = read_photo(path)
    return person_from_pixels(photo, tools, stages, face_number, complete, texture_size)


def person_from_pixels(
    photo: Photo,
    tools: Tools,
    stages: Stages,
    face_number: int = 1,
    complete: str = "auto",
    texture_size: int | None = None,
) -> Person:
    """:func:`person_from_photo` for a photo that is already in memory."""
    from .head.head import Head

    model = tools.model
    paint = completion(complete)
    faces, face, given = completion_input(photo, tools, stages, face_number, texture_size)
    fit = given.fit
    with stages.stage("Completing the head") as progress:
        texture = paint(given, progress)
    head = Head(
        vertices=fit.vertices,
        polygons=model.polygons,
        polygon_uvs=model.polygon_uvs,
        polygon_parts=model.polygon_parts,
        expression_names=tuple(str(name) for name in model.expression_names),
        expression_deltas=model.expression_basis,
        expression=np.asarray(fit.expression, dtype=np.float32),
        fade=model.fade,
        texture=texture.pixels,
        hair=texture.hair,
    )
    warnings = (*photo.warnings, *face.warnings)
    return Person(photo, faces, face, fit, head, texture.seen, warnings, texture.pictures)


def completion_input(
    photo: Photo, tools: Tools, stages: Stages, face_number: int = 1, texture_size: int | None = None
) -> tuple[tuple[Face, ...], Face, CompletionInput]:
    """What a completion starts from: every face of the photo, the chosen one, and its head as far as the
    photo shows it, with the hair grown.

    Raises:
        FaceError: there is no (such) face in it.
    """
    from .face import find_faces, person_mask, pick_face
    from .head.camera import Camera
    from .head.completion import CompletionInput
    from .head.fitting import fit_head
    from .head.hair_volume import grow_hair
    from .head.outline import meet_outline
    from .head.texture import DEFAULT_SIZE, bake_photo, texels

    model = tools.model
    with stages.stage("Finding the face") as progress:
        faces = tuple(find_faces(photo, tools.faces, progress))
        face = pick_face(faces, face_number)
    with stages.stage("Separating the person"):
        others = [other for other in faces if other is not face]
        person = person_mask(photo, face, tools.faces, others)
    with stages.stage("Fitting the head"):
        camera = Camera.of_picture(photo.width, photo.height, photo.focal_px)
        fit = fit_head(model, camera, face.mesh, face.iris[:, 0], face.rotation)
    with stages.stage("Meeting the outline"):
        fit = meet_outline(model, fit, photo.pixels, person)
    with stages.stage("Projecting the photo") as progress:
        layout = texels(model, texture_size or DEFAULT_SIZE)
        baked = bake_photo(model, fit, layout, photo.pixels, person, progress=progress)
    given = CompletionInput(model, fit, layout, photo.pixels, person, baked)
    with stages.stage("Growing the hair") as progress:
        given = replace(given, hair=grow_hair(given, progress))
    return faces, face, given


def new_file() -> None:
    """Start from an empty Blender file: for the command line, never for a user's open file."""
    from .scene import hologram_scene

    hologram_scene.new_file()


def build_hologram(
    head: Head, layout: PyramidLayout, motion: LoopMotion, sides: str, engine: str, stages: Stages
) -> HologramScene:
    """Build the four-camera scene into the open Blender file, or replace the head of the one there."""
    from .scene import hologram_scene

    with stages.stage("Building the scene"):
        return hologram_scene.build_hologram(head, layout, motion, sides, engine)


def render_hologram(hologram: HologramScene, output: Path, stages: Stages) -> None:
    """Render the loop to .mp4, or its first frame to .png."""
    from .scene import render

    with stages.stage("Rendering") as progress:
        render.render_hologram(hologram, output, progress)


def render_views(
    head: Head, yaws: Sequence[float], folder: Path, size: int, engine: str, stages: Stages
) -> list[Path]:
    """Render single unmirrored views to ``view_<yaw>.png`` in an existing folder."""
    from .scene import render

    with stages.stage("Rendering the views") as progress:
        return render.write_views(head, yaws, folder, size, engine=engine, progress=progress)


def write_pictures(person: Person, paths: Sequence[Path]) -> None:
    """Write the pictures that the completion has drawn, in order, as PNGs.

    Raises:
        OutputError: a file cannot be written.
    """
    from PIL import Image

    for picture, path in zip(person.pictures, paths, strict=True):
        with replacing(path) as beside:
            Image.fromarray(picture.pixels).save(beside)


def export(head: Head, output: Path, stages: Stages, options: ExportOptions | None = None) -> list[Path]:
    """Write the head as .glb, .obj, .ply, .stl or .blend; returns the files written."""
    from .scene import export as exporters

    with stages.stage("Exporting"):
        return exporters.export_head(head, output, options)


def save_blend(output: Path, hologram: HologramScene, stages: Stages) -> None:
    """Save the open hologram as a .blend."""
    from .scene import export as exporters

    with stages.stage("Saving the Blender file"):
        exporters.save_blend(output, hologram)


def write_testcard(layout: PyramidLayout, output: Path) -> None:
    """Write the lettered test card of a layout, as .png or .mp4."""
    from .hologram.testcard import testcard
    from .scene.render import render_picture

    render_picture(testcard(layout), output)


def face_entry(face: Face, scale: float = 1.0) -> dict[str, Any]:
    """A face as the command line's contract writes it: pixels of the original picture, degrees.

    Args:
        face: the face.
        scale: working pixels over original pixels.
    """
    return {
        "box": [round(float(v) / scale, 2) for v in face.box],
        "score": round(float(face.score), 4),
        "yaw": round(face.yaw, 2),
        "pitch": round(face.pitch, 2),
        "roll": round(face.roll, 2),
        "rotation": [[round(float(v), 6) for v in row] for row in face.rotation],
        "landmarks68": [[round(float(v) / scale, 2) for v in point] for point in face.landmarks68],
    }


def report(person: Person, stages: Stages) -> dict[str, Any]:
    """What ``--report`` writes: seconds per stage, the face, the fit, warnings; original pixels."""
    fit = person.fit
    strengths = zip(person.head.expression_names, person.head.expression, strict=True)
    return {
        "stages": [{"name": name, "seconds": round(seconds, 3)} for name, seconds in stages.seconds],
        "face": face_entry(person.face, person.photo.scale),
        "fit": {
            "nme_percent": round(fit.nme_percent, 3),
            "residual_nme_percent": round(fit.residual_nme_percent, 3),
            "focal_px": round(fit.camera.focal / person.photo.scale, 1),
            "expression": {name: round(float(s), 3) for name, s in strengths if s > 0.01},
        },
        "warnings": list(person.warnings),
    }
