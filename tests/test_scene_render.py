# SPDX-License-Identifier: GPL-3.0-or-later
"""The hologram as rendered: the sequencer's layout, the fast way, videos, stills and single views."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from stand_in_head import ARKIT_NAMES, LEFT_HAIR, RIGHT_HAIR, stand_in_head, stand_in_with_hair

from holotalk_addon.errors import OptionError, OutputError
from holotalk_addon.hologram.layout import compose, pyramid_layout
from holotalk_addon.hologram.motion import loop_motion
from holotalk_addon.hologram.testcard import testcard as make_card
from holotalk_addon.scene import compat
from holotalk_addon.scene.hair_object import find_hair
from holotalk_addon.scene.head_subject import HeadSubject
from holotalk_addon.scene.hologram_scene import build_hologram, new_file
from holotalk_addon.scene.quiet import quiet
from holotalk_addon.scene.render import (
    _layout_scene,
    _plain_texture_filter,
    _render_panels,
    render_frames,
    render_hologram,
    render_picture,
    render_views,
    write_views,
)
from holotalk_addon.scene.render_plan import fast_way_holds

SIZE = 200


@pytest.fixture(autouse=True)
def _empty_file():
    new_file()


def _picture(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def _scene_strips(hologram, frame, path):
    """What Blender's own render of the hologram scene gives."""
    scene = bpy.data.scenes[hologram.hologram]
    compat.output_png(scene, alpha=False)
    scene.frame_start = scene.frame_end = frame
    scene.render.filepath = str(path.with_suffix(".####"))
    with quiet():
        # As an animation: for a still, Blender takes the view scenes at their own current frame.
        bpy.ops.render.render(animation=True, scene=scene.name)
    scene.frame_start, scene.frame_end = 1, hologram.motion.frames
    return _picture(path.with_suffix(f".{frame:04d}.png"))


def _render_first(scene, path):
    compat.output_png(scene, alpha=False)
    scene.frame_start = scene.frame_end = 1
    scene.render.filepath = str(path) + "_####"
    with quiet():
        bpy.ops.render.render(animation=True, scene=scene.name)
    return _picture(f"{path}_0001.png")


def _laid_out(hologram, folder, frames):
    """The frames of the video as PNGs, the way render_hologram makes them."""
    sequences = _render_panels(hologram, folder, frames, lambda _part: None)
    with _layout_scene(hologram, sequences) as scene:
        compat.output_png(scene, alpha=False)
        scene.frame_start, scene.frame_end = frames[0], frames[-1]
        scene.render.filepath = str(folder / "frame_####")
        with quiet():
            bpy.ops.render.render(animation=True, scene=scene.name)
    return [_picture(folder / f"frame_{frame:04d}.png") for frame in frames]


def _same(strips, pictures):
    """Equal but for rounding: scene strips stay floats to the end, pictures were bytes on the way, and a
    head that turned instead of its camera may round one sample of a soft edge to the other side, at a
    pixel or two of a frame. A panel that is one pixel or one frame off differs at hundreds."""
    difference = np.abs(strips.astype(int) - pictures).max(axis=2)
    return difference.max() <= 32 and (difference > 3).sum() <= 4 and (difference > 1).mean() < 0.001


@pytest.mark.parametrize("frame", [None, (240, 320)])
@pytest.mark.parametrize("screen", ["up", "down"])
def test_sequencer_puts_every_pixel_where_the_reference_does(screen, frame, tmp_path):
    layout = pyramid_layout(SIZE, 0.2, screen, frame)
    hologram = build_hologram(
        HeadSubject(stand_in_head()), layout, loop_motion("turntable", 1, 8), engine="workbench"
    )
    strips = _scene_strips(hologram, 2, tmp_path / "strips.png")
    assert strips.shape == (layout.frame[1], layout.frame[0], 3)
    views = []
    for name in hologram.views:
        render_frames(bpy.data.scenes[name], [2], tmp_path / name, lambda _part: None)
        views.append(_picture(tmp_path / f"{name}00002.png"))
    reference = compose(layout, views)
    # Pictures on the way were bytes, so rounding apart it must be the same; the head is freckled, so one
    # pixel aside would show.
    assert np.abs(reference.astype(int) - strips).max() <= 1
    # Image strips of the very same pictures come out to the bit.
    sequences = [[tmp_path / f"{name}00002.png"] for name in hologram.views]
    with _layout_scene(hologram, sequences) as scene:
        laid_out = _render_first(scene, tmp_path / "laid_out")
    np.testing.assert_array_equal(laid_out, reference)
    assert strips.max() > 200


