"""Denoising with a dictionary that K-SVD learns from the noisy picture (Elad & Aharon, TIP 2006)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.classical.each import per_picture
from restore.classical.patches import map_patches, take_patches
from restore.classical.transforms import dct_matrix
from restore.convolve import pad
from restore.errors import unknown

CODINGS = ("omp", "lasso")
# An error of 1.15 sigma per value is what the noise alone leaves with near certainty (Elad & Aharon).
_GAIN = 1.15


def omp(y: Tensor, atoms: Tensor, *, error: float, most: int) -> Tensor:
    """Orthogonal matching pursuit (Pati et al. 1993) for many signals at once.

    Args:
        y: ``N x n`` signals.
        atoms: ``K x n``, of unit norm.
        error: a signal is done when its squared error is at most this.
        most: atoms a signal may use.

    Returns:
        ``N x K`` codes.
    """
    gram, share = atoms @ atoms.T, y @ atoms.T
    codes = y.new_zeros(len(y), len(atoms))
    active = torch.nonzero(y.square().sum(1) > error)[:, 0]
    used = torch.zeros(len(active), 0, dtype=torch.long, device=y.device)
    rest = share[active]
    for _ in range(min(most, len(atoms), y.shape[1])):
        if not len(active):
            break
        used = torch.cat([used, rest.abs().scatter(1, used, -1.0).argmax(1, keepdim=True)], 1)
        k = used.shape[1]
        block = gram[used[:, :, None], used[:, None, :]]
        block = block + 1e-6 * torch.eye(k, device=y.device, dtype=y.dtype)
        wanted = share[active].gather(1, used)
        weights = torch.cholesky_solve(wanted[..., None], torch.linalg.cholesky(block))[..., 0]
        codes[active] = codes[active].scatter(1, used, weights)
        left = y[active].square().sum(1) - (weights * wanted).sum(1) > error
        active, used, weights = active[left], used[left], weights[left]
        rest = share[active] - codes[active] @ gram
    return codes


def lasso(y: Tensor, atoms: Tensor, *, weight: float, iterations: int = 25) -> Tensor:
    """min over a of |y - a D|^2 / 2 + weight |a|_1 by FISTA (Beck & Teboulle 2009); shapes as :func:`omp`."""
    gram, share = atoms @ atoms.T, y @ atoms.T
    step = 1 / float(torch.linalg.matrix_norm(gram, 2))
    codes = ahead = torch.zeros_like(share)
    t = 1.0
    for _ in range(iterations):
        moved = ahead - step * (ahead @ gram - share)
        new = moved - moved.clamp(-weight * step, weight * step)
        following = (1 + (1 + 4 * t * t) ** 0.5) / 2
        codes, ahead, t = new, new + (t - 1) / following * (new - codes), following
    return codes


def learn_dictionary(y: Tensor, atoms: Tensor, *, error: float, rounds: int = 8, most: int = 12) -> Tensor:
    """K-SVD (Aharon, Elad & Bruckstein 2006): codes by OMP, then atom by atom the best rank-one fit.

    One power iteration stands for the singular value decomposition (Rubinstein et al. 2008); an atom nobody uses
    becomes the signal that is described worst.
    """
    atoms = atoms.clone()
    for _ in range(rounds):
        codes = omp(y, atoms, error=error, most=most).T.contiguous()
        rest = y - codes.T @ atoms
        for k in range(len(atoms)):
            users = torch.nonzero(codes[k])[:, 0]
            if not len(users):
                worst = rest.square().sum(1).argmax()
                atoms[k] = y[worst] / y[worst].norm().clamp(min=1e-9)
                rest[worst] = 0
                continue
            own = rest[users] + codes[k, users, None] * atoms[k]
            atom = codes[k, users] @ own
            atom = atom / atom.norm().clamp(min=1e-9)
            weights = own @ atom
            atoms[k] = atom
            codes[k, users] = weights
            rest[users] = own - weights[:, None] * atom
    return atoms


def ksvd(
    x: Tensor, *, sigma: float | Tensor, coding: str = "omp", side: int = 8, step: int = 2, atoms: int = 256
) -> Tensor:
    """K-SVD denoising, colours decorrelated first, a dictionary for each plane.

    Args:
        x: ``B x C x H x W``.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each; 0: unchanged.
        coding: "omp" (as few atoms as the noise allows), or "lasso" (soft: biased, some tenths to 1.5 dB behind).
        side, step: of the patches, pixels.
        atoms: of the dictionary, a square number.

    Returns:
        A tensor like ``x``, not clipped, without gradient.

    Raises:
        UsageError: a negative sigma or an unknown coding.
    """
    if coding not in CODINGS:
        raise unknown("coding", coding, CODINGS)
    mix = dct_matrix(x.shape[1], x.device)
    made = []
    for picture, s in zip(x.detach(), per_picture(x, sigma, name="sigma"), strict=True):
        if s == 0:
            made.append(picture.clone())
            continue
        y = torch.einsum("ij,jhw->ihw", mix, picture.float())
        y = torch.cat([_denoise(p, s, coding, side, step, atoms) for p in y.split(1)])
        made.append(torch.einsum("ij,ihw->jhw", mix, y).to(x.dtype))
    return torch.stack(made).contiguous()


def _denoise(plane: Tensor, sigma: float, coding: str, side: int, step: int, count: int) -> Tensor:
    error = side * side * (_GAIN * sigma) ** 2
    known = take_patches(pad(plane[None], side, side)[0], side, 1).flatten(1)
    known = known[:: max(len(known) // 6000, 1)]
    known = known - known.mean(1, keepdim=True)
    start = _overcomplete_dct(side, round(count**0.5)).to(known)
    atoms = learn_dictionary(known, start, error=error) if len(known) >= 4 * len(start) else start

    def code(p: Tensor) -> Tensor:
        flat = p.flatten(1)
        mean = flat.mean(1, keepdim=True)
        made = []
        for part in (flat - mean).split(8192):
            if coding == "omp":
                codes = omp(part, atoms, error=error, most=side * side // 2)
            else:
                codes = lasso(part, atoms, weight=1.8 * sigma)
            made.append(codes @ atoms)
        return (torch.cat(made) + mean).view(p.shape)

    return map_patches(plane, code, side=side, step=step)


def _overcomplete_dct(side: int, per_axis: int) -> Tensor:
    """``per_axis^2 x side^2``: cosines of more frequencies than a patch has pixels along a side, no mean."""
    n, k = torch.arange(side, dtype=torch.float64), torch.arange(per_axis, dtype=torch.float64)
    line = torch.cos(torch.pi * k[:, None] * (n + 0.5) / per_axis)
    line[1:] -= line[1:].mean(1, keepdim=True)
    line = line / line.norm(dim=1, keepdim=True)
    return torch.kron(line, line)
