# SPDX-License-Identifier: GPL-3.0-or-later
"""Which code a result depends on, read off the imports: what other code has made is made anew.

Modules are read, not imported, and those that are imported inside functions or for types alone count as well:
too much is made anew rather than too little.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

from .. import __version__

PACKAGE = Path(__file__).resolve().parents[1]
SHOWING = ("hologram", "scene", "live", "ui")
"""Rooms that show a head and change nothing of it: what is read off pictures does not depend on them."""


def module_name(path: Path, package: Path = PACKAGE) -> str:
    """A module's dotted name in the package: "" is the package itself."""
    return ".".join(path.relative_to(package).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """All modules of the package, by name."""
    return {module_name(path, package): path for path in sorted(package.rglob("*.py"))}


def imports(
    path: Path, package: Path = PACKAGE, known: Collection[str] | None = None, top_alone: bool = False
) -> Iterator[str]:
    """What a module imports: ours by the name in the package, with a leading dot; others as they are.

    Args:
        path: the module, of the package or any other script.
        package: its folder.
        known: the names of the package's :func:`modules`, where they are at hand.
        top_alone: leave out what is imported inside functions and conditions.
    """
    known = modules(package) if known is None else known
    inside: list[str] = []
    if path.is_relative_to(package):
        name = module_name(path, package)
        inside = [part for part in name.split(".") if part][: None if path.name == "__init__.py" else -1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_alone else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_ours(alias.name, package) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dotted = node.module or ""
            if node.level:
                dotted = "." + ".".join([*inside[: len(inside) - node.level + 1], *filter(None, [dotted])])
            base = _ours(dotted, package)
            for alias in node.names:
                whole = f"{base.rstrip('.')}.{alias.name}"
                yield whole if base.startswith(".") and whole[1:] in known else base


def _ours(name: str, package: Path) -> str:
    """An absolute name of the package's as a relative one."""
    first, _, rest = name.partition(".")
    return f".{rest}" if first == package.name else name


def code_behind(path: Path, package: Path = PACKAGE, without: Collection[str] = SHOWING) -> list[Path]:
    """A module and all of the package that it depends on, in the order of their names.

    Args:
        path: a module of the package, or a script.
        package: its folder.
        without: rooms that are left out, with what they alone import.
    """
    known = modules(package)
    found = {path}
    new = [path]
    while new:
        for name in imports(new.pop(), package, known):
            parts = name[1:].split(".") if name.startswith(".") else []
            if not name.startswith(".") or parts[0] in without:
                continue
            # Importing a.b runs a, too.
            for module in ("", *(".".join(parts[: k + 1]) for k in range(len(parts)))):
                if module in known and known[module] not in found:
                    found.add(known[module])
                    new.append(known[module])
    return sorted(found)


def code_digest(path: Path, package: Path = PACKAGE) -> str:
    """The version, and a digest of a module's :func:`code_behind`: where it is another, so may results be."""
    digest = hashlib.sha256()
    for each in code_behind(path, package):
        name = each.relative_to(package) if each.is_relative_to(package) else Path(each.name)
        digest.update(name.as_posix().encode() + b"\0" + each.read_bytes() + b"\0")
    return f"{__version__} {digest.hexdigest()[:16]}"
