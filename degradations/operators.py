"""Known linear degradations as operators y = A x with exact adjoints, for whatever inverts them.

<A x, y> = <x, A' y> holds to the rounding of float64. An operator belongs to one shape of pictures; every sample of a
batch may have a matrix of its own (its own kernel, its own mask). What comes out is a tensor whose first axis counts
samples: a picture again, or measurements. ``recorded`` makes them from the parameters of a degradation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.blur import BORDERS, convolve
from restore.errors import UsageError, unknown
from restore.resample import taps

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """A linear operator A between pictures ``B x C x H x W`` and what is measured of them.

    Args:
        name: what it is.
        input_shape, output_shape: (C, H, W) of a picture, and the shape of one sample's measurement.
        forward: A x. adjoint: A' y. Both keep the type and the device, and let gradients pass.
        parts: what it was made from (psf, border, scale, mask ...), for solvers that use its structure.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    parts: dict[str, Any] = field(default_factory=dict)

    def __call__(self, x: Tensor) -> Tensor:
        """A x.

        Raises:
            UsageError: a picture of another shape.
        """
        _expect(self.name, self.input_shape, x)
        return self.forward(x)

    def transpose(self, y: Tensor) -> Tensor:
        """A' y.

        Raises:
            UsageError: a measurement of another shape.
        """
        _expect(f"adjoint of {self.name}", self.output_shape, y)
        return self.adjoint(y)

    def normal(self, x: Tensor) -> Tensor:
        """A' A x."""
        return self.transpose(self(x))

    def then(self, other: Operator) -> Operator:
        """First this, then the other.

        Raises:
            UsageError: shapes that do not fit.
        """
        if self.output_shape != other.input_shape:
            raise UsageError(
                f"{other.name} takes {other.input_shape}, but {self.name} gives {self.output_shape}"
            )
        return Operator(
            f"{self.name} + {other.name}",
            self.input_shape,
            other.output_shape,
            lambda x: other.forward(self.forward(x)),
            lambda y: self.adjoint(other.adjoint(y)),
            {"steps": [self, other]},
        )

    def norm(self, *, steps: int = 30, seed: int = 0) -> float:
        """The largest singular value, from below, by the power method (float64)."""
        x = draw.normal_fields(torch.tensor([seed]), self.input_shape).double()
        value = 0.0
        for _ in range(steps):
            x = x / x.norm().clamp(min=1e-300)
            x = self.normal(x)
            value = float(x.norm())
        return math.sqrt(value)


def identity(shape: Shape) -> Operator:
    """A = 1 on pictures (C, H, W): denoising."""
    return Operator("identity", tuple(shape), tuple(shape), lambda x: x.clone(), lambda y: y.clone())


def blur(psf: Tensor | Sequence[Tensor], shape: Shape, *, border: str = "reflect") -> Operator:
    """True convolution with a known psf (odd sides), of pictures (C, H, W).

    Args:
        psf: one for all, or one per sample.
        border: "reflect", or "wrap" (then A is diagonal in the Fourier domain).

    Raises:
        UsageError: an even side, or an unknown border.
    """
    if border not in BORDERS:
        raise unknown("border", border, BORDERS)
    kernels = [psf] if isinstance(psf, Tensor) else list(psf)
    for kernel in kernels:
        if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
            raise UsageError(f"expected a psf with odd sides, got shape {tuple(kernel.shape)}")

    def forward(x: Tensor) -> Tensor:
        return torch.cat([convolve(p, k, border=border) for p, k in _each(x, kernels)])

    def adjoint(y: Tensor) -> Tensor:
        made = []
        for part, kernel in _each(y, kernels):
            turned = kernel.flip(0, 1)
            if border == "wrap":
                made.append(convolve(part, turned, border="wrap"))
                continue
            rows, columns = kernel.shape[0] // 2, kernel.shape[1] // 2
            # Every pixel's light back to where it came from, beyond the edge too; then folded in.
            room = torch.nn.functional.pad(part, (2 * columns,) * 2 + (2 * rows,) * 2)
            full = convolve(room, turned, border="wrap")
            full = full[..., rows : full.shape[-2] - rows, columns : full.shape[-1] - columns]
            made.append(fold(fold(full, -2, rows), -1, columns))
        return torch.cat(made)

    parts = {"psf": kernels, "border": border}
    return Operator("blur", tuple(shape), tuple(shape), forward, adjoint, parts)


