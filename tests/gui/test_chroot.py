# SPDX-License-Identifier: GPL-3.0-or-later
"""The chroot of the tests with a window: which mirror, why not, and nothing deleted that is not its own."""

import os
import subprocess
import sys
from pathlib import Path

import chroot
import pytest

ROOT = Path(__file__).resolve().parents[2]

DEB822 = """\
# Debian's own
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: trixie-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main

Types: deb
URIs: https://second.example/debian
 https://third.example/debian
Suites: sid
Components:
 main
"""

LIST = """\
# deb http://commented.example/debian sid main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://one.example/deb/ bookworm main # the usual
deb http://backports.example/debian bookworm-backports main
deb http://security.example/debian-security bookworm-security main
deb http://other.example/apt nodistro main
deb cdrom:[Debian] bookworm main
"""


def test_mirrors_in_both_kinds_of_sources():
    assert chroot.mirrors([("debian.sources", DEB822)]) == [
        "http://mirror.example/debian",
        "https://second.example/debian",
        "https://third.example/debian",
    ]
    assert chroot.mirrors([("sources.list", LIST)]) == [
        "https://one.example/deb",
        "http://backports.example/debian",
    ]


def test_an_ubuntu_names_no_mirror():
    ubuntu = "deb http://archive.example/ubuntu noble main\n"
    assert chroot.mirrors([("sources.list", ubuntu), ("debian.sources", "")]) == []


def test_the_mirror_may_be_given(monkeypatch):
    monkeypatch.setenv("HOLOTALK_GUI_MIRROR", "http://mine.example/debian/")
    assert chroot.system_mirror() == "http://mine.example/debian"


def test_who_is_not_root_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    reason = chroot.why_not()
    assert "root" in reason
    assert "\n" not in reason
    assert chroot.main(["set-up"]) == 2
    assert capsys.readouterr().err == f"gui: {reason}\n"


def test_a_missing_tool_is_named(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(chroot.shutil, "which", lambda tool, path: None if tool == "debootstrap" else tool)
    assert "apt-get install debootstrap" in chroot.why_not()


def test_it_lies_in_the_cache_or_where_one_says(monkeypatch, tmp_path):
    monkeypatch.delenv("HOLOTALK_GUI_ROOT", raising=False)
    monkeypatch.setenv("HOLOTALK_CACHE", str(tmp_path / "cache"))
    assert chroot.root_folder() == tmp_path / "cache" / "gui"
    monkeypatch.setenv("HOLOTALK_GUI_ROOT", str(tmp_path / "own"))
    assert chroot.root_folder() == tmp_path / "own"


@pytest.fixture
def as_root():
    """Skips where no namespace can be made."""
    reason = chroot.why_not()
    if reason:
        pytest.skip(reason)


@pytest.mark.usefixtures("as_root")
def test_nothing_is_deleted_through_a_mount(tmp_path):
    precious, root = tmp_path / "precious", tmp_path / "root"
    (root / "home").mkdir(parents=True)
    precious.mkdir()
    (precious / "letter").write_text("mine")
    script = Path(chroot.__file__).resolve()
    remove = f"mount --bind {precious} {root / 'home'} && {sys.executable} {script} remove"
    environment = os.environ | {"HOLOTALK_GUI_ROOT": str(root), "PYTHONPATH": str(ROOT)}
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    done = subprocess.run([*alone, remove], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"gui: {root / 'home'} is a mounted folder: unmount it, then run this again\n"
    assert (precious / "letter").read_text() == "mine"
    chroot.Chroot(root).remove()
    assert not root.exists()
    assert (precious / "letter").read_text() == "mine"


@pytest.mark.usefixtures("as_root")
def test_a_mirror_that_is_not_there_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOLOTALK_GUI_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HOLOTALK_GUI_MIRROR", "http://127.0.0.1:9/debian")
    assert chroot.main(["set-up"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gui: ")
    assert error.count("\n") == 1
    assert "network" in error
