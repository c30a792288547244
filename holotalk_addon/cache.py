# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's cache: where it is, one process at a time in it, and which files have been checked.

This module loads nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO

from .errors import AssetError, HoloTalkError
from .outputs import replacing

RECORD = "checked.json"
"""Name of the file in the cache that tells which versions of which files have been checked: by the path, the
size in bytes, the time of the last change in nanoseconds and the SHA-256."""


def cache_dir() -> Path:
    """The folder for everything that can be fetched or computed again; it may not exist yet.

    Returns:
        ``$HOLOTALK_CACHE`` where that is set, else ``holotalk`` in the platform's cache folder.

    Raises:
        AssetError: the user has no home folder.

    """
    own = os.environ.get("HOLOTALK_CACHE")
    try:
        if own:
            return Path(own).expanduser().absolute()
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "holotalk" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "holotalk"
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        # A relative path here is to be ignored, says the XDG specification.
        return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "holotalk"
    except RuntimeError as error:
        raise AssetError("The home folder is not known: set HOLOTALK_CACHE to a folder for data.") from error


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one process at a time do something; the system drops the lock, a file, with its process."""
    with lock.open("a") as stream:
        while not _take(stream):
            time.sleep(0.2)
        yield


def _take(stream: IO[str]) -> bool:
    """Try to lock an open file without waiting."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return False
        raise
    return True


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def has_sha256(path: Path, sha256: str) -> bool:
    """Whether a file has this SHA-256.

    All of it is read once for each of its versions, which size and time of change tell apart. That a version
    was right is kept in the cache's :data:`RECORD`; where that cannot be written, for as long as this
    process lasts.

    Raises:
        OSError: the file cannot be read.
    """
    status = path.stat()  # before it is read: what is changed meanwhile has another time
    try:
        _check_once(str(path.absolute()), status.st_size, status.st_mtime_ns, sha256)
    except _AnotherFileError:
        return False
    return True


class _AnotherFileError(Exception):
    """The file has another SHA-256."""


# What was right is right for as long as the program runs; what was wrong raises and is read again next time.
@lru_cache(maxsize=256)
def _check_once(path: str, size: int, changed: int, sha256: str) -> None:
    version: list[int | str] = [size, changed, sha256]
    if _recorded().get(path) == version:
        return
    if sha256_of(Path(path)) != sha256:
        raise _AnotherFileError
    # A cache that cannot be written costs the next process the same time again, and nothing else.
    with contextlib.suppress(OSError, HoloTalkError):
        _record(path, version)


def _recorded() -> dict[str, object]:
    """What is in the record by path; nothing where it is not there or damaged."""
    try:
        record = json.loads((cache_dir() / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, AssetError):
        return {}
    return record if isinstance(record, dict) else {}


def _record(path: str, version: list[int | str]) -> None:
    """Note a version of a file that was right; files that are gone leave the record.

    Of two processes that do this at once one may lose its note, and checks that file once more.
    """
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    there = {name: other for name, other in _recorded().items() if os.path.isfile(name)}  # noqa: PTH113 - never raises
    with replacing(folder / RECORD) as beside:
        beside.write_text(json.dumps(there | {path: version}, indent=1), encoding="utf-8")
