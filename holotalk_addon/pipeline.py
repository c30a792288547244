# SPDX-License-Identifier: GPL-3.0-or-later
"""Photo -> hologram as named stages, each reporting its progress.

``person_from_photo`` runs photo, faces, mask, fit, texture, hair and completion and needs no Blender;
``build_hologram``, ``render_hologram``, ``save_blend``, ``render_views`` and ``export`` take its head into
Blender. The command line and the add-on reach ``head`` and ``scene`` through these alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import assets
from .errors import OptionError
from .networks import find_network
from .outputs import make_folder, replacing
from .progress import Progress, Say, Stages, Tell, say_nothing, silent, tell_nobody

if TYPE_CHECKING:
    from .cae.completions import CompletionKind
    from .cae.self_check import SelfCheck
    from .face import Face, FaceModels, ParsingNetwork, Photo
    from .face.levelling import Levelled
    from .head.completion import Completion, NamedPicture, SeenHead
    from .head.fitting import HeadFit
    from .head.head import Head
    from .head.morphable_model import HeadModel
    from .hologram.layout import PyramidLayout
    from .hologram.motion import LoopMotion
    from .learning.orders import Order
    from .learning.shards import Card
    from .outputs import ExportOptions
    from .scene.hologram_scene import HologramScene
    from .scene.photo_session import PhotoSession

__all__ = [
    "EXPOSURES",
    "Fitted",
    "Person",
    "Stages",
    "TakenFace",
    "Tell",
    "Tools",
    "build_hologram",
    "check_completion",
    "completion",
    "export",
    "fitted",
    "load_tools",
    "new_file",
    "person_from_photo",
    "person_from_pixels",
    "render_data",
    "render_data_for_panel",
    "render_hologram",
    "render_views",
    "save_blend",
    "take_face",
    "tell_nobody",
    "write_pictures",
    "write_testcard",
]

EXPOSURES = ("auto", "lift", "keep")
"""What may be done about a dark photo: brighten it where the face is far too dark, or rather dark; or not."""


@dataclass(frozen=True)
class Tools:
    """What is loaded once and used for every photo."""

    model: HeadModel
    faces: FaceModels
    parsing: ParsingNetwork


@dataclass(frozen=True)
class Person:
    """All that was found out about one person from one photo."""

    photo: Photo
    faces: tuple[Face, ...]
    """Every face of the photo, largest first."""
    face: Face
    """The one that was taken."""
    fit: HeadFit
    """Before the camera of the photo levelled (:func:`~.face.levelling.levelled`)."""
    head: Head
    seen: NDArray[np.float32]
    """(S, S) how much of each texel the photo showed, 0..1."""
    warnings: tuple[str, ...]
    """Sentences for the user."""
    check: SelfCheck
    """How much the finished head looks like the photo."""
    pictures: tuple[NamedPicture, ...] = ()
    """What the completion has drawn of the person, named as in the registry (:mod:`.cae.completions`)."""


def load_tools() -> Tools:
    """Load the head model (compiled on first use), the face networks and ours that parses.

    Raises:
        AssetError: something has not been fetched yet, or is damaged.
    """
    from .face import FaceModels, ParsingNetwork
    from .head.morphable_model import load_model
    from .people.compile_model import ensure_model

    model = load_model(ensure_model())
    faces = FaceModels.load(assets.find, model.canonical_mesh468)
    return Tools(model, faces, ParsingNetwork(find_network("parsing")))


def check_completion(name: str) -> CompletionKind:
    """The registry's entry of this name, its network's file found but nothing loaded.

    Raises:
        OptionError: there is none.
        AssetError: its weights are missing or damaged.
    """
    from .cae.completions import completion_kind

    kind = completion_kind(name)
    if kind.network is not None:
        find_network(kind.network)
    return kind


def completion(name: str, weights: Path | None = None) -> Completion:
    """The completion of this name, loaded.

    Args:
        name: one of :func:`.cae.completions.completion_names`.
        weights: the trained network of a learned one; None: this version's own.

    Raises:
        OptionError: there is none.
        AssetError: its weights are missing or damaged.
    """
    from .cae.completions import completion_kind

    kind = completion_kind(name)
    return kind.make(weights or (None if kind.network is None else find_network(kind.network)))


def person_from_photo(
    path: Path,
    tools: Tools,
    stages: Stages,
    face_number: int = 1,
    complete: str = "auto",
    texture_size: int | None = None,
    exposure: str = "auto",
) -> Person:
    """One portrait photo to a fitted, textured head.

    Args:
        path: the photo.
        tools: from :func:`load_tools`.
        stages: told the progress; keeps the times.
        face_number: 1 is the largest face.
        complete: one of :func:`.cae.completions.completion_names`.
        texture_size: pixels a side; None for the default.
        exposure: one of :data:`EXPOSURES`.

    Raises:
        PhotoError: the photo cannot be read.
        FaceError: there is no (such) face in it.
        OptionError: an unknown completion or exposure.
        AssetError: the completion's network is missing or damaged.
    """
    from .face import read_photo

    with stages.stage("Reading the photo"):
        photo = read_photo(path)
    return person_from_pixels(photo, tools, stages, face_number, complete, texture_size, exposure)


def person_from_pixels(
    photo: Photo,
    tools: Tools,
    stages: Stages,
    face_number: int = 1,
    complete: str = "auto",
    texture_size: int | None = None,
    exposure: str = "auto",
) -> Person:
    """:func:`person_from_photo` for a photo that is already in memory."""
    from .cae.self_check import check_head
    from .face.parsing import parsing_warnings
    from .head.head import Head

    model = tools.model
    paint = completion(complete)
    found = fitted(photo, tools, stages, face_number, texture_size, exposure)
    seen_head, fit, level = found.head, found.head.fit, found.level
    with stages.stage("Completing the head") as progress:
        texture = paint(seen_head, progress)
    head = Head(
        vertices=fit.vertices,
        polygons=model.polygons,
        uvs=model.polygon_uvs,
        polygon_parts=model.polygon_parts,
        expression_names=tuple(str(name) for name in model.expression_names),
        expression_deltas=model.expression_basis,
        expression=np.asarray(fit.expression, dtype=np.float32),
        fade=model.fade,
        texture=texture.pixels,
        hair=texture.hair,
    )
    with stages.stage("Comparing with the photo"):
        check = check_head(seen_head, texture, level.face, tools.faces.landmark, tools.faces.descriptor)
    told = parsing_warnings(seen_head.parsing, level.face.mesh, seen_head.covered)
    taken = found.taken
    warnings = (*taken.photo.warnings, *taken.face.warnings, *told, *check.warnings)
    return Person(
        taken.photo, taken.faces, taken.face, fit, head, texture.seen, warnings, check, texture.pictures
    )


@dataclass(frozen=True)
class TakenFace:
    """A photo and the face of it that was chosen, in the photo's own pixels."""

    photo: Photo
    """As it will be used for this face: its focal length believed or not, its light lifted or not."""
    faces: tuple[Face, ...]
    """Every face, largest first."""
    face: Face


