"""A network and a choice become a function that computes windows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from restore.engines.choice import Choice, EngineWarning
from restore.engines.graph import Parts, take_apart, to_onnx, traced_sides
from restore.errors import RestoreError
from restore.runtime import autocast

# ``engine(x, conditions)``: B x C x h x w float32 of any size, B x N or None; the network's answer.
Engine: TypeAlias = Callable[[Tensor, Tensor | None], Tensor]
# Two engines agree when no value of [0, 1] differs by more.
AGREE = 1e-3


def build_engine(
    net: nn.Module,
    choice: Choice,
    *,
    device: torch.device,
    channels: int = 3,
    conditions: int = 0,
    scale: int = 1,
    check: bool = False,
) -> Engine:
    """The engine that computes ``net``, a module in eval mode on ``device``.

    Args:
        channels, conditions: what the network takes.
        scale: output pixels per input pixel along one side.
        check: compare with torch at sizes other than the traced one first, for networks that nobody has tested.

    A network that an engine cannot take, or computes otherwise than torch, is computed by torch, with an
    :class:`restore.engines.EngineWarning` where the engine was asked for.
    """
    plain = torch_engine(net, device, choice.precision)
    if choice.engine == "torch":
        return plain
    parts = take_apart(net, scale=scale)
    maker = {"compile": _compiled, "onnxruntime": _onnxruntime, "openvino": _openvino}[choice.engine]
    try:
        made = maker(parts, device, choice.precision, channels, conditions)
        if check:
            _check(made, torch_engine(net, device, "fp32"), parts, channels, conditions)
    except Exception as error:  # engines fail in ways of their own, and torch computes every network
        if choice.asked:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            warnings.warn(
                f"engine {choice.engine} cannot compute this network, torch does: {reason}",
                EngineWarning,
                stacklevel=2,
            )
        return plain
    return made


def torch_engine(net: nn.Module, device: torch.device, precision: str) -> Engine:
    """The network as it is, channels last."""

    def run(x: Tensor, conditions: Tensor | None) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        with autocast(device, precision):
            return net(x) if conditions is None else net(x, conditions)

    return run


def _compiled(parts: Parts, device: torch.device, precision: str, channels: int, conditions: int) -> Engine:
    """``torch.compile`` for free sizes; compiles at the first window."""
    core = torch.compile(parts.core, dynamic=True)

    def run(x: Tensor, conditions: Tensor | None) -> Tensor:
        x = parts.prepare(x)
        fitting = parts.fit(x).contiguous(memory_format=torch.channels_last)
        with autocast(device, precision):
            y = core(fitting) if conditions is None else core(fitting, conditions)
        return parts.join(x, y)

    height, width = traced_sides(parts.pad)
    with torch.no_grad():
        run(torch.rand(2, channels, height, width, device=device), _some(conditions, 2, device))
    return run


def _onnxruntime(
    parts: Parts, device: torch.device, precision: str, channels: int, conditions: int
) -> Engine:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # Waiting threads sleep: decoding and encoding pictures need the processor meanwhile.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = to_onnx(parts.core, channels=channels, conditions=conditions, sides=traced_sides(parts.pad))
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(x: Tensor, conditions: Tensor | None) -> Tensor:
        x = parts.prepare(x)
        (y,) = session.run(None, _arrays(parts.fit(x), conditions))
        return parts.join(x, torch.from_numpy(y))

    return run


def _openvino(parts: Parts, device: torch.device, precision: str, channels: int, conditions: int) -> Engine:
    import openvino

    graph = to_onnx(parts.core, channels=channels, conditions=conditions, sides=traced_sides(parts.pad))
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(graph),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            # Threads are not bound to processors: another process on the same ones would hold us up.
            "ENABLE_CPU_PINNING": False,
        },
    )
    request = compiled.create_infer_request()

    def run(x: Tensor, conditions: Tensor | None) -> Tensor:
        x = parts.prepare(x)
        request.infer(_arrays(parts.fit(x), conditions))
        y = torch.from_numpy(request.get_output_tensor(0).data)
        return parts.join(x, y if parts.splits else y.clone())  # the next picture overwrites it

    return run


def _arrays(x: Tensor, conditions: Tensor | None) -> dict[str, Any]:
    arrays = {"image": x.float().contiguous().numpy()}
    return arrays if conditions is None else {**arrays, "conditions": conditions.float().contiguous().numpy()}


def _some(conditions: int, batch: int, device: torch.device) -> Tensor | None:
    return torch.full((batch, conditions), 0.1, device=device) if conditions else None


@torch.no_grad()
def _check(made: Engine, reference: Engine, parts: Parts, channels: int, conditions: int) -> None:
    """Raises RestoreError where ``made`` differs from float32 torch at sizes that were not traced."""
    height, width = traced_sides(parts.pad)
    for batch, h, w in ((1, height * 2, width + 3), (3, height // 2, width * 2)):
        x = torch.rand(batch, channels, h, w, generator=torch.Generator().manual_seed(h))
        given = _some(conditions, batch, x.device)
        difference = float((made(x, given) - reference(x, given)).abs().max())
        if not difference < AGREE:
            raise RestoreError(f"its answer at {h} x {w} differs by {difference:.2g}")
