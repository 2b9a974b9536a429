"""Anybody's weights: files of community models, recognised and built by ``spandrel``, read so that nothing runs.

Pickles are read by torch's own restricted reader (``weights_only``), which builds tensors and plain containers and
calls nothing else; TorchScript, which is a program, is refused. The architecture follows from the names and shapes
of the tensors. ``spandrel`` (MIT) is optional: the extra ``spandrel``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from restore.errors import RestoreError, UsageError, WeightsError
from restore.models.budget import building
from restore.models.safetensors_file import check_finite, read_header, read_tensors
from restore.models.torch_file import read_torch_file, tensors_in
from restore.models.weights import file_sha256, first_line

PICKLES = (".pth", ".pt", ".ckpt")
# What a window of a network with attention or pooling overlaps by; its receptive field has no bound that is of use.
OVERLAP = 64
# Architectures, by spandrel's names, that are chains of convolutions and nothing else.
_STACKS = ("Compact", "DnCNN")
# The largest number in a tensor's name, in files of few tensors; sides of pictures stand in names too.
_MOST_LAYERS = 4096


@dataclass(frozen=True)
class CommunityFace:
    """What spandrel knows of a model, in our words.

    Args:
        architecture: its name ("ESRGAN", "SwinIR").
        purpose: "SR", "FaceSR" or "Restoration".
        scale: output pixels per input pixel along one side.
        channels: of the pictures it takes and gives, 1 or 3.
        multiple: windows start on multiples of this.
        radius: overlap of windows in input pixels, see :func:`reach`.
        tiling: "supported", "discouraged" (looks at the whole picture) or "internal" (cuts it by itself).
        precisions: the arithmetic that its authors allow.
    """

    architecture: str
    purpose: str
    scale: int
    channels: int
    multiple: int
    radius: int
    tiling: str
    precisions: tuple[str, ...]
    sha256: str


class CommunityNet(nn.Module):
    """A model as spandrel describes it: ``B x channels x H x W`` of any size, padded to what the model can take."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.model = descriptor.model
        self.scale = int(descriptor.scale)
        self._call = descriptor._call_fn  # its __call__ clamps and forbids gradients
        self._padding = descriptor.size_requirements.get_padding

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """The sides that a picture of these sides is padded to."""
        right, below = self._padding(width, height)
        return height + below, width + right

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        below, right = (
            new - old for new, old in zip(self.padded(height, width), (height, width), strict=True)
        )
        y = self._call(self.model, F.pad(x, (0, right, 0, below), mode="replicate"))
        return y[..., : height * self.scale, : width * self.scale]


def load_community(path: Path) -> tuple[CommunityNet, CommunityFace]:
    """The network in a file of anybody's, in eval mode, and its face.

    Raises:
        UsageError: no such file, or ``spandrel`` is not installed.
        WeightsError: damaged, a program instead of weights, an unknown architecture, or one that needs more than
            a picture.
    """
    if not path.is_file():
        raise UsageError(f"there is no weight file {path}")
    spandrel = _spandrel(path)
    state = read_state(path)
    try:
        state = _by_name(spandrel.canonicalize_state_dict(state))
        _check_names(state, path)
        with building(len(state), sum(t.numel() for t in state.values()), where=str(path)):
            descriptor = spandrel.ModelLoader().load_from_state_dict(state)
    except RestoreError:
        raise
    except spandrel.UnsupportedModelError as error:
        raise WeightsError(
            f"{path}: no architecture known to spandrel {spandrel.__version__} has these weights",
            hint=_names(state),
        ) from error
    except Exception as error:  # an architecture guessed from some names, and wrong shapes or missing names
        raise WeightsError(
            f"{path}: the weights do not fit the architecture they look like ({type(error).__name__}: "
            f"{first_line(error)})",
            hint="the file is incomplete, or of a variant that spandrel does not know",
        ) from error
    check_finite(state, where=str(path))
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        raise WeightsError(f"{path}: {descriptor.architecture.name} needs a mask beside the picture")
    channels = (descriptor.input_channels, descriptor.output_channels)
    if channels not in ((1, 1), (3, 3)):
        raise WeightsError(f"{path}: expected a model of 1 or 3 channels in and out, got {channels}")
    net = CommunityNet(descriptor).float().eval().requires_grad_(False)
    safe = {"bf16": descriptor.supports_bfloat16, "fp16": descriptor.supports_half}
    return net, CommunityFace(
        architecture=str(descriptor.architecture.name),
        purpose=str(descriptor.purpose),
        scale=int(descriptor.scale),
        channels=channels[0],
        multiple=grid(str(descriptor.architecture.id), int(descriptor.size_requirements.multiple_of)),
        radius=reach(str(descriptor.architecture.id), net.model),
        tiling=descriptor.tiling.name.lower(),
        precisions=("fp32", *(name for name, allowed in safe.items() if allowed)),
        sha256=file_sha256(path),
    )


def read_state(path: Path) -> dict[str, Any]:
    """The content of a ``.safetensors`` file or of a pickle, by name; nothing in the file is executed.

    Raises:
        WeightsError: unreadable, not weights, more than weights, or a tensor larger than its own data.
    """
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        read_header(path)
        state: Any = read_tensors(path)
    elif suffix in PICKLES:
        state = read_torch_file(path)
    else:
        raise WeightsError(f"{path}: expected .safetensors, {', '.join(PICKLES)}, got {suffix!r}")
    if not isinstance(state, Mapping) or not any(True for _ in tensors_in(state)):
        raise WeightsError(f"{path}: expected tensors by name, got {type(state).__name__} without any")
    return dict(state)


def grid(architecture: str, multiple: int) -> int:
    """Where windows start: on what the model asks for, and on 64 where that divides it.

    Many pad by themselves and do not tell the grid of their strides and windows, which are powers of two.
    """
    return multiple if architecture in _STACKS or OVERLAP % multiple else OVERLAP


def reach(architecture: str, net: nn.Module) -> int:
    """How far windows overlap, in input pixels.

    For plain stacks of convolutions at one resolution that is how far a pixel's result depends on its neighbours,
    so windows equal the whole; others look further than is of use, or at everything, and get ``OVERLAP``.
    """
    if architecture not in _STACKS:
        return OVERLAP
    sides = [side for m in net.modules() if isinstance(m, nn.Conv2d) for side in m.kernel_size[:1]]
    return sum(side // 2 for side in sides)


def _spandrel(path: Path) -> Any:
    try:
        import spandrel
    except ImportError as error:
        raise UsageError(
            f"{path} holds weights of somebody else's, which need the package spandrel",
            hint="pip install 'restore-kit[spandrel]'",
        ) from error
    return spandrel


def _by_name(state: Any) -> dict[str, Tensor]:
    """The tensors among what a checkpoint holds by name; spandrel takes nothing else."""
    return {k: v for k, v in dict(state).items() if isinstance(k, str) and isinstance(v, Tensor)}


def _check_names(state: Mapping[str, Tensor], path: Path) -> None:
    """Layers are counted by the numbers in names, and somebody's loop would run so often.

    Raises:
        WeightsError: a number that no count of layers is.
    """
    most = max(_MOST_LAYERS, 4 * len(state))
    for name in state:
        if any(len(digits) > 18 or int(digits) > most for digits in re.findall(r"[0-9]+", name)):
            raise WeightsError(
                f"{path} is refused: {name[:80]!r} counts layers that {len(state)} tensors cannot fill"
            )


def _names(state: Mapping[str, Any]) -> str:
    known = [str(key) for key in state][:4]
    return f"its tensors begin with {', '.join(known)}" if known else "it holds no tensors"
