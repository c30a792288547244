# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary folders are the user's own: nobody else can look in, or prepare a trap there."""

import re
import stat
import sys
from pathlib import Path

import pytest

import holotalk_addon
from holotalk_addon.errors import OutputError
from holotalk_addon.outputs import private_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has each user's own folders")

PACKAGE = Path(holotalk_addon.__file__).parent


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_with_its_parents_and_is_the_users_alone(tmp_path):
    folder = tmp_path / "a" / "b"
    assert private_folder(folder) == folder
    assert mode(folder) == 0o700
    (folder / "kept").touch()
    assert private_folder(folder) == folder
    assert (folder / "kept").exists()


def test_one_that_was_open_to_others_is_closed(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    private_folder(folder)
    assert mode(folder) == 0o700


def test_a_file_or_a_link_in_its_place_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link", "dangling"):
        with pytest.raises(OutputError, match="is not a folder: remove it") as refused:
            private_folder(tmp_path / name)
        assert name in str(refused.value)
    assert not (tmp_path / "nowhere").exists()
    assert mode(tmp_path / "elsewhere") == 0o755


def test_another_users_folder_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "theirs"
    folder.mkdir()
    owner = folder.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    with pytest.raises(OutputError, match="belongs to another user"):
        private_folder(folder)


def test_where_it_cannot_be_closed_that_is_said(tmp_path, monkeypatch):
    """On a stick with FAT, say, where files have no owners."""
    folder = tmp_path / "stick"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr("pathlib.Path.chmod", lambda self, mode, **_: None)
    with pytest.raises(OutputError, match="others"):
        private_folder(folder)


def test_no_temporary_file_has_a_name_that_others_can_guess():
    """``mkdtemp`` and its like alone: they make what nobody else can open, under a name of their own."""
    guessed = re.compile(r"gettempdir|\bmktemp\b|[\"']/tmp\b|environ.*\bTE?MP")
    found = [path.name for path in PACKAGE.rglob("*.py") if guessed.search(path.read_text(encoding="utf-8"))]
    assert found == []
