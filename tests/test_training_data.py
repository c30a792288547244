# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data: real renders of a few people, their truth, and what stops, damages or shares the work."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from processes import group_is_there, wait_until

from holotalk_addon import pipeline
from holotalk_addon.head.view import level_view
from holotalk_addon.learning import contact_sheet
from holotalk_addon.learning.orders import FULL_YAWS, make_order

ROOT = Path(__file__).parents[1]
SEED = 11
YAWS = (0.0, -90.0, 40.0, 180.0)
SIZE = 96
RENDERED_S = 300
"""Far more than starting Blender and rendering somebody takes, on a busy machine too."""


@pytest.fixture(scope="module")
def session():
    """One studio for all tests of this file: opening it takes a while."""
    from holotalk_addon.scene.hologram_scene import new_file
    from holotalk_addon.scene.photo_session import PhotoSession

    new_file()
    result = PhotoSession(make_order("full", SEED, SIZE, YAWS))
    yield result
    result.close()


@pytest.fixture
def shared(session, monkeypatch):
    """Have :func:`render_data` use that studio, with shards of two people; counts whom it renders."""
    from holotalk_addon.learning import data_folder

    rendered = []

    class Shared:
        def __init__(self, order):
            session.order = order

        def __call__(self, number):
            rendered.append(number)
            return session(number)

        def close(self):
            pass

    monkeypatch.setattr(pipeline, "_photo_session", Shared)
    monkeypatch.setitem(data_folder.PEOPLE_A_SHARD, "holotalk", 2)
    return rendered


@pytest.fixture(scope="module")
def full(session):
    """The samples of three people in the preset full, one after another."""
    session.order = make_order("full", SEED, SIZE, YAWS)
    return [session(number).arrays for number in range(3)]


@pytest.fixture(scope="module")
def snapshots(session):
    """The samples of two people in the preset holotalk."""
    session.order = make_order("holotalk", SEED)
    return [session(number).arrays for number in range(2)]


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def shown(arrays, view):
    """What a view of the preset full shows: person by the picture, person by the truth."""
    return arrays["colour"][0, view, ..., 3] > 127, arrays["region"][0, view] > 0


# ---------------------------------------------------------------- truth


@pytest.mark.parametrize("person", range(3))
@pytest.mark.parametrize("view", range(len(YAWS)))
def test_the_truth_has_the_outline_of_the_picture(full, person, view):
    picture, truth = shown(full[person], view)
    assert 0.15 < truth.mean() < 0.9
    assert overlap(picture, truth) > 0.95


@pytest.mark.parametrize("person", range(3))
def test_the_truth_of_the_photo_has_its_outline(full, person):
    arrays = full[person]
    assert overlap(arrays["photo_colour"][0, ..., 3] > 127, arrays["photo_region"][0] > 0) > 0.95


def test_a_mirrored_truth_would_be_noticed(full):
    for arrays in full:
        for view in (1, 2):
            picture, truth = shown(arrays, view)
            assert overlap(picture, truth) > overlap(picture, truth[:, ::-1]) + 0.05


def test_ground_is_ground_in_every_array(full):
    for arrays in full:
        ground = arrays["region"] == 0
        assert np.isinf(arrays["depth"][ground]).all()
        assert np.isfinite(arrays["depth"][~ground]).all()
        assert not arrays["normals"][ground].any()
        assert not arrays["uv"][ground].any()


def test_depth_is_where_the_landmarks_are(full):
    """Landmarks come from the model's correspondences and the camera, depth from the z-buffer."""
    for arrays in full:
        for view in (0, 2):
            seen = arrays["seen468"][0, view]
            assert seen.sum() > 100
            points = arrays["points468"][0, seen] @ arrays["rotation"][0, view].T
            column, row = arrays["landmarks468"][0, view, seen].astype(int).T
            depth = arrays["depth"][0, view, row, column].astype(np.float64)
            assert np.median(np.abs(depth + points[:, 2])) < 0.003


