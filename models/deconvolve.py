"""DeconvolveNet: finds the point spread function, inverts it, and repairs what the inversion leaves.

Blind deconvolution in the classical order (estimate the kernel, then deconvolve), with a network for the estimate and
a network for the repair; kernels as predicted by networks: Schuler et al., "Learning to Deblur", TPAMI 2016.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from restore.convolve import pad
from restore.models.guided import GuidedNet
from restore.models.lags import REACH, lags, read_lags
from restore.models.look import Read
from restore.models.resunet import ResUNet, UNet

_SIDE = 2 * REACH + 1
_TAPS = 48  # reach of the inverse filter, pixels
_GRID = 192  # on which it is made
_NOISES = (0.0015, 0.05)  # under which it is made, boldly and carefully


class DeconvolveNet(GuidedNet):
    """``y = x - f(x, a, b, c, d)``: a and b are x, deconvolved by the psf that was found, boldly and carefully; c and d
    the same by its mirror image.

    What a picture's spectrum says of a psf is the same for its mirror image; f sees which of both is right, and how
    bold the noise lets it be.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        found_widths, found_blocks: of the network that finds the psf in maps of lags.

    ``look`` says the psf (63 x 63, its sum 1).
    """

    view = "lags"
    window = 512  # each pixel is held in 15 channels and their spectra

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 144),
        blocks: tuple[int, ...] = (2, 2, 2),
        unshuffle: int = 2,
        found_widths: tuple[int, ...] = (32, 64, 96),
        found_blocks: tuple[int, ...] = (1, 1, 2),
    ) -> None:
        super().__init__()
        self.find = UNet(3, 1, widths=found_widths, blocks=found_blocks)
        self.refine = ResUNet(widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=0, extra=12)
        self.multiple, self.radius = self.refine.multiple, self.refine.radius + _TAPS

    def glance(self, x: Tensor) -> Tensor:
        return lags(x)

    def read_view(self, read: Read, height: int, width: int) -> Tensor:
        return read_lags(read, height, width)

    def look(self, view: Tensor) -> Tensor:
        """``B x (63 * 63)`` from maps of lags."""
        correlation, cepstrum = view.float().unbind(1)
        line = torch.linspace(-1, 1, _SIDE, device=view.device)
        distance = torch.hypot(line[:, None], line).expand_as(correlation)
        shown = torch.stack(
            [2 * correlation.sign() * correlation.abs().sqrt(), (20 * cepstrum).clamp(-3, 3), distance], 1
        )
        said = 3 * self.find(F.pad(shown, (0, 1, 0, 1)))[..., :_SIDE, :_SIDE].float()
        # A psf looks much like its own autocorrelation: from there the network goes on.
        logits = said[:, 0] + 2 * correlation.clamp(min=3e-3).log()
        return logits.flatten(1).softmax(1)

    def forward(
        self,
        x: Tensor,
        seen: Tensor | None = None,
        *,
        view: Tensor | None = None,
        parts: bool | str = False,
        psf: Tensor | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """See :class:`GuidedNet`.

        Args:
            psf: in training the true ones. Every other sample is inverted by it instead of by what was found, so that
                f learns what a good inversion is worth before there are any.
        """
        if psf is None:
            return super().forward(x, seen, view=view, parts=parts)
        found = self.look(self.glance(x) if view is None else view)
        every_other = torch.arange(len(x), device=x.device)[:, None] % 2 == 0
        made = super().forward(x, torch.where(every_other, psf.flatten(1).to(found), found), parts=parts)
        return made | {"psf": found.view_as(psf)} if isinstance(made, dict) else made

    def repair(self, x: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Parts "picture", "psf" (``B x 1 x 63 x 63``), and "either" (a to d, ``B x 12 x H x W``) of whole windows."""
        psf = seen.view(-1, 1, _SIDE, _SIDE)
        with torch.autocast(x.device.type, enabled=False):
            taps = torch.cat([inverse_filter(psf.float(), noise) for noise in _NOISES], 1)
            inverted = filter_both(x.float(), taps).clamp(-0.5, 1.5).to(x.dtype)
        picture = self.refine(torch.cat([x, inverted], 1))
        return {"picture": picture, "psf": psf, "either": inverted}


def inverse_filter(psf: Tensor, noise: float) -> Tensor:
    """Wiener's filter for a psf, cut softly at 48 pixels, ``B x 1 x 97 x 97``.

    Args:
        psf: ``B x 1 x 63 x 63``.
        noise: its power over that of the picture's gradients.
    """
    around = (_GRID - _SIDE) // 2
    whole = F.pad(psf[:, 0], (around, around + 1, around, around + 1))
    transfer = torch.fft.rfft2(torch.roll(whole, (-around - REACH, -around - REACH), (-2, -1)))
    down = torch.fft.fftfreq(_GRID, device=psf.device)[:, None]
    across = torch.fft.rfftfreq(_GRID, device=psf.device)
    # A picture's power falls with the square of the frequency.
    penalty = 4 * noise * (down.square() + across.square()) + 1e-5
    taps = torch.fft.irfft2(transfer.conj() / (transfer.abs().square() + penalty), s=(_GRID, _GRID))
    line = torch.hann_window(2 * _TAPS + 3, periodic=False, device=psf.device)[1:-1].sqrt()
    middle = slice(_GRID // 2 - _TAPS, _GRID // 2 + _TAPS + 1)
    cut = torch.fft.fftshift(taps, dim=(-2, -1))[:, middle, middle] * line[:, None] * line
    return (cut / cut.sum((1, 2), keepdim=True))[:, None]


def filter_both(x: Tensor, taps: Tensor) -> Tensor:
    """``B x 3 x H x W`` filtered by N ``taps`` (``B x N x 97 x 97``) and by their mirror images; borders mirror.

    Gives ``B x 6 N x H x W``, the colours of each filter together, mirror images behind.
    """
    from scipy.fft import next_fast_len

    height, width = x.shape[-2:]
    size = [next_fast_len(n + 2 * _TAPS, real=True) for n in (height, width)]
    whole = torch.fft.rfft2(pad(x, _TAPS, _TAPS), s=size)
    kernels = torch.fft.rfft2(torch.cat([taps, taps.flip(-2, -1)], 1), s=size)
    rows, columns = (slice(2 * _TAPS, 2 * _TAPS + n) for n in (height, width))
    made = [torch.fft.irfft2(whole * one[:, None], s=size)[..., rows, columns] for one in kernels.unbind(1)]
    return torch.cat(made, 1)
