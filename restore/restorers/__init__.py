"""A name, ``name:key=value``, or a weight file becomes a restorer, whatever is behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from restore.diagnosis.findings import Diagnosis, Finding
from restore.engines import ENGINES
from restore.errors import RestoreError, UsageError, WeightsError, unknown
from restore.inverse import open_known
from restore.models.community import PICKLES
from restore.models.registry import SHIPPED, load_file, load_shipped, recipe_path
from restore.models.weights import is_ours
from restore.names import Value, parse_name
from restore.restorers import auto
from restore.restorers.base import Restorer
from restore.restorers.classical import METHODS_TABLE, load_classical
from restore.restorers.community import load_community_restorer
from restore.restorers.composed import COMPOSED, TABLE, Composed
from restore.restorers.inverse import load_inverse
from restore.restorers.networks import load_learned, values_of
from restore.restorers.solvers import SOLVERS
from restore.restorers.spec import RestorerSpec
from restore.runtime import pick_device

__all__ = ["Diagnosis", "Finding", "Restorer", "RestorerSpec", "describe", "load", "names", "takes"]


def names() -> list[str]:
    """Every name that :func:`load` takes besides weight files: shipped networks first, and what is made of them."""
    learned = [name for name, entry in SHIPPED.items() if entry.task != "estimate"]
    return [auto.NAME, *COMPOSED, *learned, *METHODS_TABLE, *needs_operator()]


def needs_operator() -> list[str]:
    """The names that :func:`load` takes only with an ``operator``."""
    return [name for name in SOLVERS if name not in METHODS_TABLE]


def describe(name: str) -> dict[str, str]:
    """``{"name", "task", "kind", "description"}`` without loading weights.

    Raises:
        UsageError: an unknown name.
    """
    name, _ = parse_name(name)
    if row := _composed(name):
        return {"name": name, "task": row.task, "kind": row.kind, "description": row.description}
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
    if name in SOLVERS:
        solver = SOLVERS[name]
        return {"name": name, "task": solver.task, "kind": "inverse", "description": solver.description}
    raise _nobody(name)


def takes(name: str) -> set[str]:
    """The names of the values a restorer takes (``{"sigma"}``).

    Raises:
        UsageError: an unknown name.
    """
    if _is_weight_file(name):
        return set(values_of(*load_file(Path(name)), where=name)) if is_ours(Path(name)) else set()
    name, _ = parse_name(name)
    if name in METHODS_TABLE:
        return set(METHODS_TABLE[name].takes)
    if name in SOLVERS:
        return set(SOLVERS[name].takes)
    if name in SHIPPED:
        return set(values_of(*load_shipped(name)))
    if row := _composed(name):
        return set(row.takes)
    describe(name)
    return set()


def load(
    name: str,
    *,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: int | None = None,
    operator: Any = None,
    **values: Value,
) -> Restorer:
    """The restorer of that name, ready to be called with a picture.

    Args:
        name: ``"denoise"``, ``"denoise:sigma=25"``, ``"bicubic:scale=2"``, or the path of a weight file: one of
            ours (``.safetensors``), which takes values as well, or anybody's (``.safetensors``, ``.pth``, ``.pt``,
            ``.ckpt``; the extra ``spandrel``).
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``auto`` (bf16 where the processor has it), ``fp32``, ``bf16`` or, on CUDA, ``fp16``.
        engine: ``auto`` (the fastest one installed), ``torch``, ``compile``, ``onnxruntime``, ``openvino``; what needs
            a gradient is computed by torch.
        tile: side of the windows that a large picture is cut into, in pixels; None: 1024.
        operator: what is known of how the pictures came about, for restorers that want to know it ("pnp", "dip",
            "tv-inverse", "telea", "wiener" ...): an ``Operator``, a psf, a record of ``restore.degrade``, or a path
            (see :func:`restore.inverse.open_known`).
        values: the same as behind the colon (``sigma`` in units of 255).

    Raises:
        UsageError: an unknown name or value, a device or precision that is not there.
        WeightsError: weights missing, damaged or foreign, or a recipe whose weights are not shipped yet.
    """
    where = pick_device(device)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if tile is not None and tile < 32:
        raise UsageError(f"expected a tile of at least 32 pixels, got {tile}")
    plain, given = (name, {}) if _is_weight_file(name) else parse_name(name)
    both = {**given, **values}
    if operator is not None:
        if plain not in SOLVERS:
            raise UsageError(f"{plain} takes no operator", hint=f"these do: {', '.join(SOLVERS)}")
        options = {"device": device, "precision": precision, "tile": tile}
        return load_inverse(
            plain,
            open_known(operator),
            device=where,
            values=both,
            load=lambda other: load(other, **options),  # type: ignore[arg-type]
        )
    if plain in needs_operator():
        raise UsageError(
            f"{plain} must be told how the pictures came about",
            hint="restore.load(name, operator=...), --operator params.jsonl, a psf, or a folder of masks",
        )
    if _is_weight_file(plain):
        if not Path(plain).is_file():
            raise UsageError(f"there is no weight file {plain}")
        load_weights = load_learned if is_ours(Path(plain)) else load_community_restorer
        return load_weights(plain, device=where, precision=precision, engine=engine, tile=tile, values=both)
    if row := _composed(plain):

        def load_step(step: str) -> Restorer:
            return load(step, device=device, precision=precision, engine=engine, tile=tile)

        return row.restorer(load_step, device=where, tile=tile, values=both)
    if plain in METHODS_TABLE:
        return load_classical(plain, device=where, tile=tile, values=both)
    if plain in SHIPPED and SHIPPED[plain].task != "estimate":
        return load_learned(plain, device=where, precision=precision, engine=engine, tile=tile, values=both)
    raise _nobody(plain)


def _composed(name: str) -> Composed | None:
    return auto.ROW if name == auto.NAME else COMPOSED.get(name)


def _is_weight_file(name: str) -> bool:
    return Path(name).suffix.lower() in (".safetensors", *PICKLES)


def _nobody(name: str) -> RestoreError:
    """Why there is no restorer of that name: it is unknown, or wants weights that nobody has trained."""
    if name in TABLE and name not in COMPOSED:
        missing = next(needed for needed in TABLE[name].needs if needed not in SHIPPED)
        return WeightsError(
            f"{name} needs the weights of {missing!r}, and none are shipped yet",
            hint=f"train them: restore train {missing} --data PHOTOS --out RUN; then restore ship",
        )
    if name not in SHIPPED and recipe_path(name).exists():
        return WeightsError(
            f"no weights of {name!r} are shipped yet",
            hint=f"train them: restore train {name} --data PHOTOS --out RUN; then -m RUN/best.safetensors",
        )
    return unknown("restorer", name, names())
