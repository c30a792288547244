# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing results: checked before the work starts, written beside, renamed when complete."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import OptionError, OutputError

BESIDE = ".holotalk-"
"""How the names of files begin that are being written, beside what they will replace."""
EXPORTS = (".glb", ".obj", ".ply", ".stl", ".blend")
"""The endings of the formats that a head is exported in."""
STL_HEIGHT_MM, STL_HEIGHTS_MM = 100.0, (20.0, 1000.0)
"""How high a print is that nobody gave a height, and how low and high one may be."""


@dataclass(frozen=True)
class ExportOptions:
    """What a format offers beyond the head itself."""

    shape_names: str = "arkit"
    """One of :data:`.head.shape_names.SHAPE_NAMES`; other than ``arkit`` for .glb and .blend."""
    eye_bones: bool = False
    """Bones that turn the eyes, for .glb."""
    height_mm: float | None = None
    """Of a print, for .stl; None: :data:`STL_HEIGHT_MM`."""

    def check(self, path: Path) -> None:
        """Complain about an export that cannot work before any work is done.

        Raises:
            OptionError: the format is unknown, or has no such option; or the height cannot be printed.
        """
        kind = Path(path).suffix.lower()
        if kind not in EXPORTS:
            raise OptionError(
                f"Cannot export to '{Path(path).name}': choose a name that ends in {', '.join(EXPORTS)}."
            )
        if self.shape_names != "arkit" and kind not in (".glb", ".blend"):
            raise OptionError(f"A {kind} has no shapes to name: export a .glb or a .blend.")
        if self.eye_bones and kind != ".glb":
            raise OptionError(f"A {kind} gets no eye bones: export a .glb.")
        if self.height_mm is not None:
            low, high = STL_HEIGHTS_MM
            if kind != ".stl":
                raise OptionError(f"A {kind} is as large as the head: a height in millimetres is for a .stl.")
            if not low <= self.height_mm <= high:
                raise OptionError(
                    f"A height of {self.height_mm:g} mm cannot be printed: choose {low:g} to {high:g} mm."
                )


def check_output(path: Path, extensions: Sequence[str]) -> Path:
    """Complain about an output that cannot work before any time is spent on it.

    Args:
        path: where the result shall go.
        extensions: the file names it may end in, with their dots.

    Returns:
        The path.

    Raises:
        OptionError: another extension.
        OutputError: the folder does not exist or cannot be written, or the path is a folder.
    """
    path = Path(path)
    if _is_folder(path):
        raise OutputError(f"{path} is a folder: give the name of a file in it.")
    if path.suffix.lower() not in extensions:
        known = " or ".join(extensions)
        raise OptionError(f"Cannot write '{path.name}': choose a name that ends in {known}.")
    check_folder(path.parent)
    return path


def check_folder(folder: Path) -> None:
    """Complain unless files can be made in a folder.

    Raises:
        OutputError: the folder does not exist or cannot be written.
    """
    if not _is_folder(folder):
        raise OutputError(f"The folder {folder} does not exist: create it, or choose another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"The folder {folder} cannot be written: choose another.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` that replaces it in one step if all goes well, and is removed
    if not.

    Raises:
        OutputError: the folder does not exist or cannot be written.
    """
    path = Path(path)
    if _is_folder(path):
        raise OutputError(f"{path} is a folder: give the name of a file in it.")
    check_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(prefix=BESIDE, suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise OutputError(f"Cannot write in {path.parent}: {error.strerror}.") from error
    os.close(handle)
    beside = Path(name)
    try:
        # mkstemp makes private files; give the result what any new file of the user gets.
        umask = os.umask(0)
        os.umask(umask)
        beside.chmod(0o666 & ~umask)
        yield beside
        try:
            beside.replace(path)
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step, UTF-8."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def check_results_folder(folder: Path) -> None:
    """Complain unless results can be put in a folder that is there, or that can be made.

    Raises:
        OutputError: it is a file, or cannot be made or written.
    """
    there = _is_folder(folder)
    if not there and folder.exists():
        raise OutputError(f"{folder} is a file: give the name of a folder.")
    check_folder(folder if there else folder.parent)


def make_folder(folder: Path) -> None:
    """Make a folder unless it is there.

    Raises:
        OutputError: it cannot be made or written, or a file has its name.
    """
    check_results_folder(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def private_folder(folder: Path) -> Path:
    """Make a folder that none but the user can look into, unless it is there; returns it.

    Where others may make files (``/tmp``), one of them may have made it before, or put a link in its place.

    Raises:
        OutputError: it cannot be made, is not the user's, or the disk has no such rights.
    """
    try:
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise OutputError(f"{folder} is not a folder: remove it, or choose another place.")
        if sys.platform == "win32":  # there a folder has its rights from the one it is in: the user's
            return folder
        if status.st_uid != os.geteuid():
            raise OutputError(f"{folder} belongs to another user: choose another place.")
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
            if stat.S_IMODE(folder.lstat().st_mode) & 0o077:
                raise OutputError(f"{folder} is open to others, and this disk cannot help: choose another.")
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    return folder


def beside_obj(path: Path) -> tuple[Path, Path, Path]:
    """What an ``.obj`` brings along: materials, texture of the head, texture of the hair (if any)."""
    # Spaces end a file's name for some readers of OBJ.
    stem = "_".join(path.stem.split()) or "head"
    # Not <stem>.png: that may well be the photo.
    return (
        path.with_name(f"{stem}.mtl"),
        path.with_name(f"{stem}_texture.png"),
        path.with_name(f"{stem}_hair_texture.png"),
    )


def spare(photo: Path, *outputs: Path) -> None:
    """Complain where a result would take the photo's place.

    Raises:
        OutputError: one of the outputs is the photo.
    """
    for output in outputs:
        if output.exists() and photo.exists() and output.samefile(photo):
            raise OutputError(f"{output} is the photo itself: choose another name for the result.")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # no right to look, or a name that is too long
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
