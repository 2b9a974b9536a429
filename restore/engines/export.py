"""A network as an ONNX file that says what it is and is compared with torch before it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.engines.build import AGREE, torch_engine
from restore.engines.choice import installed
from restore.engines.graph import take_apart, to_onnx, traced_sides
from restore.errors import RestoreError
from restore.files import write_file


def export_onnx(
    net: nn.Module, path: Path, *, channels: int, conditions: int, scale: int, about: Mapping[str, Any]
) -> float | None:
    """Writes the whole network, its padding and its skip included, and returns how far ONNX Runtime is from torch.

    Inputs: ``image`` (batch x channels x height x width, any size, float32 in [0, 1]) and, where the network takes
    any, ``conditions`` (batch x conditions); output: ``restored``. What a restorer does around its network (keeping the
    local mean, leaving clean pictures alone) is not in the file.

    Args:
        net: in eval mode, on the CPU, in float32.
        about: JSON-able; stored in the file's metadata under ``restore``.

    Returns:
        The largest difference over sizes that were not traced; None where ONNX Runtime is not installed.

    Raises:
        UsageError: the package ``onnx`` is missing.
        RestoreError: the network cannot be traced, or the file would compute something else; nothing is written.
    """
    sides = traced_sides(take_apart(net, scale=scale).pad)
    content = to_onnx(net, channels=channels, conditions=conditions, sides=sides)
    import onnx

    model = onnx.load_from_string(content)
    entry = model.metadata_props.add()
    entry.key, entry.value = "restore", json.dumps(dict(about), sort_keys=True)
    content = model.SerializeToString()
    difference = _difference(content, net, channels, conditions) if installed("onnxruntime") else None
    if difference is not None and not difference < AGREE:
        raise RestoreError(
            f"the ONNX file would not compute what the network does: values differ by {difference:.2g}",
            hint="its layers depend on the size of the picture",
        )
    write_file(path, content)
    return difference


@torch.no_grad()
def _difference(content: bytes, net: nn.Module, channels: int, conditions: int) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    reference = torch_engine(net, torch.device("cpu"), "fp32")
    largest = 0.0
    for batch, height, width in ((1, 97, 130), (2, 64, 33), (1, 1, 1)):
        x = torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(height))
        given = torch.full((batch, conditions), 0.1) if conditions else None
        feed = {"image": x.numpy()} if given is None else {"image": x.numpy(), "conditions": given.numpy()}
        made = torch.from_numpy(session.run(None, feed)[0])
        largest = max(largest, float((made - reference(x, given)).abs().max()))
    return largest