def test_landmarks_project_on_to_their_regions(full):
    from holotalk_addon.learning.shards import REGION_LABELS

    lips = REGION_LABELS.index("lips")
    shown = 0
    for arrays in full:
        mouth = arrays["landmarks68"][0, 0, 48:60]
        rows, columns = np.nonzero(arrays["region"][0, 0] == lips)
        if len(rows) < 8:  # under a beard
            continue
        shown += 1
        assert abs(columns.mean() + 0.5 - mouth[:, 0].mean()) < 2.0
        assert abs(rows.mean() + 0.5 - mouth[:, 1].mean()) < 2.5
    assert shown, "a beard each"


def test_the_face_network_finds_the_landmarks_in_the_picture(full, tools):
    """The one judge that knows nothing of the truth: it looks at the rendered pixels."""
    from holotalk_addon.face.mesh import fit_mesh

    found = 0
    for arrays in full:
        colour = arrays["colour"][0, 0].astype(np.float64)
        picture = (colour[..., :3] * colour[..., 3:] / 255.0).astype(np.uint8)
        picture = np.asarray(Image.fromarray(picture).resize((4 * SIZE, 4 * SIZE), Image.Resampling.BICUBIC))
        truth = 4.0 * arrays["landmarks468"][0, 0].astype(np.float64)
        middle, side = (truth.min(axis=0) + truth.max(axis=0)) / 2, np.ptp(truth, axis=0).max()
        points, score = fit_mesh(tools.faces.landmark, picture, middle, 1.5 * side)
        unit = np.linalg.norm(truth[33] - truth[263])
        error = np.linalg.norm(points[:, :2] - truth, axis=1).mean() / unit
        found += score > 0.5 and error < 0.12
    assert found >= 2


def test_a_positive_yaw_turns_the_nose_to_the_right(full):
    for arrays in full:
        front, turned = arrays["landmarks468"][0, 0], arrays["landmarks468"][0, 2]
        # Against the middle of the eyes, and in the picture's outline alike.
        assert turned[1, 0] - turned[[33, 263], 0].mean() > front[1, 0] - front[[33, 263], 0].mean() + 3
        assert arrays["pose"][0, 2] == pytest.approx([40.0, 0.0, 0.0], abs=0.01)


def test_normals_look_at_the_camera(full):
    from holotalk_addon.learning.shards import REGION_LABELS

    for arrays in full:
        normals = arrays["normals"][arrays["region"] > 0].astype(np.float64) / 127.0
        assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0, abs=0.02)
        # Hair, by its own normals, is shaded as the round of the head: some of it looks away.
        skin = np.isin(arrays["region"], [REGION_LABELS.index(n) for n in ("face", "ears", "neck", "lips")])
        own = arrays["normals"][skin].astype(np.float64) / 127.0
        assert np.mean(own[:, 2] > -0.05) > 0.99


def test_uv_leads_to_the_colour(full, session):
    """The texture at the true coordinates is what the lit picture shows, up to the light."""
    from holotalk_addon.learning.shards import REGION_LABELS

    session.order = session.order.__class__("full", SEED, SIZE, YAWS, 0)
    for number, arrays in enumerate(full):
        texture = session.person(number)[0].head.texture
        rows, columns = texture.shape[:2]
        skin = np.isin(arrays["region"][0, 0], [REGION_LABELS.index(n) for n in ("face", "lips", "eyes")])
        uv = arrays["uv"][0, 0][skin].astype(np.float64) / 65535.0
        own = texture[
            np.clip(((1 - uv[:, 1]) * rows).astype(int), 0, rows - 1),
            np.clip((uv[:, 0] * columns).astype(int), 0, columns - 1),
            :3,
        ].astype(np.float64)
        picture = arrays["colour"][0, 0][skin][:, :3].astype(np.float64)
        # Redness is the skin's own, whatever the light's strength.
        red = [np.log((c[:, 0] + 8) / (c[:, 2] + 8)) for c in (own, picture)]
        assert np.corrcoef(red)[0, 1] > 0.3


def test_the_photo_lies_on_a_ground_and_the_views_do_not(full):
    seen = 0
    for arrays in full:
        outside = arrays["photo_colour"][0, ..., 3] == 0
        if outside.any():
            seen += 1
            assert arrays["photo"][0][outside].any()
        assert not arrays["colour"][0, ..., 3].all()
    assert seen, "everybody fills their photo"


