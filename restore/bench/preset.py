"""The benches that belong to the models of the zoo, each a table of ``models/zoo/<name>/bench.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from restore.errors import ConfigError, UsageError, did_you_mean, unknown
from restore.models.registry import ZOO


@dataclass(frozen=True)
class Preset:
    """What a bench is asked for, but for the pictures.

    Args:
        data: the folder's name that published numbers are for; said, not looked for.
    """

    name: str
    degradations: tuple[str, ...]
    models: tuple[str, ...]
    luma: bool = False
    data: str = ""


def load_preset(text: str) -> Preset:
    """``"dejpeg"``, the first table of its ``bench.toml``, or ``"dejpeg:kodak24-colour"``, the one of that name.

    Raises:
        UsageError: no such model or table.
        ConfigError: a file that is no bench.
    """
    name, _, table = text.partition(":")
    known = sorted(path.parent.name for path in ZOO.glob("*/bench.toml"))
    if name not in known:
        raise unknown("bench preset", name, known)
    path = ZOO / name / "bench.toml"
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        wanted = table or next(iter(tables))
        if wanted not in tables:
            raise UsageError(f"{name} has no bench {wanted!r}", hint=did_you_mean(wanted, tables))
        found = dict(tables[wanted])
        return Preset(
            f"{name}:{wanted}",
            tuple(found.pop("degradation")),
            tuple(found.pop("model")),
            **found,
        )
    except (tomllib.TOMLDecodeError, StopIteration, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} is no bench: {error!r}") from error
