# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of checked files: each version of a file is read once, and what is damaged is never used."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holotalk_addon import assets, cache
from holotalk_addon.cache import RECORD, has_sha256
from holotalk_addon.errors import AssetError
from holotalk_addon.networks import find_network

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache."""
    path = tmp_path / "the cache"
    monkeypatch.setenv("HOLOTALK_CACHE", str(path))
    cache._check_once.cache_clear()
    yield path
    cache._check_once.cache_clear()


@pytest.fixture
def reads(monkeypatch):
    """The files that were read to the end, in order."""
    done = []
    real = cache.sha256_of

    def counted(path):
        done.append(path.name)
        return real(path)

    monkeypatch.setattr(cache, "sha256_of", counted)
    return done


@pytest.fixture
def network(tmp_path):
    """A file and its SHA-256."""
    path = tmp_path / "net.tflite"
    path.write_bytes(b"network" * 1000)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def a_new_process():
    cache._check_once.cache_clear()


def record_in(folder):
    return json.loads((folder / RECORD).read_text())


def test_a_version_is_read_once_by_this_process_and_by_the_next(folder, reads, network):
    path, sha256 = network
    assert has_sha256(path, sha256)
    assert has_sha256(path, sha256)
    a_new_process()
    assert has_sha256(path, sha256)
    assert reads == ["net.tflite"]
    status = path.stat()
    assert record_in(folder) == {str(path): [status.st_size, status.st_mtime_ns, sha256]}
    assert [p.name for p in folder.iterdir()] == [RECORD], "nothing is left of the writing"


def test_a_changed_file_is_read_again(folder, reads, network):
    path, sha256 = network
    assert has_sha256(path, sha256)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(1, 1))
    assert not has_sha256(path, sha256)
    path.write_bytes(content)
    os.utime(path, ns=(2, 2))
    assert has_sha256(path, sha256)
    assert len(reads) == 3


def test_a_file_that_is_not_the_pinned_one_is_never_noted(folder, reads, network):
    path, sha256 = network
    assert not has_sha256(path, "0" * 64)
    assert not has_sha256(path, "0" * 64)
    assert reads == ["net.tflite"] * 2
    assert not (folder / RECORD).exists()
    assert has_sha256(path, sha256)
    assert not has_sha256(path, "0" * 64), "another pin is another question"


def test_files_that_are_gone_leave_the_record(folder, network, tmp_path):
    path, sha256 = network
    other = tmp_path / "other.tflite"
    other.write_bytes(path.read_bytes())
    assert has_sha256(other, sha256)
    other.unlink()
    assert has_sha256(path, sha256)
    assert list(record_in(folder)) == [str(path)]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"null",
        b"\xff\xfe\x00",
        b'{"PATH": 3}',
        b'{"PATH": ["a", null]}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_is_as_good_as_none(folder, reads, network, damage):
    path, sha256 = network
    folder.mkdir()
    (folder / RECORD).write_bytes(damage.replace(b"PATH", json.dumps(str(path))[1:-1].encode()))
    assert has_sha256(path, sha256)
    a_new_process()
    assert has_sha256(path, sha256)
    assert reads == ["net.tflite"], "it was mended on the way"


def test_a_record_that_is_a_folder_is_as_good_as_none(folder, reads, network):
    (folder / RECORD).mkdir(parents=True)
    for _ in range(3):
        assert has_sha256(*network)
    assert reads == ["net.tflite"]


def test_where_the_cache_cannot_be_written_each_process_reads_once(folder, reads, network):
    folder.write_text("a file in the way")  # root may write in read-only folders
    for _ in range(3):
        assert has_sha256(*network)
    a_new_process()
    assert has_sha256(*network)
    assert reads == ["net.tflite"] * 2


def test_without_a_home_each_process_reads_once(monkeypatch, reads, network):
    def no_home():
        raise AssetError("The home folder is not known.")

    monkeypatch.setattr(cache, "cache_dir", no_home)
    a_new_process()
    for _ in range(3):
        assert has_sha256(*network)
    assert reads == ["net.tflite"]


def test_a_file_that_is_not_there_is_an_error(folder, tmp_path):
    with pytest.raises(FileNotFoundError):
        has_sha256(tmp_path / "none", "0" * 64)


def test_many_processes_at_once_leave_a_whole_record(folder, tmp_path):
    files = []
    for number in range(6):
        files.append(tmp_path / f"{number}.bin")
        files[-1].write_bytes(bytes([number]) * 2000)
    code = (
        "import hashlib, sys; from pathlib import Path; from holotalk_addon.cache import has_sha256\n"
        "for path in map(Path, sys.argv[1:]):\n"
        "    assert has_sha256(path, hashlib.sha256(path.read_bytes()).hexdigest())\n"
    )
    ways = [files[n:] + files[:n] for n in range(len(files))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", code, *map(str, way)], env=environment) for way in ways
    ]
    assert [process.wait(timeout=120) for process in started] == [0] * len(ways)
    record = record_in(folder)
    assert set(record) <= set(map(str, files))
    assert record, "one of them came last"
    assert [path.name for path in folder.iterdir()] == [RECORD]


# --- who asks -----------------------------------------------------------------------------------------


def pinned(path, key="net"):
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    file = assets.AssetFile(key, path.name, path.name, sha256, len(content), "CC0-1.0")
    return assets.AssetPackage("fakefaces", "1.0", "wheel", 1, (file,))


def test_find_checks_a_file_of_the_right_size(folder, reads, network):
    package = pinned(network[0])
    path = folder / "assets" / package.folder / "net.tflite"
    path.parent.mkdir(parents=True)
    path.write_bytes(network[0].read_bytes())
    for _ in range(3):
        assert assets.find("net", [package]) == path
    assert reads == ["net.tflite"]
    path.write_bytes(b"another" * 1000)
    os.utime(path, ns=(1, 1))
    assert assets.missing([package]) == [], "this looks at sizes alone"
    assert reads == ["net.tflite"]
    with pytest.raises(AssetError, match=r"net\.tflite is damaged: run `holotalk assets`") as caught:
        assets.find("net", [package])
    assert "\n" not in str(caught.value)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A built add-on's folder: in ``data`` and in ``model_weights`` a file each, both on the list."""
    root = tmp_path / "holotalk"
    names = {"data/net.tflite": "net.tflite", "model_weights/own.tflite": "../model_weights/own.tflite"}
    lines = []
    for name, listed in names.items():
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_bytes(name.encode() * 100)
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {listed}\n")
    (root / "data" / assets.LIST).write_text("".join(lines))
    monkeypatch.setattr(assets, "bundled_dir", lambda: root / "data")
    return root


