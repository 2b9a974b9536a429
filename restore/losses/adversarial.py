"""What a generator and its critics minimise; scores are raw critic maps of any shape.

``mean`` takes the inner means; several processes give one that goes over all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Mean = Callable[[Tensor], Tensor]


def relativistic_critic(
    real: Tensor, fake: Tensor, *, low: float = 0.0, high: float = 1.0, mean: Mean = torch.mean
) -> Tensor:
    """Relativistic average least squares (Jolicoeur-Martineau 2019): real scores lie ``high`` above the mean fake.

    ``1/2 [E (C(r) - E C(f) - high)^2 + E (C(f) - E C(r) - low)^2]``. EnlightenGAN: 0 and 1; DeblurGAN-v2: -1 and 1.
    A constant added to the critic changes nothing.
    """
    above, below = (real - mean(fake) - high).square(), (fake - mean(real) - low).square()
    return 0.5 * (above.mean() + below.mean())


def relativistic_generator(
    real: Tensor, fake: Tensor, *, low: float = 0.0, high: float = 1.0, mean: Mean = torch.mean
) -> Tensor:
    """The same with real and fake in each other's place."""
    return relativistic_critic(fake, real, low=low, high=high, mean=mean)


def least_squares_critic(real: Tensor, fake: Tensor) -> Tensor:
    """LSGAN (Mao et al. 2017): ``1/2 [E (D(r) - 1)^2 + E D(f)^2]``."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(fake: Tensor) -> Tensor:
    """``E (D(f) - 1)^2``."""
    return (fake - 1).square().mean()
