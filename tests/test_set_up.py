# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up script: what it says when something is missing, and what it knows to be done already."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import system_libraries

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "blender_scripts" / "set_up.py"


@pytest.fixture
def set_up(load_script):
    """The script as a module, a fresh one for each test."""
    return load_script("set_up")


def one_line(text):
    return "\n" not in text


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 12, 1), (3, 14, 0), (2, 7, 18)])
def test_other_pythons_are_refused_with_a_way_out(set_up, version):
    with pytest.raises(set_up.SetUpError, match=r"3\.11 or 3\.13.*apt-get.*PYTHON=") as caught:
        set_up.check_python(version, "/usr/bin/python3")
    assert ".".join(map(str, version)) in str(caught.value)
    assert one_line(str(caught.value))


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 13, 0)])
def test_supported_pythons_are_not_refused(set_up, version):
    """With the error that others get."""
    set_up.check_python(version, "/usr/bin/python3")


def test_exactly_the_missing_libraries_are_named():
    assert system_libraries.missing_libraries(lambda _soname: True, lambda: True) == []
    gone = {"libEGL.so.1", "libSM.so.6"}
    assert system_libraries.missing_libraries(lambda soname: soname not in gone, lambda: True) == [
        "libsm6",
        "libegl1",
    ]
    assert system_libraries.missing_libraries(lambda _soname: True, lambda: False) == ["libgl1-mesa-dri"]
    assert system_libraries.missing_libraries(lambda _soname: False, lambda: False) == list(
        system_libraries.LIBRARIES
    )


def test_the_loader_is_really_asked():
    assert not system_libraries.loads("libholotalk-does-not-exist.so.0")
    if sys.platform == "linux":
        assert system_libraries.loads("libc.so.6")


def test_drivers_are_looked_for_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.delenv("LIBGL_DRIVERS_PATH", raising=False)
    pattern = str(tmp_path / "*" / "dri" / "*_dri.so")
    assert not system_libraries.has_driver([pattern])
    (tmp_path / "x86_64-linux-gnu" / "dri").mkdir(parents=True)
    (tmp_path / "x86_64-linux-gnu" / "dri" / "swrast_dri.so").touch()
    assert system_libraries.has_driver([pattern])


def test_a_user_is_told_the_one_command():
    message = system_libraries.missing_message(["libsm6", "libegl1"], apt=True)
    assert one_line(message)
    assert "missing: libsm6, libegl1." in message
    assert message.endswith(
        "sudo apt-get update && sudo apt-get install --no-install-recommends -y libsm6 libegl1"
    )
    other = system_libraries.missing_message(["libsm6", "libgl1-mesa-dri"], apt=False)
    assert "libSM.so.6" in other
    assert "Mesa" in other
    assert "apt-get" not in other


@pytest.mark.skipif(sys.platform != "linux", reason="the list is Linux's")
def test_a_user_who_is_not_root_gets_one_line_and_status_2(set_up, monkeypatch, capsys):
    monkeypatch.setattr(system_libraries, "missing_libraries", lambda: ["libegl1"])
    monkeypatch.setattr(system_libraries, "missing_venv_package", lambda: ["python3.99-venv"])
    monkeypatch.setattr(system_libraries, "is_root", lambda: False)
    monkeypatch.setattr(system_libraries.shutil, "which", lambda _name: "/usr/bin/apt-get")
    monkeypatch.setattr(system_libraries, "apt_install", lambda _packages: pytest.fail("apt-get was run"))
    monkeypatch.setattr(set_up, "check_python", lambda *_args: None)
    assert set_up.main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "set-up: Blender needs system packages that are missing: libegl1, python3.99-venv."
    )


