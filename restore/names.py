"""How a restorer or a degradation is named everywhere: ``name`` or ``name:key=value,key=value``."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TypeAlias

from restore.errors import UsageError

Value: TypeAlias = int | float | bool | str


def parse_value(text: str) -> Value:
    """The plain reading of a value: a whole number, a number, ``true``/``false``, else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_name(text: str) -> tuple[str, dict[str, Value]]:
    """Splits ``"haze:severity=3,light=0.8"`` into ``("haze", {"severity": 3, "light": 0.8})``.

    Raises:
        UsageError: empty name, a part without ``=``, or a key given twice.
    """
    name, _, rest = text.strip().partition(":")
    if not name:
        raise UsageError(f"expected name or name:key=value,key=value, got {text!r}")
    values: dict[str, Value] = {}
    for part in filter(None, (p.strip() for p in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise UsageError(
                f"expected key=value after {name!r}, got {part!r}", hint=f"write {name}:key=value,key=value"
            )
        if key in values:
            raise UsageError(f"{key!r} is given twice in {text!r}")
        values[key.strip()] = parse_value(value.strip())
    return name, values


def format_name(name: str, values: Mapping[str, object]) -> str:
    """The inverse of :func:`parse_name`; floats are written as short as they read back exactly."""
    if not values:
        return name
    return name + ":" + ",".join(f"{k}={_text(v)}" for k, v in values.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def show_name(name: object) -> str:
    """A file's name, or whatever came out of a file, so that it does nothing where it is shown.

    Escape sequences, line breaks, marks that turn the direction of writing, and bytes that are not UTF-8 are written
    as ``\\x1b``, ``\\n``, ``\\u202e``, ``\\udcff``: on a terminal, in a page, in a table. Everything else stays.
    """
    return "".join(_harmless(c) for c in str(name))


def show_lines(text: str) -> str:
    """The same for lines of our own: their breaks stay."""
    return "\n".join(show_name(line) for line in text.split("\n"))


def _harmless(c: str) -> str:
    """``c`` or its escape; spaces of any width are harmless, though Python calls them unprintable."""
    if c.isprintable() or unicodedata.category(c) == "Zs":
        return c
    return c.encode("unicode_escape").decode("ascii")
