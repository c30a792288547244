# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the lists of modules in ``docs/architecture.md``: each with the first sentence of its docstring.

    python blender_scripts/describe_house.py [--check]

What stands between the lines ``<!-- modules: NAME -->`` and ``<!-- end -->`` is written anew; everything else
in the page is left as it is. ``--check`` writes nothing and says what is out of date, with status 1.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
_LIST = re.compile(r"(<!-- modules: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ROLE = re.compile(r":\w+:`~?\.*([\w.]+)`")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or check it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="say whether the page is up to date")
    options = parser.parse_args(argv)
    before = PAGE.read_text(encoding="utf-8")
    after = described(before)
    if options.check:
        if before != after:
            print(
                f"{PAGE.name} is out of date: run python blender_scripts/describe_house.py", file=sys.stderr
            )
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


def described(page: str) -> str:
    """The page with its lists as they must be."""

    def written(found: re.Match[str]) -> str:
        folder = ROOT / found[2]
        lines = [f"- `{path.name}`: {_sentence(path)}\n" for path in sorted(folder.glob("*.py"))]
        return found[1] + "".join(line for line in lines if not line.startswith("- `__init__")) + found[3]

    return _LIST.sub(written, page)


def folders(page: str) -> list[str]:
    """The folders that the page lists, in its order."""
    return [found[2] for found in _LIST.finditer(page)]


def _sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line and without markup for links."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!?])\s(?=[A-Z`])", paragraph)[0]
    return _ROLE.sub(r"`\1`", sentence.replace("``", "`"))


if __name__ == "__main__":
    sys.exit(main())