def spoil(path):
    content = path.read_bytes()
    path.write_bytes(b"x" + content[1:])
    os.utime(path, ns=(1, 1))


def test_a_built_add_ons_data_is_checked_once(folder, reads, installed):
    path = installed / "data" / "net.tflite"
    package = pinned(path)
    for _ in range(3):
        assert assets.find("net", [package]) == assets.find_bundled("net.tflite") == path
    a_new_process()
    assert assets.find("net", [package]) == path
    assert reads == ["net.tflite"]
    spoil(path)
    for ask in (lambda: assets.find("net", [package]), lambda: assets.find_bundled("net.tflite")):
        with pytest.raises(AssetError, match=r"is damaged: .*install its zip again"):
            ask()


def test_a_built_add_ons_own_weights_are_checked_once(folder, reads, installed):
    path = installed / "model_weights" / "own.tflite"
    for _ in range(3):
        assert assets.check_trained(path) == path
    assert reads == ["own.tflite"]
    spoil(path)
    with pytest.raises(AssetError, match=r"own\.tflite is damaged: .*install its zip again"):
        assets.check_trained(path)
    path.unlink()
    with pytest.raises(AssetError, match=r"own\.tflite is missing"):
        assets.check_trained(path)
    path.with_name("other.tflite").write_bytes(b"nobody listed it")
    with pytest.raises(AssetError, match=r"other\.tflite is damaged"):
        assets.check_trained(path.with_name("other.tflite"))


def test_weights_in_a_checkout_are_not_checked(folder, reads):
    assert find_network("cae").is_file()
    assert reads == []


def test_the_preferences_read_no_file(folder, reads, installed):
    assert assets.is_left_out("face_landmark")
    with (installed / "data" / assets.LIST).open("a") as stream:
        stream.write(f"{'0' * 64}  face_landmark.tflite\n")
    assert not assets.is_left_out("face_landmark")
    assert reads == []
