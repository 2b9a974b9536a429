"""Degradations and their knobs as text and as JSON: ``restore degrade --list``."""

from __future__ import annotations

import math
import sys
from typing import Any

from restore.tools.output import emit_json


def list_degradations(json: str | None) -> None:
    """Every degradation with its knobs, by its place in the physical order, then the mixtures."""
    from restore.degradations.mixtures import MIXTURES
    from restore.degradations.order import by_place
    from restore.degradations.presets import TABLE

    table = {name: [_knob(key, knob) for key, knob in d.knobs.items()] for name, d in sorted(TABLE.items())}
    mixed = {name: [_knob(key, knob) for key, knob in r.knobs.items()] for name, r in MIXTURES.items()}
    if json != "-":
        for place, names in by_place(list(TABLE)).items():
            sys.stdout.write(f"== {place}\n\n")
            for name in names:
                _write(name, table[name])
            sys.stdout.write("\n")
        sys.stdout.write("== mixtures\n\n")
        for name, knobs in mixed.items():
            _write(name, knobs, doc=MIXTURES[name].doc)
        sys.stdout.write(
            "\nEvery one also takes severity, 0 to 5 (of a mixture it reaches what its recipe leaves open). "
            "low..high draws uniformly for each picture, one|other between names.\n"
        )
    emit_json(table | mixed, json)


def _write(name: str, knobs: list[dict[str, Any]], *, doc: str = "") -> None:
    sys.stdout.write(f"{name}\n")
    if doc:
        sys.stdout.write(f"  {doc}\n")
    for knob in knobs:
        sys.stdout.write(f"  {knob['name']:<12} {_range(knob)}\n  {'':<12} {knob['doc']}\n")


def _knob(key: str, knob: Any) -> dict[str, Any]:
    """A knob in the units of a name, JSON-able (None: no upper end)."""
    if knob.text:
        return {"name": key, "doc": knob.doc, "choices": [], "text": True}
    scaled = [[float(f"{v / knob.unit:.6g}") for v in ends] for ends in (knob.legal, knob.span)]
    legal, drawn = [[v if math.isfinite(v) else None for v in ends] for ends in scaled]
    default = knob.default
    if isinstance(default, float | int) and knob.unit != 1.0:
        default = float(f"{default / knob.unit:.6g}")
    return {
        "name": key,
        "doc": knob.doc,
        "choices": list(knob.choices),
        "legal": None if knob.choices else legal,
        "drawn_from": None if knob.choices or default is not None else drawn,
        "default": default,
        "follows_severity": knob.levels is not None,
        "whole": knob.whole,
        "unit": knob.unit,
    }


def _range(knob: dict[str, Any]) -> str:
    if knob.get("text"):
        return "FILE"
    if knob["choices"]:
        return f"{' | '.join(knob['choices'])} (default {knob['default']})"
    low, high = knob["legal"]
    text = f"{low:g} to {high:g}" if high is not None else f"from {low:g}"
    if knob["drawn_from"]:
        text += ", drawn from {:g} to {:g}".format(*knob["drawn_from"])
    if knob["default"] is not None:
        text += f", default {knob['default']:g}"
    if not math.isclose(knob["unit"], 1.0):
        text += f", one is {knob['unit']:.4g}" if not _is_255th(knob["unit"]) else ", in units of 1/255"
    if knob["whole"]:
        text += ", whole"
    return text + (", follows severity" if knob["follows_severity"] else "")


def _is_255th(unit: float) -> bool:
    return math.isclose(unit, 1 / 255)
