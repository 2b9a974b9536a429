"""Who takes part: names of restorers, peers, and anybody's functions, made ready for one condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor

from restore.bench.conditions import Condition
from restore.bench.peers import PREFIX, load_peer
from restore.errors import UsageError
from restore.names import parse_name

Function: TypeAlias = Callable[[Tensor], Tensor]
Model: TypeAlias = str | tuple[str, Function]

INPUT = "input"
ENLARGED = "bicubic"


@dataclass
class Contender:
    """One restorer under one condition.

    ``judged`` is false for the row that only shows where the others start; ``is_work`` is false when that row
    is the degraded picture itself, which costs nobody anything. With ``needs_mask`` it fills what ``mask``, set
    picture by picture, says is missing.
    """

    label: str
    function: Function
    fingerprint: str | None = None
    precision: str | None = None
    engine: str | None = None
    device: str = "cpu"
    judged: bool = True
    is_work: bool = True
    needs_mask: bool = False
    mask: Tensor | None = None
    seen: set[tuple[int, ...]] = field(default_factory=set)
    is_slow: bool = False
    peak_memory_mb: float | None = None


def label_of(model: Model) -> str:
    """What a model is called in rows and tables."""
    return model if isinstance(model, str) else model[0]


def split_models(texts: Sequence[str]) -> list[str]:
    """``["denoise,nlm:sigma=25,h=3", "tv"]`` as ``["denoise", "nlm:sigma=25,h=3", "tv"]``.

    A part ``key=value`` after a comma belongs to the name before it; everything else starts a new name. Names
    given twice count once.

    Raises:
        UsageError: no name at all.
    """
    found: list[str] = []
    for text in texts:
        current: list[str] = []
        for part in filter(None, (p.strip() for p in text.split(","))):
            if current and ":" in current[-1] and re.match(r"[A-Za-z_][\w-]*=", part):
                current[-1] += f",{part}"
            else:
                current.append(part)
        found += current
    if not found:
        raise UsageError("expected at least one model", hint="-m denoise,bm3d; `restore models` lists them")
    return list(dict.fromkeys(found))


def starting_row(condition: Condition, *, among: Sequence[Contender]) -> Contender | None:
    """The row that gains are counted from: the degraded picture, or its bicubic enlargement.

    None when ``bicubic`` already takes part; it is then the one that is not judged.
    """
    if condition.scale == 1:
        return Contender(INPUT, lambda x: x, judged=False, is_work=False)
    for contender in among:
        if contender.label.partition(":")[0] == ENLARGED:
            contender.judged = False
            return None
    found = make_ready(ENLARGED, condition, device="cpu", precision="fp32", engine="torch", tile=None)
    assert found is not None
    found.judged = False
    return found


def make_ready(
    model: Model, condition: Condition, *, device: str, precision: str, engine: str, tile: int | None
) -> Contender | None:
    """The contender for ``condition``, loaded; None when its scale is not the condition's.

    A restorer that takes ``scale`` gets the condition's unless its name gives one. The value ``known`` in a
    name (``denoise:sigma=known``) stands for what the condition fixes, so that one name serves several noise
    levels.

    Raises:
        UsageError: an unknown name or value.
    """
    if not isinstance(model, str):
        label, function = model
        return Contender(label, function, device=device)
    if model.startswith(PREFIX):
        return Contender(model, load_peer(model, condition)) if condition.scale == 1 else None
    from restore import restorers

    name, values = parse_name(model)
    values = {k: condition.known(k) if v == "known" else v for k, v in values.items()}
    is_file = name.endswith(".safetensors")
    if not is_file and "scale" not in values and "scale" in restorers.takes(name):
        if condition.scale == 1:
            return None
        values["scale"] = condition.scale
    restorer = restorers.load(name, device=device, precision=precision, engine=engine, tile=tile, **values)
    if restorer.spec.scale != condition.scale:
        return None
    contender = Contender(
        model,
        restorer,
        fingerprint=restorer.fingerprint,
        precision=restorer.spec.precision,
        engine=restorer.spec.engine,
        device=str(restorer.device),
    )
    if restorer.spec.mask:
        contender.needs_mask = True
        contender.function = lambda x: restorer(x, mask=contender.mask)
    return contender