def downsample(shape: Shape, *, scale: int, kernel: str = "bicubic", antialias: bool = True) -> Operator:
    """:func:`restore.resample.imresize` by 1 / ``scale`` without rounding ("bicubic" is MATLAB's on doubles)."""
    c, h, w = shape
    low = (max(math.ceil(h / scale - 1e-9), 1), max(math.ceil(w / scale - 1e-9), 1))
    across = [_matrix(n, m, 1 / scale, kernel, antialias) for n, m in ((h, low[0]), (w, low[1]))]

    def weigh(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        made = torch.sparse.mm(rows.to(x), x.movedim(-2, 0).flatten(1)).view(-1, *x.shape[:-2], x.shape[-1])
        made = made.movedim(0, -2)
        flat = made.movedim(-1, 0).flatten(1)
        made = torch.sparse.mm(columns.to(x), flat).view(-1, *made.shape[:-1])
        return made.movedim(0, -1).contiguous()

    def forward(x: Tensor) -> Tensor:
        return weigh(x, *across)

    def adjoint(y: Tensor) -> Tensor:
        return weigh(y, *(m.t().coalesce() for m in across))

    parts = {"scale": scale, "kernel": kernel, "antialias": antialias}
    return Operator("downsample", (c, h, w), (c, *low), forward, adjoint, parts)


def stride(shape: Shape, *, scale: int, offset: int = 0) -> Operator:
    """Every ``scale``-th pixel from ``offset`` on; after :func:`blur` the classical model of super-resolution."""
    c, h, w = shape
    if not 0 <= offset < min(scale, h, w):
        raise UsageError(f"expected an offset from 0 below {min(scale, h, w)}, got {offset}")
    low = ((h - offset + scale - 1) // scale, (w - offset + scale - 1) // scale)

    def forward(x: Tensor) -> Tensor:
        return x[..., offset::scale, offset::scale].clone()

    def adjoint(y: Tensor) -> Tensor:
        step = torch.zeros((*y.shape[:-2], h, w), dtype=y.dtype, device=y.device)
        step[..., offset::scale, offset::scale] = y
        return step

    return Operator("stride", (c, h, w), (c, *low), forward, adjoint, {"scale": scale, "offset": offset})


def masking(keep: Tensor, shape: Shape) -> Operator:
    """Pixels times ``keep`` (broadcast to ``B x C x H x W``; 0 gone, 1 kept): inpainting. It is its own adjoint."""

    def both(x: Tensor) -> Tensor:
        return x * keep.to(x)

    return Operator("masking", tuple(shape), tuple(shape), both, both, {"keep": keep})


def fourier(mask: Tensor, shape: Shape) -> Operator:
    """The orthonormal 2-D Fourier transform at the frequencies where ``mask`` (H x W, numpy's order) is 1.

    Measurements are ``C x H x W x 2``: real and imaginary parts, zero where nothing was measured.
    """
    c, h, w = shape

    def forward(x: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.fft2(x, norm="ortho")) * mask.to(x)[..., None]

    def adjoint(y: Tensor) -> Tensor:
        seen = torch.view_as_complex((y * mask.to(y)[..., None]).contiguous())
        return torch.fft.ifft2(seen, norm="ortho").real

    return Operator("fourier", (c, h, w), (c, h, w, 2), forward, adjoint, {"mask": mask})


def compressed_sensing(shape: Shape, *, count: int, seed: int = 0) -> Operator:
    """``count`` random entries of a circular convolution of the signed picture: y = P F x / sqrt(count).

    The picture is flattened to n = C H W values, multiplied by random signs, convolved circularly with a filter of
    N(0, 1), and ``count`` of the n results are kept (Romberg 2009). E |y|^2 = |x|^2.

    Raises:
        UsageError: a count outside 1 to n.
    """
    n = math.prod(shape)
    if not 1 <= count <= n:
        raise UsageError(f"expected a count of measurements from 1 to {n}, got {count}")
    g = draw.generator(draw.child_seed(seed, "compressed sensing"))
    signs = draw.draw_choice(n, 2, g).double() * 2 - 1
    taps_ = draw.draw_normal(n, g) / math.sqrt(count)
    transfer = torch.fft.rfft(taps_)
    kept = torch.tensor(sorted(draw.draw_order(n, g)[:count]))

    def turn(x: Tensor, spectrum: Tensor) -> Tensor:
        kind = torch.complex128 if x.dtype == torch.float64 else torch.complex64
        return torch.fft.irfft(torch.fft.rfft(x) * spectrum.to(x.device, kind), n=n)

    def forward(x: Tensor) -> Tensor:
        return turn(x.flatten(1) * signs.to(x), transfer)[:, kept.to(x.device)]

    def adjoint(y: Tensor) -> Tensor:
        full = y.new_zeros((len(y), n)).index_copy(1, kept.to(y.device), y)
        return (turn(full, transfer.conj()) * signs.to(y)).view(-1, *shape)

    parts = {"signs": signs, "filter": taps_, "kept": kept}
    return Operator("compressed-sensing", tuple(shape), (count,), forward, adjoint, parts)


def _matrix(n: int, m: int, scale: float, kernel: str, antialias: bool) -> Tensor:
    """``m x n`` sparse float64: one axis of ``imresize``."""
    index, weights = taps(n, m, scale, kernel, antialias)
    rows = torch.arange(m).expand_as(index)
    places = torch.stack([rows.flatten(), index.flatten()])
    return torch.sparse_coo_tensor(places, weights.flatten(), (m, n), check_invariants=True).coalesce()


def fold(x: Tensor, axis: int, extra: int) -> Tensor:
    """The adjoint of mirroring ``extra`` samples on both sides of an axis: each is added to where it came from."""
    if not extra:
        return x
    length = x.shape[axis] - 2 * extra
    index = torch.arange(-extra, length + extra, device=x.device)
    period = max(2 * (length - 1), 1)
    index = index % period
    index = torch.minimum(index, period - index) if length > 1 else index
    shape = list(x.shape)
    shape[axis] = length
    return torch.zeros(shape, dtype=x.dtype, device=x.device).index_add(axis, index, x)


def _each(x: Tensor, kernels: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    if len(kernels) not in (1, len(x)):
        raise UsageError(f"expected one psf, or one for each of {len(x)} samples, got {len(kernels)}")
    return [(part, kernels[i if len(kernels) > 1 else 0]) for i, part in enumerate(x.split(1))]


def _expect(name: str, shape: Shape, x: Tensor) -> None:
    if tuple(x.shape[1:]) != shape:
        raise UsageError(f"{name}: expected samples of shape {shape}, got {tuple(x.shape[1:])}")
