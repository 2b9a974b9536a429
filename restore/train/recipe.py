"""Recipes: TOML files, and overrides from the command line, into frozen dataclasses that were checked as a whole.

Every kind of training (pairs, games, generators) adds its own fields to :class:`Recipe`; all are read here.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from restore.errors import ConfigError, did_you_mean
from restore.files.bounded import read_toml


@dataclass(frozen=True)
class Recipe:
    """What every recipe says. ``batch`` is the whole batch: several processes share it."""

    name: str
    task: str
    architecture: str
    arch: Mapping[str, Any] = field(default_factory=dict)
    step: str = ""
    seed: int = 0
    steps: int = 20_000
    batch: int = 32
    betas: tuple[float, ...] = (0.9, 0.99)
    log_every: int = 50
    licence: str = "Apache-2.0"
    training_data: str = ""

    def problems(self) -> list[str]:
        """Everything that cannot be, one text each."""
        checks = {key: getattr(self, key) >= 1 for key in ("steps", "batch", "log_every")}
        checks["betas"] = len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas)
        return out_of_range(self, checks)


Kind = TypeVar("Kind", bound=Recipe)


def load_recipe(kind: type[Kind], path: Path, overrides: Sequence[str] = ()) -> Kind:
    """Reads ``recipe.toml`` and applies ``key=value`` overrides (``arch.widths=[24,48]`` reaches into a table).

    Raises:
        ConfigError: every problem found, one a line: unknown keys, wrong types, values out of range.
    """
    values = read_toml(path, error=ConfigError, what="the recipe")
    problems = [problem for text in overrides if (problem := _override(values, text))]
    return make_recipe(kind, values, problems)


def make_recipe(kind: type[Kind], values: Mapping[str, Any], problems: Sequence[str] = ()) -> Kind:
    """A checked recipe from plain values; see :func:`load_recipe` for errors."""
    known, found = _typed(kind, values)
    found = [*problems, *found]
    if not _required(kind) - set(known):
        recipe = kind(**known)
        found += recipe.problems()
        if not found:
            return recipe
    raise ConfigError("the recipe has problems:\n" + "\n".join(f"  - {p}" for p in found))


def step_of(path: Path) -> str:
    """What a recipe's ``step`` says; "" for a file that says nothing or cannot be read."""
    try:
        return str(read_toml(path, error=ConfigError, what="the recipe").get("step", ""))
    except ConfigError:
        return ""


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain JSON-able values."""
    return dataclasses.asdict(recipe)


def out_of_range(recipe: Recipe, checks: Mapping[str, bool]) -> list[str]:
    """A text for every field whose check failed."""
    return [f"{key}: {getattr(recipe, key)!r} is out of range" for key, good in checks.items() if not good]


def _typed(kind: type, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values that fit the fields of the dataclass ``kind``, and what is wrong with the others."""
    found = []
    hints = typing.get_type_hints(kind)
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            found.append(f"unknown key {key!r} ({did_you_mean(key, hints)})")
            continue
        try:
            known[key] = _as_type(value, hints[key])
        except TypeError as error:
            found.append(f"{key}: {error}")
    return known, found + [f"missing key {key!r}" for key in sorted(_required(kind) - set(values))]


def _required(kind: type) -> set[str]:
    """The fields of a dataclass that have no default."""
    return {
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }


def _override(values: dict[str, Any], text: str) -> str | None:
    """Sets ``key=value`` in ``values``; what is wrong, or None. What is not TOML is a text."""
    key, equals, value = text.partition("=")
    if not equals:
        return f"--set expects key=value, got {text!r}"
    *path, last = key.strip().split(".")
    table = values
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return f"--set {text}: {part!r} is not a table"
    try:
        table[last] = tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        table[last] = value
    return None


def _as_type(value: Any, kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        items = value if isinstance(value, list | tuple) else [value]
        return tuple(_as_type(v, item) for v in items)
    if origin is not None and isinstance(value, Mapping):
        return dict(value)
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = kind if isinstance(kind, type) else dict
    if not isinstance(value, expected) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"expected {expected.__name__}, got {value!r}")
    return value
