"""What every architecture makes of one picture with drawn weights, in a few numbers: weights in files rest on it.

PYTHONPATH=tests python -m frozen_networks     # writes tests/frozen_networks.tsv anew, after a change that is meant
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch
from frozen import picture
from torch import Tensor, nn

from restore.degradations import sample as draw
from restore.models.registry import ARCHITECTURES, build
from restore.models.views import view_of

TABLE = Path(__file__).with_name("frozen_networks.tsv")
SMALL: dict[str, dict[str, Any]] = {
    "resunet": {"widths": (8, 12), "blocks": (1, 1)},
    "enlighten": {"base": 4, "pools": 2, "norm": "batch", "shrink": 2, "head": "affine"},
    "stylegan2": {
        "channels": 1,
        "z_dim": 8,
        "w_dim": 8,
        "mapping_layers": 2,
        "channel_base": 128,
        "channel_max": 6,
    },
    "stylegan2-discriminator": {"channels": 1, "channel_base": 128, "channel_max": 6},
    "treatment-gain": {"treatments": 3, "features": 17, "hidden": 8},
    "pyramid": {"backbone": "strided", "pyramid": 8, "heads": 4, "norm": "none", "widths": [4, 4, 4, 4, 4]},
    "mlp": {"patch": 7, "out": 5, "hidden": (24,), "stride": 2},
    "deconv-cnn": {"length": 9, "kernels": 6, "width": 12, "first": 4, "last": 3},
    "srcnn": {"scale": 2, "kernels": (5, 1, 3), "widths": (8, 4)},
    "vdsr": {"scale": 3, "depth": 4, "width": 8},
    "dncnn": {"depth": 4, "width": 8},
    "ffdnet": {"depth": 4, "width": 8},
    "nafnet": {"width": 8, "encoders": (1, 1), "middle": 1, "decoders": (1, 1), "conditions": 1},
    "wavemix": {"width": 8, "blocks": 2, "conditions": 1},
}
# Asked for crops and measurements together; its own tests do it.
LEFT_OUT = ("degradation-classifier",)
CONDITIONED = ("resunet", "ffdnet", "nafnet", "wavemix")


def drawn(name: str) -> nn.Module:
    """A network whose weights, those of zero included, are drawn as large as keeps its answers in range."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build(name, SMALL.get(name, {})).eval()
    g = draw.generator(2)  # with 1 the smallest of them answers 0
    with torch.no_grad():
        for key, value in net.state_dict().items():
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=g)
            if key.endswith("running_var"):
                value.copy_(0.5 + noise.abs())
            elif value.ndim > 1:
                value.copy_(noise / max(1, value[0].numel()) ** 0.5)
            elif value.numel():
                value.add_(0.1 * noise)
    return net


def input_of(name: str) -> Tensor:
    """What the architecture is shown."""
    x = picture()[..., :32, :48]
    if name == "stylegan2":
        return torch.linspace(-1, 1, 8)[None]
    if name in ("worth", "treatment-gain"):
        return torch.linspace(-1, 2, 34).view(2, 17)
    if name == "stylegan2-discriminator":
        return picture()[:, :1, :32, :32]
    if name == "fill":
        return torch.cat([x, (x[:, :1] > 0.7).float()], 1)
    return x


def numbers_of(name: str) -> list[float]:
    """Mean, deviation and two weighted means of every answer."""
    net, x = drawn(name), input_of(name)
    told: dict[str, Any] = {}
    if view := getattr(net, "view", None):
        told["view"] = view_of(view, x)
    conditions = (torch.full((len(x), 1), 0.1),) if name in CONDITIONED else ()
    if name == "heal" or view:
        told["parts"] = True
    with torch.no_grad():
        made = net(x, *conditions, **told)
    parts = [made[k] for k in sorted(made)] if isinstance(made, dict) else made
    parts = [parts] if isinstance(parts, Tensor) else parts
    found = []
    for part in parts:
        y = part.double().flatten()
        ramp = torch.linspace(-1, 1, len(y)).double()
        found += [
            y.mean(),
            y.std() if len(y) > 1 else y[0],
            (y * ramp).mean(),
            (y * torch.cos(7 * ramp)).mean(),
        ]
    return [float(v) for v in found]


def frozen() -> dict[str, list[float]]:
    """The committed numbers by name."""
    with TABLE.open(newline="") as file:
        return {name: [float(v) for v in values.split()] for name, values in csv.reader(file, delimiter="\t")}


def write() -> None:
    """The numbers of this code."""
    with TABLE.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        for name in sorted(ARCHITECTURES.keys() - set(LEFT_OUT)):
            table.writerow([name, " ".join(f"{v:.5g}" for v in numbers_of(name))])


if __name__ == "__main__":
    torch.set_num_threads(1)
    write()