@pytest.mark.parametrize("screen", ["up", "down"])
def test_fast_way_equals_the_scene_strips_on_every_frame(screen, tmp_path):
    layout = pyramid_layout(SIZE, 0.2, screen)
    hologram = build_hologram(
        HeadSubject(stand_in_head()), layout, loop_motion("turntable", 1, 8), engine="workbench"
    )
    assert fast_way_holds(hologram)
    fast = _laid_out(hologram, tmp_path, range(1, 9))
    for frame in range(1, 9):
        strips = _scene_strips(hologram, frame, tmp_path / "strips.png")
        assert _same(strips, fast[frame - 1]), frame
    # Something turns, and in one direction round the four panels.
    assert np.abs(fast[0].astype(int) - fast[1]).max() > 60


@pytest.mark.parametrize(
    ("kind", "sides", "cameras"), [("sway", "around", 4), ("turntable", "front", 1), ("still", "around", 4)]
)
def test_other_loops_equal_the_scene_strips(kind, sides, cameras, tmp_path):
    layout = pyramid_layout(SIZE)
    hologram = build_hologram(
        HeadSubject(stand_in_head()), layout, loop_motion(kind, 1, 4), sides, "workbench"
    )
    assert len(hologram.cameras) == cameras
    assert not fast_way_holds(hologram)
    laid_out = _laid_out(hologram, tmp_path, range(1, 5))
    for frame in (1, 2, 4):
        strips = _scene_strips(hologram, frame, tmp_path / "strips.png")
        assert _same(strips, laid_out[frame - 1]), frame


def test_fast_way_is_left_when_the_loop_was_edited():
    def build():
        return build_hologram(
            HeadSubject(stand_in_head()), pyramid_layout(SIZE), loop_motion("turntable", 1, 8)
        )

    hologram = build()
    assert fast_way_holds(hologram)
    curve = compat.fcurve(bpy.data.objects[hologram.turntable], "rotation_euler", 2)
    curve.keyframe_points[1].co.y *= 2.0
    curve.update()
    assert not fast_way_holds(hologram)
    hologram = build()
    key = bpy.data.objects[hologram.subject].data.shape_keys.key_blocks["jawOpen"]
    key.keyframe_insert("value", frame=3)
    assert not fast_way_holds(hologram)
    hologram = build()
    bpy.data.objects[hologram.turntable].keyframe_insert("location", frame=3)
    assert not fast_way_holds(hologram)
    hologram = build()
    bpy.data.objects[hologram.cameras[1]].location.x += 0.1
    assert not fast_way_holds(hologram)


@pytest.mark.parametrize(
    ("screen", "engine"), [("up", "workbench"), ("down", "workbench"), ("down", "eevee")]
)
def test_head_stays_inside_the_mirrors_at_every_frame(screen, engine, tmp_path):
    layout = pyramid_layout(SIZE, 0.2, screen)
    frames = range(1, 9) if engine == "workbench" else range(1, 3)
    hologram = build_hologram(
        HeadSubject(stand_in_head()), layout, loop_motion("turntable", 1, 8), engine=engine
    )
    rows, columns = np.indices((SIZE, SIZE))
    x, y = columns + 0.5 - SIZE / 2, SIZE / 2 - rows - 0.5
    out = np.maximum(np.abs(x), np.abs(y))
    # The four trapezoids meet along the diagonals; 2 px beside them nothing may be lit.
    inside = (np.abs(np.abs(x) - np.abs(y)) > 2) & (out > layout.half_gap)
    for picture in _laid_out(hologram, tmp_path, frames):
        assert picture[~inside].max() == 0
        for side in (x > np.abs(y), x < -np.abs(y), y > np.abs(x), y < -np.abs(x)):
            assert picture[side].max() > 150
            # The head fills the mirror's height: no more than the margin and its fade are left.
            lit = out[side & (picture.max(axis=2) > 8)]
            assert lit.max() - lit.min() > 0.8 * layout.panel_height