def test_codes_give_the_landmarks(full, session):
    for arrays in full:
        vertices = session.model.vertices(arrays["identity"][0], arrays["expression"][0])
        assert session.model.landmarks(vertices) == pytest.approx(arrays["points468"][0], abs=1e-5)


def test_snapshots_are_fronts_and_sides_of_one_person(snapshots):
    for arrays in snapshots:
        assert arrays["front"].shape == arrays["side"].shape == (5, 64, 64)
        assert arrays["front"].dtype == np.uint8
        assert arrays["yaw"].tolist() == [0, 10, 20, 30, 40]
        assert not arrays["front"][:, 0, [0, -1]].any()
        assert arrays["front"][0].max() > 60


def test_snapshots_have_the_place_and_scale_they_are_said_to(snapshots, full):
    """Front and side of the preset holotalk have the outlines that the truth tells of the same person."""
    for few, all_views in zip(snapshots, full, strict=False):
        for picture, view in ((few["front"][0], 0), (few["front"][4], 2), (few["side"][0], 1)):
            truth = Image.fromarray((all_views["region"][0, view] > 0).astype(np.uint8) * 255)
            small = np.asarray(truth.resize((64, 64), Image.Resampling.BOX)) > 127
            dark = small & (picture == 0)  # black hair in the shade
            assert overlap((picture > 0) | dark, small) > 0.88  # soft edges count here


def test_whoever_was_before_changes_nothing(session, snapshots):
    """The studio is used again and again; a person looks the same in a new one and after others."""
    from holotalk_addon.scene.photo_session import grey_picture
    from holotalk_addon.scene.studio import Studio

    session.order = make_order("holotalk", SEED)
    again = session(0).arrays
    assert all(np.array_equal(again[name], snapshots[0][name]) for name in again)
    person, shot = session.person(1)
    yaws = session.order.yaws
    views = [level_view(yaw - turn, 64) for turn in (0.0, 90.0) for yaw in yaws]
    with Studio() as fresh:
        pictures = fresh.photograph(person, shot, views)
    grey = np.stack([grey_picture(picture) for picture in pictures])
    assert np.array_equal(grey, np.concatenate([snapshots[1]["front"], snapshots[1]["side"]]))


def test_a_lamp_of_one_half_makes_a_white_head_half_white(session):
    from dataclasses import replace

    from holotalk_addon.head.view import level_view
    from holotalk_addon.people.shot import Lamp

    person, shot = session.person(0)
    white = np.full_like(person.head.texture, 255)
    person = replace(person, head=replace(person.head, texture=white), props=())
    lamp = Lamp((0.0, 0.0, 1.0), 2.0, 0.2, (1.0, 1.0, 1.0), 0.5)
    dark = (0.0, 0.0, 0.0)
    shot = replace(shot, lamps=(lamp,), sky=dark, horizon=dark, ground=dark)
    picture = session._studio.photograph(person, shot, [level_view(0.0, 64)])[0]
    skin = picture[picture[..., 3] == 255][:, 1]
    assert 175 < np.percentile(skin, 80) < 205  # sRGB of 0.5 is 188


def test_a_studio_leaves_nothing_behind(session):
    import bpy

    from holotalk_addon.scene.own import own_kinds, role_of
    from holotalk_addon.scene.studio import Studio

    def ours():
        return [b.name for blocks in (*own_kinds(), bpy.data.lights) for b in blocks if role_of(b)]

    person, shot = session.person(0)
    before = ours()
    with Studio() as studio:
        studio.photograph(person, shot, [session_view()] * 2)
        assert len(ours()) > len(before) + 10
    assert ours() == before


def session_view():
    from holotalk_addon.head.view import level_view

    return level_view(0.0, 32)


# ---------------------------------------------------------------- the folder


def files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def render(folder, samples, **options):
    order = make_order("holotalk", SEED)
    return pipeline.render_data(order, folder, samples, workers=0, **options)