@dataclass(frozen=True)
class Fitted:
    """One person's head, so far as a photo shows it."""

    taken: TakenFace
    level: Levelled
    """The photo and its faces, turned so that the chosen one stands upright."""
    head: SeenHead
    """In the levelled photo's pixels; its hair grown."""


def take_face(
    photo: Photo, tools: Tools, stages: Stages, face_number: int = 1, exposure: str = "auto"
) -> TakenFace:
    """Find the faces of a photo and take one.

    Raises:
        FaceError: there is no (such) face in it.
        OptionError: an unknown exposure.
    """
    from .face import find_faces, pick_face
    from .face.exposure import with_light
    from .face.photo import with_believable_focal

    if exposure not in EXPOSURES:
        raise OptionError(f"There is no exposure '{exposure}': choose auto, lift or keep.")
    with stages.stage("Finding the face") as progress:
        faces = tuple(find_faces(photo, tools.faces, progress))
        face = pick_face(faces, face_number)
        ready = with_believable_focal(photo, face.iris[:, 0], face.yaw)
        ready = with_light(ready, face.mesh, exposure)
        if ready is not photo:
            # The same face, measured again: others may have come out of the dark before it.
            faces = tuple(find_faces(ready, tools.faces))
            face = min(faces, key=lambda other: float(np.abs(other.box - face.box).sum()), default=face)
            faces = faces or (face,)
    return TakenFace(ready, faces, face)


def fitted(
    photo: Photo,
    tools: Tools,
    stages: Stages,
    face_number: int = 1,
    texture_size: int | None = None,
    exposure: str = "auto",
) -> Fitted:
    """Fit a head to a face of a photo: all that a completion starts from.

    Args:
        photo: the photo.
        tools: from :func:`load_tools`.
        stages: told the progress; keeps the times.
        face_number: 1 is the largest face.
        texture_size: pixels a side; None for the default.
        exposure: one of :data:`EXPOSURES`.

    Raises:
        FaceError: there is no (such) face in it.
        OptionError: an unknown exposure.
    """
    from .face import levelled

    taken = take_face(photo, tools, stages, face_number, exposure)
    level = levelled(taken.photo, taken.faces, taken.face)
    return Fitted(taken, level, _head_of(level, tools, stages, texture_size))


