# SPDX-License-Identifier: GPL-3.0-or-later
"""The one base class of every error that a user can cause or mend.

The message is a single sentence or two: what is wrong, then what to do about it. The command line
prints it on one line and exits with status 2; the add-on shows it as one report.
"""

from __future__ import annotations

import errno


class HoloTalkError(Exception):
    """Something the user can mend. ``str(error)`` says what is wrong and what to do."""


class PhotoError(HoloTalkError):
    """The photo cannot be read, or is not a picture."""


class FaceError(HoloTalkError):
    """No usable face in the photo, or not the one that was asked for."""


class OptionError(HoloTalkError):
    """An option has a value that cannot work."""


class OutputError(HoloTalkError):
    """The result cannot be written where it was asked for."""


class AssetError(HoloTalkError):
    """Third-party data is missing, damaged or cannot be fetched."""


class LeftOutError(AssetError):
    """The add-on was built without the data that is asked for, on purpose."""


class MissingPartError(HoloTalkError):
    """Something this needs is missing on the computer (a system library, a Python package)."""


def explain(error: OSError) -> str:
    """What a failed file operation means to the user, and what to do: one sentence."""
    name = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{name}: free some space and try again."
    if isinstance(error, PermissionError):
        return (
            f"A file cannot be used{name}: another program has it open, or you may not; choose another place."
        )
    return f"A file cannot be read or written{name}: {error.strerror or error}. Choose another place."
