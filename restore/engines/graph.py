"""A network as a graph that other engines read: ONNX, of any batch and size."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restore.errors import RestoreError, UsageError

OPSET = 17
# Both sides of the picture that is traced, at least: above what any layer would treat in a way of its own.
_TRACED = 64


@dataclass(frozen=True)
class Parts:
    """A network taken apart: with ``p = prepare(x)``, ``base(p) - core(padded p)`` where it ``splits``, else
    ``core(padded p)``.

    Networks that keep the picture itself out of their arithmetic offer ``residual(p, conditions)`` for sides that
    are multiples of ``multiple``, and ``base(p)`` where what it is taken from is not that picture. Networks that work
    on another picture than they are given offer ``prepare(x)``, and ``inner(p)`` where there is no residual.

    Args:
        core: what an engine computes.
        prepare, base: what stays in torch, in float32.
        splits: whether the two are apart.
        pad: sides (height, width) to the sides the core takes.
        scale: output pixels of the core per input pixel along one side.
    """

    core: nn.Module
    prepare: Callable[[Tensor], Tensor]
    base: Callable[[Tensor], Tensor]
    splits: bool
    pad: Callable[[int, int], tuple[int, int]]
    scale: int

    def fit(self, x: Tensor) -> Tensor:
        """``x`` padded, by repeating its edge, to sides the core takes."""
        height, width = x.shape[-2:]
        below, right = (new - old for new, old in zip(self.pad(height, width), (height, width), strict=True))
        return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x

    def join(self, x: Tensor, y: Tensor) -> Tensor:
        """The answer from the picture and what the core made of it."""
        y = y[..., : x.shape[-2] * self.scale, : x.shape[-1] * self.scale]
        return self.base(x) - y.to(x.dtype) if self.splits else y


class _Method(nn.Module):
    """A method of a network as a module."""

    def __init__(self, net: nn.Module, name: str) -> None:
        super().__init__()
        self.net, self.name = net, name

    def forward(self, x: Tensor, conditions: Tensor | None = None) -> Tensor:
        method: Callable[..., Tensor] = getattr(self.net, self.name)
        return method(x) if conditions is None else method(x, conditions)


def take_apart(net: nn.Module, *, scale: int = 1) -> Parts:
    """The parts of a network; see :class:`Parts`. A ``padded(height, width)`` of the network says what it takes."""
    pad = getattr(net, "padded", None)
    prepare = getattr(net, "prepare", _same)
    scale = 1 if hasattr(net, "prepare") else scale
    if not hasattr(net, "residual"):
        core = _Method(net, "inner") if hasattr(net, "prepare") else net
        return Parts(core, prepare, _same, False, pad or (lambda height, width: (height, width)), scale)
    multiple = int(getattr(net, "multiple", 1))

    def to_multiple(height: int, width: int) -> tuple[int, int]:
        return height + -height % multiple, width + -width % multiple

    return Parts(
        _Method(net, "residual"), prepare, getattr(net, "base", _same), True, pad or to_multiple, scale
    )


def to_onnx(module: nn.Module, *, channels: int, conditions: int, sides: tuple[int, int]) -> bytes:
    """``module(image)`` or ``module(image, conditions)`` as an ONNX file in memory, batch and sides free.

    Args:
        module: in eval mode, on the CPU, in float32.
        channels: of the image.
        conditions: numbers per picture; 0: the graph has no such input.
        sides: of the picture it is traced with.

    Raises:
        UsageError: the package ``onnx`` is missing.
        RestoreError: a network that cannot be traced.
    """
    example = [torch.rand(2, channels, *sides, generator=torch.Generator().manual_seed(0))]
    free = {"image": {0: "batch", 2: "height", 3: "width"}, "restored": {0: "batch", 2: "height", 3: "width"}}
    if conditions:
        example.append(torch.full((2, conditions), 0.1))
        free["conditions"] = {0: "batch"}
    try:
        import onnx  # noqa: F401 - torch's exporter needs it and says so less clearly
    except ImportError as error:
        raise UsageError(
            "ONNX files need the package onnx", hint="pip install 'restore-kit[onnxruntime]'"
        ) from error
    # The exporter hands every argument of `forward` over by place, those that have no place too.
    plain = module if isinstance(module, _Method) else _Method(module, "forward")
    file = io.BytesIO()
    try:
        with torch.no_grad(), _silent(), warnings.catch_warnings():
            # The exporter that follows one pass is called old; it takes a fifth of a second where the new one takes
            # six and needs a compiler's worth of packages, and both give graphs of the same speed.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                plain.eval(),
                tuple(example),
                file,  # type: ignore[arg-type]  # the old exporter takes it
                dynamo=False,
                opset_version=OPSET,
                input_names=["image", "conditions"][: len(example)],
                output_names=["restored"],
                dynamic_axes=free,
            )
    except Exception as error:  # whatever a foreign network does while it is traced
        line = (str(error).strip().splitlines() or [""])[0]
        raise RestoreError(
            f"the network cannot be written as ONNX: {type(error).__name__}: {line}", hint="--engine torch"
        ) from error
    return file.getvalue()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps the exporter from writing a graph that it cannot export to stdout, which belongs to results."""
    usual = getattr(torch._C, "_jit_onnx_log", None)
    if usual is None:
        yield
        return
    torch._C._jit_onnx_log = lambda *what: None  # its own switch for this is turned on again by the exporter
    try:
        yield
    finally:
        torch._C._jit_onnx_log = usual


def _same(x: Tensor) -> Tensor:
    return x


def traced_sides(pad: Callable[[int, int], tuple[int, int]]) -> tuple[int, int]:
    """Two different sides that need no padding."""
    height, _ = pad(_TRACED, _TRACED)
    _, width = pad(height, height + 1)
    return height, width