def _head_of(level: Levelled, tools: Tools, stages: Stages, texture_size: int | None) -> SeenHead:
    from .face import person_mask
    from .face.quality import is_covered
    from .head.camera import Camera
    from .head.completion import SeenHead
    from .head.fitting import fit_head
    from .head.hair_volume import grow_hair
    from .head.mouth import meet_teeth
    from .head.outline import meet_outline
    from .head.texture import DEFAULT_SIZE, bake_photo, texels

    model, photo, face = tools.model, level.photo, level.face
    with stages.stage("Separating the person"):
        parsing = tools.parsing(photo.pixels, face.mesh, photo.inside)
        covered = is_covered(photo.pixels, face.mesh, face.yaw)
        person = person_mask(photo, parsing, face.mesh, covered)
    with stages.stage("Fitting the head"):
        camera = Camera.of_picture(photo.width, photo.height, photo.focal_px)
        fit = fit_head(model, camera, face.mesh, face.iris[:, 0], face.rotation)
    with stages.stage("Meeting the outline"):
        fit = meet_outline(model, fit, photo.pixels, person, photo.inside)
        fit = meet_teeth(model, fit, photo.pixels)
    with stages.stage("Projecting the photo") as progress:
        layout = texels(model, texture_size or DEFAULT_SIZE)
        baked = bake_photo(model, fit, layout, photo.pixels, person, progress=progress)
    seen_head = SeenHead(
        model, fit, layout, photo.pixels, person, baked, parsing, covered=covered, inside=photo.inside
    )
    with stages.stage("Growing the hair") as progress:
        seen_head = replace(seen_head, hair=grow_hair(seen_head, progress))
    return seen_head


def new_file() -> None:
    """Start from an empty Blender file: for the command line, never for a user's open file."""
    from .scene import hologram_scene

    hologram_scene.new_file()


def build_hologram(
    head: Head, layout: PyramidLayout, motion: LoopMotion, sides: str, engine: str, stages: Stages
) -> HologramScene:
    """Build the four-camera scene into the open Blender file, or replace the head of the one there."""
    from .scene import hologram_scene
    from .scene.head_subject import HeadSubject

    with stages.stage("Building the scene"):
        return hologram_scene.build_hologram(HeadSubject(head), layout, motion, sides, engine)


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
    from .scene.head_subject import HeadSubject

    with stages.stage("Rendering the views") as progress:
        return render.write_views(HeadSubject(head), yaws, folder, size, engine=engine, progress=progress)


def write_pictures(person: Person, paths: Sequence[Path]) -> None:
    """Write the pictures that the completion has drawn, in order, as PNGs, into folders that are made if need
    be; without paths none.

    Raises:
        OutputError: a file cannot be written.
    """
    from PIL import Image

    for picture, path in zip(person.pictures if paths else (), paths, strict=True):
        make_folder(path.parent)
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


def render_data(
    order: Order,
    folder: Path,
    samples: int,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
) -> Card:
    """Render labelled training data into a folder, or go on where it stopped.

    :func:`.learning.data_folder.fill_folder`, by the processes of :func:`.learning.farm.farm`.
    """
    from .learning.data_folder import fill_folder
    from .learning.farm import farm

    source = farm(partial(_photo_session, order), workers, scheduler, say)
    return fill_folder(order, folder, samples, source, progress=progress, say=say)


def render_data_for_panel(preset: str, folder: str, samples: int, seed: int, progress: Progress) -> int:
    """:func:`render_data` in this process, in words that a command can carry; returns the samples there."""
    from .learning.orders import make_order

    return render_data(make_order(preset, seed), Path(folder), samples, workers=0, progress=progress).samples


def _photo_session(order: Order) -> PhotoSession:
    """Begins the work of one process, which alone loads Blender."""
    from .scene.photo_session import PhotoSession

    return PhotoSession(order)


def write_testcard(layout: PyramidLayout, output: Path) -> None:
    """Write the lettered test card of a layout, as .png or .mp4."""
    from .hologram.testcard import testcard
    from .scene.render import render_picture

    render_picture(testcard(layout), output)
