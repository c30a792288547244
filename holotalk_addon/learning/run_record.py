# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run was begun with: all that decides its result, so that nothing else goes on with it.

The record is plain values by the name that users know them under. What is too big for a sentence, data and
weights, is in it by its digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..outputs import write_text

RECORD = "begun_with.json"
_SHOWN = 12
"""Letters of a digest that are enough to tell two apart."""


def arrays_digest(arrays: Iterable[NDArray[Any]]) -> str:
    """SHA-256 in hexadecimal of arrays of any shapes and types, in this order: of their content alone."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def begin_record(run: Path, record: Mapping[str, Any]) -> None:
    """Write down what a run begins with.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_text(run / RECORD, json.dumps(dict(record), indent=1) + "\n")


def check_record(run: Path, record: Mapping[str, Any]) -> None:
    """Complain unless a run that has got somewhere was begun with the same.

    Args:
        run: the run's folder.
        record: what it would be gone on with.

    Raises:
        OptionError: it was begun with something else, or nobody knows with what: runs of versions that kept
            no record are not taken over, for what they have learnt from cannot be told.
    """
    path = run / RECORD
    try:
        then = json.loads(path.read_text(encoding="utf-8"))
        differences = _differences(then, json.loads(json.dumps(dict(record))))
    except FileNotFoundError as error:
        raise OptionError(
            f"{run} does not say what its training was begun with: it is of an older version, and cannot be "
            "gone on with. Choose another folder, or delete this one."
        ) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise OptionError(f"{path} cannot be read: choose another folder, or delete this one.") from error
    if differences:
        raise OptionError(
            f"{run} holds a training that was begun otherwise: {'; '.join(differences)}. Go on with the same "
            "options and data, or choose another folder."
        )


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, each in a few words: "batch 8 then, 32 now"."""
    names = [*then, *(name for name in now if name not in then)]
    return [
        f"{name} {_shown(then.get(name))} then, {_shown(now.get(name))} now"
        for name in names
        if then.get(name) != now.get(name)
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    is_digest = len(text) == hashlib.sha256().digest_size * 2 and not text.strip("0123456789abcdef")
    return text[:_SHOWN] if is_digest else text