def test_what_a_folder_holds(shared, tmp_path):
    from holotalk_addon.learning.shards import open_data

    card = render(tmp_path / "data", 23)
    assert shared == [0, 1, 2, 3, 4]
    assert sorted(files(tmp_path / "data")) == [
        "card.json", "contact_sheet.png", "shard_00000.npz", "shard_00001.npz", "shard_00002.npz",
    ]  # fmt: skip
    assert [entry.samples for entry in card.shards] == [10, 10, 3]
    for entry in card.shards:
        content = (tmp_path / "data" / entry.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.sha256
    data = open_data(tmp_path / "data", "holotalk")
    assert data.card == card
    assert data.column("index").tolist() == list(range(23))
    assert data.column("person").tolist() == [i // 5 for i in range(23)]
    assert card.people == 5
    assert all(sum(classes.values()) == 5 for classes in card.counts.values())
    assert {"age", "sex", "hair_style", "shot_light"} <= set(card.counts)
    assert len(data.attributes()) == 23
    with Image.open(tmp_path / "data" / "contact_sheet.png") as sheet:
        assert np.asarray(sheet).any()


def test_a_stopped_run_goes_on(shared, tmp_path):
    render(tmp_path / "whole", 25)
    shared.clear()

    def stop(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(tmp_path / "data", 25, progress=stop)
    assert shared == [0, 1, 2]
    told = []
    render(tmp_path / "data", 25, progress=told.append)
    assert shared == [0, 1, 2, 3, 4]
    assert told[0] == pytest.approx(0.6)
    assert files(tmp_path / "data") == files(tmp_path / "whole")


def test_what_others_put_into_the_folder_stays_and_hinders_nothing(shared, tmp_path):
    """File managers leave files of their own, and a killed process what it had half written."""

    def stop(_fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(tmp_path, 5, progress=stop)
    for name in (".DS_Store", ".holotalk-half.npz", "person_of_mine.npz"):
        (tmp_path / "unfinished" / name).write_bytes(b"anything")
    assert render(tmp_path, 5).complete
    assert sorted(p.name for p in (tmp_path / "unfinished").iterdir()) == [".DS_Store", "person_of_mine.npz"]


@pytest.mark.parametrize("damage", ["flip", "cut", "missing"])
def test_a_damaged_shard_is_redone(shared, tmp_path, damage):
    render(tmp_path, 20)
    whole = files(tmp_path)
    shared.clear()
    path = tmp_path / "shard_00001.npz"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    said = []
    render(tmp_path, 20, say=said.append)
    assert shared == [2, 3]
    assert files(tmp_path) == whole
    assert len(said) == 1
    assert "shard_00001.npz" in said[0]


def test_a_half_written_person_is_redone(shared, tmp_path):
    def stop(fraction):
        if fraction > 0.1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(tmp_path, 10, progress=stop)
    (part,) = (tmp_path / "unfinished").iterdir()
    part.write_bytes(part.read_bytes()[:-100])
    shared.clear()
    render(tmp_path, 10)
    assert shared == [0, 1]


def test_more_samples_are_added(shared, tmp_path):
    render(tmp_path / "data", 13)
    shared.clear()
    render(tmp_path / "data", 25)
    assert shared == [2, 3, 4]  # of the third person only some samples had been kept
    render(tmp_path / "whole", 25)
    assert files(tmp_path / "data") == files(tmp_path / "whole")


def test_other_data_in_the_folder_is_left_alone(shared, tmp_path):
    from holotalk_addon.errors import OptionError

    render(tmp_path, 10)
    before = files(tmp_path)
    with pytest.raises(OptionError, match="other data"):
        pipeline.render_data(make_order("holotalk", SEED + 1), tmp_path, 10, workers=0)
    with pytest.raises(OptionError, match="10 samples"):
        render(tmp_path, 5)
    assert files(tmp_path) == before


def test_unfinished_data_is_not_opened(shared, tmp_path):
    from holotalk_addon.errors import OptionError
    from holotalk_addon.learning.shards import open_data

    def stop(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(tmp_path, 20, progress=stop)
    with pytest.raises(OptionError, match="not finished"):
        open_data(tmp_path)


def test_the_full_preset_is_written_and_read(session, shared, tmp_path, full):
    from holotalk_addon.learning.shards import HELD_OUT_FROM, open_data

    order = make_order("full", SEED, SIZE, YAWS)
    pipeline.render_data(order, tmp_path, 2, workers=0)
    data = open_data(tmp_path, "full")
    assert np.array_equal(data.column("colour")[1], full[1]["colour"][0])
    assert np.array_equal(data.column("photo")[0], full[0]["photo"][0])
    assert (data.column("person") < HELD_OUT_FROM).all()


def test_without_yaws_the_photo_alone_is_rendered(session, shared, tmp_path, full):
    """Enough for the parsing network, in a fraction of the time; it is the photo that views come with."""
    from holotalk_addon.errors import OptionError
    from holotalk_addon.learning.shards import open_data

    order = make_order("full", SEED, SIZE, [])
    assert order.yaws == ()
    pipeline.render_data(order, tmp_path, 2, workers=0)
    data = open_data(tmp_path, "full")
    (arrays,) = data.shards()
    for name in ("photo", "photo_colour", "photo_region", "photo_landmarks468"):
        assert np.array_equal(arrays[name][1], full[1][name][0])
    views = {name.removeprefix("photo_") for name in arrays if name.startswith("photo_")}
    assert not views & set(arrays), "no views"
    sheet = np.asarray(Image.open(tmp_path / "contact_sheet.png"))
    assert sheet.shape[:2] == (contact_sheet.SHEET_TILE, 2 * contact_sheet.SHEET_TILE), "one picture of each"
    assert sheet.std() > 20
    with pytest.raises(OptionError, match="has no 'colour'"):
        data.column("colour")


def test_the_command_takes_yaws_without_degrees(monkeypatch, tmp_path):
    from holotalk_addon import cli

    orders = []

    def render_data(order, *_, **__):
        orders.append(order)
        return SimpleNamespace(samples=1, people=1, shards=())

    monkeypatch.setattr(pipeline, "render_data", render_data)
    for yaws in (["--yaws"], ["--yaws", "10", "-20"], []):
        cli.main(["render-data", "-o", str(tmp_path), "-n", "1", "--preset", "full", *yaws])
    assert [order.yaws for order in orders] == [(), (10.0, -20.0), FULL_YAWS]


def test_the_same_number_is_somebody_else_with_another_seed(session, snapshots):
    session.order = make_order("holotalk", SEED + 1)
    other = session(0).arrays
    assert not np.array_equal(other["front"], snapshots[0]["front"])


def test_the_data_as_a_tensorflow_dataset(shared, tmp_path):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed (extra 'train')")
    from holotalk_addon.learning.shards import dataset, open_data

    render(tmp_path, 12)
    data = open_data(tmp_path)
    rows = list(dataset(data, ["front", "yaw", "attributes"]).as_numpy_iterator())
    assert np.array_equal(np.stack([row["front"] for row in rows]), data.column("front"))
    assert json.loads(rows[0]["attributes"]) == data.attributes()[0]
    mixed = [row["yaw"] for row in dataset(data, ["yaw"], shuffle=12, seed=1).as_numpy_iterator()]
    assert sorted(mixed) == sorted(data.column("yaw"))


# ---------------------------------------------------------------- processes


def command(folder, *arguments):
    return [
        sys.executable, "-m", "holotalk_addon.cli", "render-data", "-o", str(folder), "-n", "20",
        "--seed", str(SEED), *arguments,
    ]  # fmt: skip


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files of one process's uninterrupted run."""
    folder = tmp_path_factory.mktemp("alone") / "data"
    subprocess.run(command(folder, "--workers", "0"), env=ENVIRONMENT, check=True, timeout=600)
    return files(folder)


def wait_for_part(folder, process):
    """Until somebody has been rendered."""
    wait_until(
        lambda: any((folder / "unfinished").glob("person_*.npz")), "somebody is rendered", process, RENDERED_S
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(alone, tmp_path):
    folder = tmp_path / "data"
    process = subprocess.Popen(command(folder, "--workers", "0"), env=ENVIRONMENT)
    wait_for_part(folder, process)
    process.kill()
    process.wait()
    kept = set((folder / "unfinished").glob("person_*.npz"))
    assert kept
    subprocess.run(command(folder, "--workers", "0"), env=ENVIRONMENT, check=True, timeout=600)
    assert files(folder) == alone


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_two_workers_of_which_one_is_killed_lose_nothing(alone, tmp_path):
    import psutil

    folder = tmp_path / "data"
    process = subprocess.Popen(
        command(folder, "--workers", "2"), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    wait_for_part(folder, process)
    children = psutil.Process(process.pid).children()
    working = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    working[0].kill()
    said = process.communicate(timeout=600)[1]
    assert process.returncode == 0, said
    assert files(folder) == alone


@pytest.mark.slow
def test_the_workers_of_a_scheduler_render_the_same(alone, tmp_path):
    pytest.importorskip("distributed", reason="Dask's distributed is not installed (extra 'data')")
    folder, place = tmp_path / "data", tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(place), "--no-dashboard"]
    dask = [sys.executable, "-m", "dask"]
    with contextlib.ExitStack() as stack:

        def start(what, *words):
            process = subprocess.Popen([*dask, what, *words, *options], env=ENVIRONMENT)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_until(place.is_file, "the scheduler says where it is", scheduler, RENDERED_S)
        start("worker", "--nthreads", "1")
        address = json.loads(place.read_text())["address"]
        subprocess.run(command(folder, "--scheduler", address), env=ENVIRONMENT, check=True, timeout=600)
    assert files(folder) == alone


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_stops_workers_and_keeps_what_is_done(tmp_path):
    """Of so many people that they cannot all be done by then."""
    folder = tmp_path / "data"
    process = subprocess.Popen(
        [*command(folder, "--workers", "2"), "--first-person", "50", "-n", "5000"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests that a script has sent to the background ignore Ctrl-C, and all that they start inherits that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it takes no lock
    )
    try:
        wait_for_part(folder, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 130, said
        wait_until(lambda: not group_is_there(process), "all processes end", seconds=RENDERED_S)
    except BaseException:
        if group_is_there(process):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    assert "goes on" in said
    assert "Traceback" not in said
    assert any((folder / "unfinished").glob("person_*.npz"))


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["-n", "0"], "0 samples"),
        (["-n", "5", "--size", "128"], "preset holotalk is fixed"),
        (["-n", "5", "--yaws", "0", "45"], "preset holotalk is fixed"),
        (["-n", "5", "--preset", "full", "--size", "4"], "4 pixels"),
        (["-n", "5", "--preset", "full", "--yaws", "10", "10"], "each named once"),
        (["-n", "5", "--preset", "full", "--yaws", "nan"], "degrees"),
        (["-n", "5", "--workers", "-1"], "-1 workers"),
        (["-n", "5", "--seed", "-3"], "whole numbers"),
        (["-n", "five"], "invalid int"),
    ],
)
def test_bad_options_end_with_2_and_leave_nothing(cli, tmp_path, arguments, why):
    done = cli("render-data", "-o", tmp_path / "data", *arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_file_is_no_folder(cli, tmp_path):
    (tmp_path / "data").write_text("kept")
    done = cli("render-data", "-o", tmp_path / "data", "-n", "5")
    assert done.returncode == 2
    assert "is a file" in done.stderr
    assert (tmp_path / "data").read_text() == "kept"


def test_a_card_of_something_else(cli, tmp_path):
    (tmp_path / "card.json").write_text('{"holiday": "Crete"}')
    done = cli("render-data", "-o", tmp_path, "-n", "5")
    assert done.returncode == 2
    assert "no card of training data" in done.stderr


def test_where_blender_is_loaded_no_workers_are_started(shared, tmp_path):
    """They would find another `bpy` in the folders that they inherit, and fail."""
    said = []
    order = make_order("holotalk", SEED)
    card = pipeline.render_data(order, tmp_path, 5, workers=2, say=said.append)
    assert card.complete
    assert shared == [0]
    assert any("one process" in sentence for sentence in said)


def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="Dask's distributed is not installed (extra 'data')")
    from holotalk_addon.errors import OptionError
    from holotalk_addon.learning import farm

    monkeypatch.setattr(farm, "PATIENCE_S", 1)
    order = make_order("holotalk", SEED)
    with pytest.raises(OptionError, match="No Dask scheduler"):
        pipeline.render_data(order, tmp_path, 5, scheduler="tcp://127.0.0.1:9")
