# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of an MP4 before its pictures: a player that gets the file piece by piece can begin at once.

An MP4 is a row of boxes: size, four letters, content (ISO/IEC 14496-12, 4.2). ``moov``, the index, tells
where in the file the chunks of ``mdat``, the pictures, begin. Blender writes it when the last picture is
encoded, so at the end, and has no option for it (4.5, 5.2).
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import OutputError
from ..outputs import replacing

_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
"""Boxes in each other, down to the tables of places."""
_TABLES = {b"stco": ">u4", b"co64": ">u8"}
"""Those tables, and the type of a place (ISO/IEC 14496-12, 8.7.5)."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Box:
    """Letters of a box; where it starts, its content starts, and it ends, in bytes."""

    kind: bytes
    start: int
    content: int
    end: int


def index_first(path: Path) -> None:
    """Put a video's index before its pictures, in one step. The file stays as it is where that is so already,
    and where a place would need more than the 32 bits that its table has.

    Raises:
        OutputError: it is no complete video.
        OSError: it cannot be read, or there is no room for a second one beside it.

    """
    with path.open("rb") as stream:
        try:
            boxes = list(_boxes(stream, 0, path.stat().st_size))
            index = next(box for box in boxes if box.kind == b"moov")
            pictures = next(box for box in boxes if box.kind == b"mdat")
        except (EOFError, StopIteration) as error:
            raise OutputError("Blender did not write the video to its end: is the disk full?") from error
        stream.seek(index.start)
        moved = bytearray(stream.read(index.end - index.start))
    if moved[:4] == bytes(4):  # "to the end of the file", which it will not be any more
        struct.pack_into(">I", moved, 0, len(moved))
    if index.start < pictures.start or not _shift(moved, range(pictures.start, index.start)):
        return
    with replacing(path) as beside, path.open("rb") as stream, beside.open("wb") as out:
        _copy(stream, out, pictures.start)
        out.write(moved)
        _copy(stream, out, index.start - pictures.start)
        stream.seek(index.end)
        shutil.copyfileobj(stream, out)


def _boxes(stream: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    """The boxes that lie side by side from ``start`` to ``end``.

    Raises:
        EOFError: one ends elsewhere.

    """
    while start < end:
        stream.seek(start)
        head = stream.read(16)
        if len(head) < 8:
            raise EOFError
        size, kind = struct.unpack(">I4s", head[:8])
        content = start + 8
        if size == 1 and len(head) == 16:
            size, content = struct.unpack(">Q", head[8:])[0], start + 16
        elif size == 0:
            size = end - start
        if not content <= start + size <= end:
            raise EOFError
        yield _Box(kind, start, content, start + size)
        start += size


def _shift(index: bytearray, pictures: range) -> bool:
    """Have the places that lie in ``pictures`` (bytes of the file) lie behind an index put before them.

    Returns:
        False where a table has not the bits for it: the index is spoilt then.

    """
    for table in _tables(io.BytesIO(index), 0, len(index), _WAY):
        kind = _TABLES[table.kind]
        (count,) = struct.unpack_from(">I", index, table.content + 4)  # after version and flags
        places = np.frombuffer(index, kind, count, table.content + 8)
        there = (places >= pictures.start) & (places < pictures.stop)
        if int(places[there].max(initial=0)) + len(index) > np.iinfo(kind).max:
            return False
        places[there] += len(index)
    return True


def _tables(stream: BinaryIO, start: int, end: int, way: tuple[bytes, ...]) -> Iterator[_Box]:
    """All tables of places at the end of a way through boxes."""
    for box in _boxes(stream, start, end):
        if way and box.kind == way[0]:
            yield from _tables(stream, box.content, box.end, way[1:])
        elif not way and box.kind in _TABLES:
            yield box


def _copy(source: BinaryIO, target: BinaryIO, count: int) -> None:
    """Copy so many bytes."""
    while count and (piece := source.read(min(count, _CHUNK))):
        target.write(piece)
        count -= len(piece)