@pytest.fixture
def streams_of():
    """What ffprobe says of a video's streams."""
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        pytest.skip("ffprobe is not installed")

    def probe(path):
        command = [ffprobe, "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"]

    return probe


def _decode(path, width, height):
    """(frames, H, W, 3) of a video, by the computer's ffmpeg or else the tests' own."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    command = [ffmpeg, "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, height, width, 3)


def test_video_is_of_the_loop_and_black_around_the_head(tmp_path):
    layout = pyramid_layout(SIZE, frame=(240, 320))
    hologram = build_hologram(
        HeadSubject(stand_in_head()), layout, loop_motion("turntable", 3, 16), engine="workbench"
    )
    path = tmp_path / "a video.mp4"
    path.write_bytes(b"old")
    told = []
    render_hologram(hologram, path, told.append)
    assert [p.name for p in tmp_path.iterdir()] == ["a video.mp4"]
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 48
    video = _decode(path, 240, 320).astype(int)
    assert len(video) == 48
    folder = tmp_path / "frames"
    folder.mkdir()
    frames = _laid_out(hologram, folder, range(1, 49))
    for shown, exact in zip(video, frames, strict=True):
        lit = exact.max(axis=2) > 0
        grown = lit.copy()
        for _ in range(8):
            grown[1:] |= grown[:-1].copy()
            grown[:-1] |= grown[1:].copy()
            grown[:, 1:] |= grown[:, :-1].copy()
            grown[:, :-1] |= grown[:, 1:].copy()
        assert (~grown).mean() > 0.3
        assert shown[~grown].max() <= 2
        assert np.abs(shown - exact)[lit].mean() < 8
    # From the last frame to the first it is as far as between any other two.
    steps = [np.abs(a - b).mean() for a, b in zip(video, np.roll(video, -1, axis=0), strict=True)]
    assert 0.7 * np.median(steps) < steps[-1] < 1.3 * np.median(steps)


def test_video_is_h264_as_players_know_it(streams_of, tmp_path):
    layout = pyramid_layout(SIZE, frame=(240, 320))
    hologram = build_hologram(stand_in_head(), layout, loop_motion("turntable", 1, 16), engine="workbench")
    render_hologram(hologram, tmp_path / "video.mp4")
    (stream,) = streams_of(tmp_path / "video.mp4")
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert (stream["width"], stream["height"], stream["nb_read_frames"]) == (240, 320, "16")
    assert stream["r_frame_rate"] == "16/1"


def test_still_is_the_first_frame_and_the_same_every_time(tmp_path):
    head = stand_in_head()
    pictures = []
    for name in ("one.png", "two.png"):
        new_file()
        hologram = build_hologram(
            HeadSubject(head), pyramid_layout(SIZE), loop_motion("turntable", 1, 8), engine="eevee"
        )
        render_hologram(hologram, tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.mode == "RGB"
        assert picture.size == (SIZE, SIZE)
        assert np.asarray(picture)[:3].max() == 0
    with _plain_texture_filter():
        strips = _scene_strips(hologram, 1, tmp_path / "strips.png")
    assert _same(strips, _picture(tmp_path / "one.png"))


def test_cancelling_leaves_nothing_behind(tmp_path):
    hologram = build_hologram(
        HeadSubject(stand_in_head()),
        pyramid_layout(SIZE),
        loop_motion("turntable", 1, 16),
        engine="workbench",
    )
    scenes = set(bpy.data.scenes.keys())

    class CancelledError(Exception):
        pass

    for limit in (0.1, 0.95):
        told = []

        def progress(part, limit=limit, told=told):
            told.append(part)
            if part > limit:
                raise CancelledError

        old = tmp_path / "old.mp4"
        old.write_bytes(b"untouched")
        with pytest.raises(CancelledError):
            render_hologram(hologram, old, progress)
        assert old.read_bytes() == b"untouched"
        assert [p.name for p in tmp_path.iterdir()] == ["old.mp4"]
        assert sum(part > limit for part in told) == 1
        assert set(bpy.data.scenes.keys()) == scenes


def test_bad_outputs_are_refused_before_any_work(tmp_path):
    hologram = build_hologram(HeadSubject(stand_in_head()), pyramid_layout(SIZE), loop_motion("still", 1, 4))
    with pytest.raises(OptionError, match=r"\.mp4 or \.png"):
        render_hologram(hologram, tmp_path / "hologram.avi")
    with pytest.raises(OutputError, match="does not exist"):
        render_hologram(hologram, tmp_path / "nowhere" / "hologram.mp4")
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        render_hologram(hologram, folder)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.mp4"]


def test_views_turn_the_nose_to_the_right_and_keep_one_scale(tmp_path):
    head = replace(stand_in_head(), expression=np.zeros(52, np.float32))
    before = {block.name for block in bpy.data.objects}
    many = render_views(HeadSubject(head), [-90, 0, 90, 180], 128, "workbench")
    assert {block.name for block in bpy.data.objects} == before
    assert len(bpy.data.scenes) == 1
    (alone,) = render_views(HeadSubject(head), [90], 128, "workbench")
    np.testing.assert_array_equal(many[2], alone)
    assert all(view.shape == (128, 128, 3) and view.dtype == np.uint8 for view in many)

    def reach(view):
        lit = np.flatnonzero((view.max(axis=2) > 0).any(axis=0))
        return 64 - lit[0], lit[-1] + 1 - 64

    left, right = reach(many[2])
    assert right > left + 1  # +90: the nose points to the picture's right
    left, right = reach(many[0])
    assert left > right + 1
    # The letters stand on the colours of their sides: L (the person's left, blue) shows at -90.
    for view, side in zip(
        many, ((120, 160, 205), (196, 150, 122), (150, 190, 120), (112, 84, 62)), strict=True
    ):
        middle = np.median(view[20:50, 59:69].reshape(-1, 3), axis=0)
        assert np.abs(middle - side).max() < 30
    paths = write_views(HeadSubject(head), [-45, 12.5], tmp_path, 64, engine="workbench")
    assert [p.name for p in paths] == ["view_-45.png", "view_12.5.png"]
    assert _picture(paths[0]).shape == (64, 64, 3)


def test_views_show_the_expression_of_the_photo():
    head = stand_in_head()
    still = replace(head, expression=np.zeros(52, np.float32))
    jaw = still.expression.copy()
    jaw[ARKIT_NAMES.index("jawOpen")] = 1.0
    closed, opened = (
        render_views(HeadSubject(h), [0], 128, "workbench")[0]
        for h in (still, replace(still, expression=jaw))
    )
    assert np.abs(closed.astype(int) - opened).max() > 60


@pytest.mark.parametrize("engine", ["eevee", "cycles"])
def test_engines_give_back_the_colours_of_the_texture(engine):
    head = stand_in_head()
    flat = head.texture.copy()
    flat[..., :3] = (180, 120, 60)
    flat[..., 3] = 255
    head = replace(head, texture=flat, fade=np.ones_like(head.fade))
    (view,) = render_views(HeadSubject(head), [0], 96, engine)
    middle = view[30:60, 40:56].reshape(-1, 3)
    assert np.abs(middle.astype(int) - (180, 120, 60)).max() <= 2
    assert view[:2].max() == 0


def test_fade_and_soft_lashes_appear_in_eevee():
    head = stand_in_head()
    (view,) = render_views(HeadSubject(head), [0], 256, "eevee")
    middle = view[:, 128].max(axis=1).astype(int)
    last = np.flatnonzero(middle > 0)[-1]
    assert middle[last] < 40  # the bust ends in the dark, without an edge
    hard = head.texture.copy()
    hard[..., 3] = 255
    (solid,) = render_views(HeadSubject(replace(head, texture=hard)), [0], 256, "eevee")
    changed = np.abs(view.astype(int) - solid).max(axis=2) > 20
    assert 10 < changed.sum() < 1000


@pytest.mark.parametrize("engine", ["workbench", "eevee", "cycles"])
def test_inside_of_the_open_bust_stays_dark(engine):
    """From behind, a bust that is cut lower in front shows nothing of the inside of its front."""
    head = stand_in_head()
    texture = head.texture.copy()
    texture[..., :3], texture[..., 3] = 200, 255
    front = head.vertices[head.polygons.clip(0)][..., 2].mean(axis=1) > 0.0
    kept = front & (head.polygon_parts == 0)
    half = replace(
        head,
        texture=texture,
        polygons=head.polygons[kept],
        uvs=head.uvs[kept],
        polygon_parts=head.polygon_parts[kept],
    )
    seen, inside = render_views(HeadSubject(half), [0, 180], 96, engine)
    assert seen.max() > 150
    assert np.percentile(inside[20:76, 36:60], 90) == 0


def test_test_card_goes_through_as_it_is(tmp_path):
    card = make_card(pyramid_layout(SIZE))
    render_picture(card, tmp_path / "card.png")
    np.testing.assert_array_equal(_picture(tmp_path / "card.png"), card)
    render_picture(card, tmp_path / "card.mp4", seconds=1, fps=8)
    video = _decode(tmp_path / "card.mp4", SIZE, SIZE)
    assert len(video) == 8
    assert np.abs(video[4].astype(int) - card).mean() < 6
    with pytest.raises(OptionError):
        render_picture(card, tmp_path / "card.gif")


def test_renders_say_nothing_on_standard_output(tmp_path, capfd):
    hologram = build_hologram(
        HeadSubject(stand_in_head()), pyramid_layout(SIZE), loop_motion("still", 1, 4), engine="workbench"
    )
    capfd.readouterr()
    render_hologram(hologram, tmp_path / "a.mp4")
    assert capfd.readouterr().out == ""


def test_a_first_render_says_nothing_at_all(tmp_path):
    """In a process of its own, as the command line is: Mesa complains when its first context is made."""
    program = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from stand_in_head import stand_in_head\n"
        "from holotalk_addon.scene.hologram_scene import new_file\n"
        "from holotalk_addon.scene.head_subject import HeadSubject\n"
        "from holotalk_addon.scene.render import write_views\n"
        "new_file()\n"
        "write_views(HeadSubject(stand_in_head()), [0], pathlib.Path(sys.argv[1]), 32, engine='workbench')\n"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(here)],
        cwd=here.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")
    assert (tmp_path / "view_0.png").exists()


# --- hair ---------------------------------------------------------------------------------------------


def _of_colour(view, colour):
    return np.abs(view.astype(int) - colour).max(axis=2) < 12


@pytest.mark.parametrize("engine", ["workbench", "eevee"])
def test_hair_is_in_the_picture_on_its_own_side(engine):
    head = stand_in_with_hair()
    front, right, left, back = render_views(HeadSubject(head), [0, 90, -90, 180], 128, engine)
    # The person's right side is seen at +90, and is on the picture's left from the front.
    for view, shown, other in ((right, RIGHT_HAIR, LEFT_HAIR), (left, LEFT_HAIR, RIGHT_HAIR)):
        assert _of_colour(view, shown).sum() > 1500
        assert _of_colour(view, other).sum() < 20
    for view, at_left, at_right in ((front, RIGHT_HAIR, LEFT_HAIR), (back, LEFT_HAIR, RIGHT_HAIR)):
        for colour, columns in ((at_left, slice(0, 62)), (at_right, slice(66, None))):
            assert _of_colour(view, colour)[:, columns].sum() > 300
            assert _of_colour(view, colour).sum() < 1.2 * _of_colour(view, colour)[:, columns].sum()
    # It is the uppermost thing; the face stays free.
    for view in (front, right, left, back):
        hair = _of_colour(view, RIGHT_HAIR) | _of_colour(view, LEFT_HAIR)
        rows = [np.flatnonzero(seen.any(axis=1))[0] for seen in (hair, view.max(axis=2) > 0)]
        assert rows[0] - rows[1] <= 2
    assert not (_of_colour(front, RIGHT_HAIR) | _of_colour(front, LEFT_HAIR))[45:].any()
    bald = render_views(HeadSubject(replace(head, hair=None)), [0], 128, engine)[0]
    assert not (_of_colour(bald, RIGHT_HAIR) | _of_colour(bald, LEFT_HAIR)).any()


@pytest.mark.parametrize("engine", ["eevee", "cycles"])
def test_edges_of_hair_are_soft(engine):
    head = stand_in_with_hair()
    hard = head.hair.texture.copy()
    hard[..., 3] = 255
    (soft,) = render_views(HeadSubject(head), [90], 192, engine)
    (solid,) = render_views(
        HeadSubject(replace(head, hair=replace(head.hair, texture=hard))), [90], 192, engine
    )
    hair = _of_colour(solid, RIGHT_HAIR)
    changed = hair & (np.abs(soft.astype(int) - solid).max(axis=2) > 20)
    assert 0.02 < changed.sum() / hair.sum() < 0.3
    # Neither the hair's colour nor what lies behind it: something between.
    (bare,) = render_views(
        HeadSubject(replace(head, hair=replace(head.hair, texture=0 * hard))), [90], 192, engine
    )
    rows, columns = np.nonzero(changed & (np.abs(bare.astype(int) - solid).max(axis=2) > 60))
    behind = np.abs(soft[rows, columns].astype(int) - bare[rows, columns]).max(axis=1) > 20
    assert behind.mean() > 0.3


@pytest.mark.parametrize("engine", ["eevee", "cycles"])
def test_of_soft_hair_only_the_outside_shows(engine):
    """From below and behind, the inside of a soft rim in front is not there at all."""
    head = stand_in_with_hair()
    front = head.hair.vertices[head.hair.polygons.clip(0)][..., 2].mean(axis=1) > 0.0
    kept = head.hair.soft & front
    rim = replace(
        head.hair,
        polygons=head.hair.polygons[kept],
        uvs=head.hair.uvs[kept],
        soft=head.hair.soft[kept],
        texture=np.full((4, 4, 4), 255, np.uint8),
    )
    nothing = replace(head, hair=rim, fade=np.full_like(head.fade, 1e-3))  # a head that is all but black
    outside, inside = render_views(HeadSubject(nothing), [0, 180], 96, engine)
    assert (outside.max(axis=2) > 200).sum() > 30
    assert inside.max() < 20


def test_what_the_fade_hides_of_hair_is_not_drawn_in_workbench():
    head = stand_in_with_hair()
    lit = replace(head, hair=replace(head.hair, fade=np.ones_like(head.hair.fade)))
    dark = replace(head, hair=replace(head.hair, fade=np.zeros_like(head.hair.fade)))
    amount = [
        int((_of_colour(view, RIGHT_HAIR) | _of_colour(view, LEFT_HAIR)).sum())
        for view in (render_views(HeadSubject(h), [180], 128, "workbench")[0] for h in (lit, head, dark))
    ]
    assert amount[0] > amount[1] > amount[2] == 0


def test_hair_takes_the_fast_way_and_leaves_it_when_it_moves(tmp_path):
    layout = pyramid_layout(SIZE)
    hologram = build_hologram(
        HeadSubject(stand_in_with_hair()), layout, loop_motion("turntable", 1, 8), engine="workbench"
    )
    assert fast_way_holds(hologram)
    _, fast = _laid_out(hologram, tmp_path, range(1, 3))
    assert _same(_scene_strips(hologram, 2, tmp_path / "strips.png"), fast)
    assert (_of_colour(fast, RIGHT_HAIR) | _of_colour(fast, LEFT_HAIR)).sum() > 1000
    hair = find_hair(bpy.data.objects[hologram.subject])
    lit = bpy.data.materials.new("Lit")
    former, hair.data.materials[0] = hair.data.materials[0], lit
    assert not fast_way_holds(hologram)
    hair.data.materials[0] = former
    assert fast_way_holds(hologram)
    hair.keyframe_insert("scale", frame=3)
    assert not fast_way_holds(hologram)
