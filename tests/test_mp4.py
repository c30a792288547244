# SPDX-License-Identifier: GPL-3.0-or-later
"""A video's index before its pictures: on videos that Blender has rendered, and on boxes made by hand."""

import struct

import cv2
import numpy as np
import pytest

from holotalk_addon.errors import OutputError
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.hologram.testcard import testcard as make_card
from holotalk_addon.scene import render
from holotalk_addon.scene.hologram_scene import new_file
from holotalk_addon.scene.mp4 import index_first


def kinds(path):
    """The letters of the file's boxes, in order."""
    content, found, at = path.read_bytes(), [], 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        found.append(kind.decode())
        at += size
    assert at == len(content)
    return found


def frames(path):
    """All that OpenCV can decode, (N, H, W, 3)."""
    film, found = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        found.append(read[1])
    return np.array(found)


# --- what Blender writes ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A video as Blender leaves it: a card with letters, two seconds of it."""
    path = tmp_path_factory.mktemp("plain") / "card.mp4"
    new_file()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "index_first", lambda path: None)
        render.render_picture(make_card(pyramid_layout(256)), path, seconds=2, fps=12)
    return path


def test_blender_itself_writes_the_index_last(plain):
    """If a Blender does better one day, this module can go."""
    order = kinds(plain)
    assert order.index("moov") > order.index("mdat")


def test_the_index_comes_first_and_every_frame_is_the_same(plain, tmp_path):
    path = tmp_path / "a video.mp4"
    path.write_bytes(plain.read_bytes())
    index_first(path)
    order = kinds(path)
    assert order.index("moov") < order.index("mdat")
    assert order[0] == "ftyp"
    assert sorted(order) == sorted(kinds(plain))
    assert path.stat().st_size == plain.stat().st_size
    assert [file.name for file in tmp_path.iterdir()] == ["a video.mp4"]
    before, after = frames(plain), frames(path)
    assert len(before) == 24
    assert before.max() > 200
    assert np.array_equal(before, after)
    content = path.read_bytes()
    index_first(path)
    assert path.read_bytes() == content


def test_the_first_bytes_alone_play(plain, tmp_path):
    whole, path = tmp_path / "whole.mp4", tmp_path / "begun.mp4"
    content = plain.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert len(frames(path)) == 0, "with its index at the end nothing of it can be played"
    whole.write_bytes(content)
    index_first(whole)
    path.write_bytes(whole.read_bytes()[: len(content) * 2 // 3])
    begun, all_of_it = frames(path), frames(whole)
    assert 1 <= len(begun) < len(all_of_it)
    # The last one may be cut in its middle.
    assert np.array_equal(begun[:-1], all_of_it[: len(begun) - 1])


def test_what_is_rendered_has_its_index_first(tmp_path):
    new_file()
    path = tmp_path / "card.mp4"
    render.render_picture(make_card(pyramid_layout(64)), path, seconds=1, fps=4)
    assert kinds(path).index("moov") < kinds(path).index("mdat")
    assert len(frames(path)) == 4


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_video_that_was_not_finished_is_told(plain, tmp_path, kept):
    path = tmp_path / "card.mp4"
    path.write_bytes(plain.read_bytes()[:kept])
    with pytest.raises(OutputError, match="to its end: is the disk full") as caught:
        index_first(path)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["card.mp4"]


# --- boxes made by hand -----------------------------------------------------------------------------

CHUNKS = (b"first chunk", b"second", b"the third one")


def box(kind, content, wide=False):
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


def table(kind, places):
    form = {b"stco": "I", b"co64": "Q"}[kind]
    return box(kind, struct.pack(f">II{len(places)}{form}", 0, len(places), *places))


def moov(tables):
    """An index with a track a table; boxes that are none lie about it."""
    tracks = b""
    for one in tables:
        stbl = box(b"stbl", box(b"stsd", b"anything") + one + box(b"free", b""))
        tracks += box(b"trak", box(b"tkhd", b"stco") + box(b"mdia", box(b"minf", stbl)))
    return box(b"moov", box(b"mvhd", bytes(20)) + tracks)


def places_in(content, kind):
    """All places in tables of a kind, found by their letters."""
    found, at = [], -1
    while (at := content.find(kind + bytes(4), at + 1)) >= 0:
        (count,) = struct.unpack_from(">I", content, at + 8)
        found += struct.unpack_from(f">{count}{'I' if kind == b'stco' else 'Q'}", content, at + 12)
    return found


@pytest.mark.parametrize("kind", [b"stco", b"co64"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("behind", [b"", box(b"udta", b"far"), box(b"free", bytes(9), wide=True)])
def test_every_chunk_is_found_where_its_place_says(tmp_path, kind, wide, behind):
    head = box(b"ftyp", b"isom") + box(b"free", b"")
    mdat = box(b"mdat", b"".join(CHUNKS), wide)
    second = box(b"mdat", b"more")
    at = len(head) + (16 if wide else 8)
    places = [at, at + len(CHUNKS[0]), at + len(CHUNKS[0] + CHUNKS[1])]
    before_index = head + mdat + second
    index = moov([table(kind, places), table(kind, [len(head + mdat) + 8])])
    # A place behind the index stays where it is: the file is as long as before.
    far = len(before_index) + len(moov([table(kind, places), table(kind, [0]), table(kind, [0])])) + 8
    if behind:
        index = moov([table(kind, places), table(kind, [len(head + mdat) + 8]), table(kind, [far])])
    path = tmp_path / "a.mp4"
    path.write_bytes(before_index + index + behind)
    index_first(path)
    content = path.read_bytes()
    assert len(content) == len(before_index + index + behind)
    assert content.startswith(head)
    assert content[len(head) + 4 : len(head) + 8] == b"moov"
    assert content.endswith(mdat + second + behind)
    found = places_in(content, kind)
    assert len(found) == 4 + bool(behind)
    for place, chunk in zip(found[:4], (*CHUNKS, b"more"), strict=False):
        assert content[place : place + len(chunk)] == chunk
    assert found[4:] == ([far] if behind else [])


def test_an_index_that_goes_to_the_end_of_the_file_gets_its_size(tmp_path):
    head = box(b"ftyp", b"isom")
    index = moov([table(b"stco", [len(head) + 8])])
    path = tmp_path / "a.mp4"
    path.write_bytes(head + box(b"mdat", b"chunk") + bytes(4) + index[4:])
    index_first(path)
    assert kinds(path) == ["ftyp", "moov", "mdat"]
    (place,) = places_in(path.read_bytes(), b"stco")
    assert path.read_bytes()[place : place + 5] == b"chunk"


def test_what_needs_no_change_and_what_cannot_have_it_stays(tmp_path):
    path = tmp_path / "a.mp4"
    head = box(b"ftyp", b"isom")
    first = head + moov([table(b"stco", [1])]) + box(b"mdat", b"chunk")
    # 32 bits are full: a file of 4 GB, without its middle.
    high = 2**32 - 100
    hole = struct.pack(">I4sQ", 1, b"mdat", high)
    for start, size, end in ((first, len(first), b""), (head + hole, len(head) + high, None)):
        with path.open("wb") as stream:
            stream.write(start)
            stream.truncate(size)
            if end is None:
                stream.seek(size)
                stream.write(moov([table(b"stco", [high])]))
        before = path.stat()
        index_first(path)
        after = path.stat()
        assert (after.st_ino, after.st_mtime_ns, after.st_size) == (
            before.st_ino,
            before.st_mtime_ns,
            before.st_size,
        )
