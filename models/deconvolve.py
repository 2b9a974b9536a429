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


class DeconvolveNet(GuidedNet):
    """``y = x - f(x, a, b)``: a and b are x, deconvolved by the psf that was found and by its mirror image.

    What a picture's spectrum says of a psf is the same for its mirror image; f sees which of both is right.

    Args:
        widths, blocks, unshuffle: of f, see :class:`restore.models.resunet.ResUNet`.
        found_widths, found_blocks: of the network that finds the psf in maps of lags.

    ``look`` says the psf (63 x 63, its sum 1) and the logarithm of the noise it is to be inverted under.
    """

    side = 0  # no thumbnail

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
        self.find = UNet(3, 2, widths=found_widths, blocks=found_blocks)
        self.refine = ResUNet(widths=widths, blocks=blocks, unshuffle=unshuffle, conditions=1, extra=6)
        self.multiple, self.radius = self.refine.multiple, self.refine.radius + _TAPS

    def glance(self, x: Tensor) -> Tensor:
        return lags(x)

    def read_view(self, read: Read, height: int, width: int) -> Tensor:
        return read_lags(read, height, width)

    def look(self, view: Tensor) -> Tensor:
        """``B x (63 * 63 + 1)`` from maps of lags."""
        correlation, cepstrum = view.float().unbind(1)
        line = torch.linspace(-1, 1, _SIDE, device=view.device)
        distance = torch.hypot(line[:, None], line).expand_as(correlation)
        shown = torch.stack(
            [2 * correlation.sign() * correlation.abs().sqrt(), (20 * cepstrum).clamp(-3, 3), distance], 1
        )
        said = 3 * self.find(F.pad(shown, (0, 1, 0, 1)))[..., :_SIDE, :_SIDE].float()
        # A psf looks much like its own autocorrelation: from there the network goes on.
        logits = said[:, 0] + 2 * correlation.clamp(min=3e-3).log()
        middle = slice(REACH - 2, REACH + 3)  # where the map tells noise from blur
        noise = (3 * said[:, 1, middle, middle].mean((1, 2)) - 5.5).clamp(-9, 0)
        return torch.cat([logits.flatten(1).softmax(1), noise[:, None]], 1)

    def repair(self, x: Tensor, seen: Tensor) -> dict[str, Tensor]:
        """Parts "picture", "psf" (``B x 1 x 63 x 63``), and "either" (a and b, ``B x 6 x H x W``) of whole windows."""
        psf, noise = seen[:, :-1].view(-1, 1, _SIDE, _SIDE), seen[:, -1:]
        with torch.autocast(x.device.type, enabled=False):
            taps = inverse_filter(psf.float(), noise.float())
            inverted = filter_both(x.float(), taps).clamp(-0.5, 1.5).to(x.dtype)
        picture = self.refine(torch.cat([x, inverted], 1), (noise + 5) / 10)
        return {"picture": picture, "psf": psf, "either": inverted}


def inverse_filter(psf: Tensor, noise: Tensor) -> Tensor:
    """Wiener's filter for a psf, cut softly at 48 pixels, ``B x 1 x 97 x 97``.

    Args:
        psf: ``B x 1 x 63 x 63``.
        noise: ``B x 1``, the logarithm of the power of the noise over that of the picture's gradients.
    """
    around = (_GRID - _SIDE) // 2
    whole = F.pad(psf[:, 0], (around, around + 1, around, around + 1))
    transfer = torch.fft.rfft2(torch.roll(whole, (-around - REACH, -around - REACH), (-2, -1)))
    down = torch.fft.fftfreq(_GRID, device=psf.device)[:, None]
    across = torch.fft.rfftfreq(_GRID, device=psf.device)
    # A picture's power falls with the square of the frequency.
    penalty = noise.exp()[:, :, None] * 4 * (down.square() + across.square()) + 1e-5
    taps = torch.fft.irfft2(transfer.conj() / (transfer.abs().square() + penalty), s=(_GRID, _GRID))
    line = torch.hann_window(2 * _TAPS + 3, periodic=False, device=psf.device)[1:-1].sqrt()
    middle = slice(_GRID // 2 - _TAPS, _GRID // 2 + _TAPS + 1)
    cut = torch.fft.fftshift(taps, dim=(-2, -1))[:, middle, middle] * line[:, None] * line
    return (cut / cut.sum((1, 2), keepdim=True))[:, None]


def filter_both(x: Tensor, taps: Tensor) -> Tensor:
    """``B x 3 x H x W`` filtered by ``taps`` and by their mirror image, ``B x 6 x H x W``; mirrored at the border."""
    from scipy.fft import next_fast_len

    height, width = x.shape[-2:]
    size = [next_fast_len(n + 2 * _TAPS, real=True) for n in (height, width)]
    whole = torch.fft.rfft2(pad(x, _TAPS, _TAPS), s=size)
    kernel = torch.fft.rfft2(taps, s=size)
    mirrored = torch.fft.rfft2(taps.flip(-2, -1), s=size)
    both = torch.fft.irfft2(torch.cat([whole * kernel, whole * mirrored], 1), s=size)
    return both[..., 2 * _TAPS : 2 * _TAPS + height, 2 * _TAPS : 2 * _TAPS + width]
