"""A name, ``name:key=value``, or a weight file becomes a restorer, whatever is behind it."""

from __future__ import annotations

from pathlib import Path

from restore.errors import UsageError, unknown
from restore.models.registry import SHIPPED, load_shipped
from restore.models.weights import read_weights
from restore.names import Value, parse_name
from restore.restorers.auto import DESCRIPTION, AutoRestorer
from restore.restorers.auto import NAME as AUTO
from restore.restorers.base import Finding, Judgement, Restorer, RestorerSpec
from restore.restorers.classical import METHODS_TABLE, load_classical
from restore.restorers.learned import load_learned
from restore.runtime import pick_device

__all__ = ["Finding", "Judgement", "Restorer", "RestorerSpec", "describe", "load", "names", "takes"]


def names() -> list[str]:
    """Every name that :func:`load` takes besides weight files: shipped networks first."""
    learned = [name for name, entry in SHIPPED.items() if entry.task != "estimate"]
    return [*([AUTO] if "looker" in SHIPPED else []), *learned, *METHODS_TABLE]


def describe(name: str) -> dict[str, str]:
    """``{"name", "task", "kind", "description"}`` without loading weights.

    Raises:
        UsageError: an unknown name.
    """
    name, _ = parse_name(name)
    if name == AUTO and name in names():
        return {"name": name, "task": "any", "kind": "chosen", "description": DESCRIPTION}
    if name in SHIPPED:
        return {
            "name": name,
            "task": SHIPPED[name].task,
            "kind": "learned",
            "description": SHIPPED[name].description,
        }
    if name in METHODS_TABLE:
        method = METHODS_TABLE[name]
        return {"name": name, "task": method.task, "kind": "classical", "description": method.description}
    raise unknown("restorer", name, names())


def takes(name: str) -> set[str]:
    """The names of the values a restorer takes (``{"sigma"}``).

    Raises:
        UsageError: an unknown name.
    """
    if _is_weight_file(name):
        return set(read_weights(Path(name))[1].get("conditions", ()))
    name, _ = parse_name(name)
    if name in METHODS_TABLE:
        return set(METHODS_TABLE[name].takes)
    if name in SHIPPED:
        return set(load_shipped(name)[1].get("conditions", ()))
    describe(name)
    return set()


def load(
    name: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    **values: Value,
) -> Restorer:
    """The restorer of that name, ready to be called with a picture.

    Args:
        name: ``"denoise"``, ``"denoise:sigma=25"``, ``"bicubic:scale=2"``, or the path of a ``.safetensors`` file,
            which takes values as well.
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto`` (bf16 where the processor has it), ``fp32``, ``bf16`` or, on CUDA, ``fp16``.
        tile: side of the windows that a large picture is cut into, in pixels; None: 1024.
        values: the same as behind the colon (``sigma`` in units of 255).

    Raises:
        UsageError: an unknown name or value, a device or precision that is not there.
        WeightsError: weights missing, damaged or foreign.
    """
    where = pick_device(device)
    if tile is not None and tile < 32:
        raise UsageError(f"expected a tile of at least 32 pixels, got {tile}")
    plain, given = (name, {}) if _is_weight_file(name) else parse_name(name)
    both = {**given, **values}
    if _is_weight_file(plain):
        return load_learned(plain, device=where, precision=precision, tile=tile, values=both)
    if plain == AUTO and plain in names():

        def load_step(step: str) -> Restorer:
            return load(step, device=device, precision=precision, tile=tile)

        return AutoRestorer(load_step, device=where, tile=tile, values=both)
    if plain in METHODS_TABLE:
        return load_classical(plain, device=where, tile=tile, values=both)
    if plain in SHIPPED and SHIPPED[plain].task != "estimate":
        return load_learned(plain, device=where, precision=precision, tile=tile, values=both)
    raise unknown("restorer", plain, names())


def _is_weight_file(name: str) -> bool:
    return name.endswith(".safetensors") and Path(name).exists()