def test_debians_python_without_venv_names_its_package(monkeypatch):
    monkeypatch.setattr(system_libraries.shutil, "which", lambda _name: "/usr/bin/apt-get")
    assert system_libraries.missing_venv_package() == []
    monkeypatch.setattr(system_libraries.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(system_libraries.sys, "base_prefix", "/usr")
    assert system_libraries.missing_venv_package() == [f"python3.{sys.version_info[1]}-venv"]
    monkeypatch.setattr(system_libraries.sys, "base_prefix", "/opt/python")
    with pytest.raises(system_libraries.SetUpError, match="use a complete Python"):
        system_libraries.missing_venv_package()


def test_root_gets_them_installed(monkeypatch):
    ran = []

    def run(command, **options):
        ran.append((command, options))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(system_libraries.subprocess, "run", run)
    system_libraries.apt_install(["libegl1", "libsm6"])
    assert [command[:2] for command, _ in ran] == [["apt-get", "update"], ["apt-get", "install"]]
    assert ran[1][0][-2:] == ["libegl1", "libsm6"]
    assert all(options["env"]["DEBIAN_FRONTEND"] == "noninteractive" for _, options in ran)


def test_a_failing_apt_is_one_line(monkeypatch):
    def run(command, **_options):
        return subprocess.CompletedProcess(command, 100, "", "W: hm\nE: Unable to locate package\nE: more\n")

    monkeypatch.setattr(system_libraries.subprocess, "run", run)
    with pytest.raises(
        system_libraries.SetUpError, match=r"apt-get update.*E: Unable to locate package"
    ) as caught:
        system_libraries.apt_install(["libegl1"])
    assert one_line(str(caught.value))


def test_the_digest_follows_requirements_python_and_place(set_up, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text("[project]\n")
    first = set_up.install_digest(tmp_path / "here", (3, 11))
    assert first == set_up.install_digest(tmp_path / "here", (3, 11))
    assert first != set_up.install_digest(tmp_path / "here", (3, 13))
    assert first != set_up.install_digest(tmp_path / "there", (3, 11))
    (tmp_path / "here" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert first != set_up.install_digest(tmp_path / "here", (3, 11))


@pytest.mark.parametrize(
    ("stamp", "wanted", "expected"),
    [
        ({}, [], []),
        ({}, ["test"], ["test"]),
        ({"install": "now", "extras": []}, [], None),
        ({"install": "now", "extras": []}, ["test"], ["test"]),
        ({"install": "now", "extras": ["test"]}, [], None),
        ({"install": "now", "extras": ["test"]}, ["test"], None),
        ({"install": "now", "extras": ["test"]}, ["train"], ["test", "train"]),
        ({"install": "before", "extras": ["test"]}, [], ["test"]),
        ({"extras": ["test"]}, [], ["test"]),  # an installation that was interrupted
    ],
)
def test_what_is_installed_serves_or_grows(set_up, stamp, wanted, expected):
    assert set_up.extras_to_install(stamp, "now", wanted) == expected


def test_a_stamp_is_read_back_and_a_broken_one_is_none(set_up, tmp_path):
    path = tmp_path / "set-up.json"
    assert set_up.read_stamp(path) == {}
    set_up.write_stamp(path, {"install": "x", "extras": ["test"]})
    assert set_up.read_stamp(path) == {"install": "x", "extras": ["test"]}
    assert [p.name for p in tmp_path.iterdir()] == ["set-up.json"]
    path.write_text('{"install": "x"')
    assert set_up.read_stamp(path) == {}
    path.write_text(json.dumps(["install"]))
    assert set_up.read_stamp(path) == {}


class Steps:
    """The steps of a set-up, noted instead of done; one of them can be made to fail."""

    def __init__(self, module, monkeypatch, root):
        self.ran, self.fails, self.module = [], None, module
        (root / "holotalk_addon").mkdir(parents=True)
        (root / "pyproject.toml").write_text("[project]\n")
        (root / "holotalk_addon" / "pins.py").write_text("# pins\n")
        self.pins = root / "holotalk_addon" / "pins.py"
        monkeypatch.setattr(module, "ROOT", root)
        for name in ("check_python", "ensure_system"):
            monkeypatch.setattr(module, name, lambda *_args: None)
        monkeypatch.setattr(module, "ensure_venv", self.ensure_venv)
        monkeypatch.setattr(module, "install", lambda _venv, extras: self.step(f"install {extras}"))
        monkeypatch.setattr(module, "run_module", self.run_module)
        monkeypatch.setattr(module.subprocess, "run", self.check)
        self.complete = True

    def step(self, name):
        self.ran.append(name)
        if name == self.fails:
            raise self.module.SetUpError(name)

    def ensure_venv(self, venv):
        python = self.module.venv_python(venv)
        if not python.exists():
            self.step("venv")
            python.parent.mkdir(parents=True)
            python.touch()

    def run_module(self, _venv, module):
        self.step(module.rsplit(".", 1)[-1])
        return 0

    def check(self, command, **_options):
        return subprocess.CompletedProcess(command, 0 if self.complete else 1)

    def __call__(self, *arguments):
        self.ran.clear()
        status = self.module.main(list(arguments))
        return status, list(self.ran)


@pytest.fixture
def steps(set_up, monkeypatch, tmp_path):
    return Steps(set_up, monkeypatch, tmp_path / "checkout")


def test_a_second_run_has_nothing_to_do(steps):
    assert steps("--extra", "test") == (0, ["venv", "install ['test']", "assets", "compile_model"])
    assert steps("--extra", "test") == (0, ["compile_model"])
    assert steps() == (0, ["compile_model"])


def test_an_interrupted_set_up_goes_on_where_it_was(steps):
    steps.fails = "install []"
    assert steps() == (2, ["venv", "install []"])
    steps.fails = "assets"
    assert steps() == (2, ["install []", "assets"])
    steps.fails = None
    assert steps() == (0, ["assets", "compile_model"])
    assert steps() == (0, ["compile_model"])


def test_lost_data_and_new_pins_are_fetched(steps):
    steps()
    steps.complete = False
    assert steps() == (0, ["assets", "compile_model"])
    steps.complete = True
    assert steps() == (0, ["compile_model"])
    steps.pins.write_text("# other pins\n")
    assert steps() == (0, ["assets", "compile_model"])


def test_new_requirements_are_installed_with_the_extras_there_are(steps):
    steps("--extra", "test")
    (steps.module.ROOT / "pyproject.toml").write_text("[project]\ndependencies = []\n")
    status, ran = steps()
    assert status == 0
    assert ran[0] == "install ['test']"


def test_a_moved_checkout_gets_a_new_environment(steps, monkeypatch, tmp_path):
    steps()
    steps.module.ROOT.rename(tmp_path / "moved")
    monkeypatch.setattr(steps.module, "ROOT", tmp_path / "moved")
    assert steps()[1][:2] == ["venv", "install []"]


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left\n", "disk is full"),
        (
            "ERROR: Could not find a version that satisfies bpy (from versions: none)\n"
            "ERROR: No matching distribution found for bpy\n",
            "could not download .*No matching distribution found for bpy.*network",
        ),
        (
            "  ERROR: No matching distribution found for setuptools (from versions: none)\n"
            "error: subprocess-exited-with-error\n\nnote: This error originates from a subprocess\n",
            "could not download .*No matching distribution found for setuptools",
        ),
        ("ERROR: ResolutionImpossible\n", "could not install HoloTalk .ResolutionImpossible"),
        ("", "no reason given"),
    ],
)
def test_what_pip_says_becomes_one_line(set_up, tmp_path, log, says):
    message = set_up.pip_message(log, tmp_path / "pip-errors.log")
    assert one_line(message)
    with pytest.raises(set_up.SetUpError, match=says):
        raise set_up.SetUpError(message)


def test_the_script_runs_on_its_own_and_refuses_unknown_extras():
    done = subprocess.run(
        [sys.executable, "-E", "-s", "-S", SCRIPT, "--extra", "nonsense"],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr
