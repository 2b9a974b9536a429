"""``restore export``: a network as a file for other programs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from restore.errors import UsageError, unknown
from restore.names import show_name

FORMATS = ("onnx",)
# What of a weight file's header goes with the network.
KEPT = ("name", "architecture", "licence", "training_data", "sha256", "validation", "made_with")


def export(
    name: Annotated[str, typer.Argument(help="A shipped network, or a weight file of ours or anybody's.")],
    to: Annotated[str, typer.Option("--to", metavar="onnx", help="The format.")] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Default: NAME.onnx here.", show_default=False),
    ] = None,
) -> None:
    """Write a network as ONNX, of any batch and picture size, compared with torch before it is kept.

    The file takes the picture (batch x channels x height x width, [0, 1]; of a network that fills, the mask is
    the fourth channel) and, as a second input, the numbers the network is told (sigma in units of [0, 1]); its
    metadata hold licence, training data and hash.
    """
    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    target = out or Path(f"{Path(name).stem}.{to}")
    if target.is_dir():
        raise UsageError(f"expected a file to write to, but {target} is a folder")
    # Heavy imports only here: --help must be quick.
    from torch import nn

    from restore.engines.export import export_onnx
    from restore.names import parse_name
    from restore.restorers import load
    from restore.version import __version__

    if parse_name(name)[1]:
        raise UsageError(
            f"{name}: an exported network is given its values with every picture", hint="leave them out"
        )
    restorer = load(name, device="cpu", precision="fp32", engine="torch")
    net = getattr(restorer, "net", None)
    if not isinstance(net, nn.Module):
        raise UsageError(f"{name} is no network: there is nothing to export")
    spec = restorer.spec
    about = {
        "name": Path(name).name,
        "task": spec.task,
        "scale": spec.scale,
        "radius": spec.radius,
        "multiple": spec.multiple,
        "conditions": list(spec.takes),
        "mask": spec.mask,
        "fingerprint": restorer.fingerprint,
        "made_with": f"restore-kit {__version__}",
        **{key: value for key, value in getattr(restorer, "header", {}).items() if key in KEPT},
    }
    difference = export_onnx(
        net,
        target,
        channels=getattr(restorer, "channels", 3),
        conditions=len(spec.takes),
        scale=spec.scale,
        about=about,
    )
    told = (
        "not compared: onnxruntime is not installed"
        if difference is None
        else f"equal to torch within {difference:.1g}"
    )
    sys.stdout.write(f"{show_name(target)}  {target.stat().st_size / 1e6:.2f} MB  {told}\n")
