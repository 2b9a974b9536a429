"""Where damage lies: the masks of everything that covers a picture, made again from recorded parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations.dust import dust_layers
from restore.degradations.occlusion import hole_layers
from restore.degradations.overlay import Layers, covered
from restore.degradations.params import Params
from restore.degradations.scratches import crease_layers, scratch_layers
from restore.degradations.stains import mildew_layers, water_stain_layers
from restore.degradations.watermark import watermark_layers
from restore.errors import RestoreError

LAYERS: dict[str, Layers] = {
    "scratches": scratch_layers,
    "crease": crease_layers,
    "dust": dust_layers,
    "mildew": mildew_layers,
    "water-stain": water_stain_layers,
    "watermark": watermark_layers,
    "mask": hole_layers,
}


def masks(params: Params, shape: tuple[int, ...]) -> Tensor:
    """How much of the picture's own light each pixel has lost to damage, ``B x 1 x H x W`` float32 in [0, 1].

    y = (1 - m) x + something that does not depend on x. Of a pipeline, the damage of all of its steps together;
    steps that cover nothing count as none.

    Args:
        params: as drawn or recorded; of one of ``LAYERS``, or of a pipeline or combinator with some inside.
        shape: (B, C, H, W) of the picture that was damaged.

    Raises:
        RestoreError: parameters without any damage.
    """
    if not _has_damage(params):
        raise RestoreError(
            f"{params.name!r} covers nothing and has no mask", hint=f"masks are known of {', '.join(LAYERS)}"
        )
    rows = [_one(params.select(slice(i, i + 1)), shape[-2], shape[-1]) for i in range(len(params))]
    return torch.cat(rows)


def _one(params: Params, height: int, width: int) -> Tensor:
    """Of one sample, ``1 x 1 x H x W``."""
    left = torch.ones((1, 1, height, width))
    for step in _steps(params):
        left = left * (1 - _one(step, height, width))
    if params.name in LAYERS and not params.steps:
        values = {k: v[0] if isinstance(v, list) else float(v[0]) for k, v in params.values.items()}
        layers = LAYERS[params.name](int(params.seeds[0]), height, width, **values)
        left = 1 - covered(layers, height, width)
    return (1 - left) * float(params.strength[0].clamp(0, 1))


def _steps(params: Params) -> list[Params]:
    """What one sample went through, one level down."""
    if params.steps:
        return list(params.steps)
    return [Params.from_json([record]) for rows in params.values.get("steps", []) for record in rows]


def _has_damage(params: Params) -> bool:
    return params.name in LAYERS or any(_has_damage(step) for step in _steps(params))
