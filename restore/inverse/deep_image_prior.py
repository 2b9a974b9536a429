"""Deep image prior: an untrained network fitted to the measurements of one picture (Ulyanov et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from restore.degradations import sample as draw
from restore.degradations.operators import Operator
from restore.errors import UsageError
from restore.inverse.solution import Solution, check_measurement, data_consistency, levels, measured
from restore.models.hourglass import Hourglass

_ENTRY = 16
# Of the noise that is the input, and of what is added to it at every step, as in the paper.
_INPUT, _JITTER = 0.1, 0.03
# What is given back is a running mean of the results with this memory, as in the paper.
_MEMORY = 0.99
# How often the agreement is looked at.
_LOOK = 25


def deep_image_prior(
    y: Tensor,
    operator: Operator,
    *,
    sigma: float | Tensor,
    iterations: int = 2000,
    rate: float = 0.01,
    seed: int = 0,
) -> Solution:
    """min over the weights of |A f(z) - y|^2 by Adam, stopped where the noise would be fitted next.

    A picture stops when the running mean agrees with ``y`` to within the noise (Morozov's discrepancy), or after
    ``iterations``. Slow: a network is trained for every picture, about 2 CPU minutes for 256 x 256.

    Args:
        y: measurements ``B x ...``; every picture gets a network of its own.
        sigma: standard deviation of the noise in units of [0, 1], one for all or one each.
        rate: of Adam.
        seed: of the weights and the noise.

    Returns:
        The running mean; ``trace["data_consistency"]`` holds it for the first picture every 25 steps, and
        ``iterations`` is the largest number of steps.

    Raises:
        UsageError: measurements of another shape, no iteration, or a rate that is not above 0.
    """
    check_measurement(y, operator)
    if iterations < 1 or not rate > 0:
        raise UsageError(f"expected 1 iteration or more and a rate above 0, got {iterations} and {rate:g}")
    noise = levels(y, sigma)
    seen = y * measured(operator, y)
    made, counts, traces = [], [], []
    for part, level in zip(seen.split(1), noise.flatten().tolist(), strict=True):
        image, trace = _fit(part, operator, level, iterations, rate, seed)
        made.append(image)
        counts.append(_LOOK * len(trace) if len(trace) * _LOOK < iterations else iterations)
        traces.append(trace)
    image = torch.cat(made)
    agreement = data_consistency(image, seen, operator, noise.flatten())
    return Solution(image, agreement, max(counts), {"data_consistency": traces[0]})


def _fit(
    y: Tensor, operator: Operator, sigma: float, iterations: int, rate: float, seed: int
) -> tuple[Tensor, list[float]]:
    channels, height, width = operator.input_shape
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Hourglass(entry=_ENTRY, channels=channels).to(y.device, torch.float32).train()
        # Reflecting borders need two samples at the coarsest level.
        rows, columns = (max(-(-n // net.multiple), 2) * net.multiple for n in (height, width))
        g = draw.generator(draw.child_seed(seed, "deep image prior"))
        z = (_INPUT * torch.rand((1, _ENTRY, rows, columns), generator=g)).to(y.device)
        target = y.detach().clone().float()
        seen = measured(operator, target)
        adam = torch.optim.Adam(net.parameters(), lr=rate)
        mean: Tensor | None = None
        trace: list[float] = []
        for i in range(1, iterations + 1):
            jitter = _JITTER * torch.randn(z.shape, generator=g).to(y.device)
            x = net(z + jitter)[..., :height, :width]
            loss = ((operator(x) - target) * seen).square().mean()
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            found = x.detach()
            share = max(1 - _MEMORY, 10 / (i + 9))  # the first results are soon forgotten
            mean = found if mean is None else mean + share * (found - mean)
            if i % _LOOK == 0:
                trace.append(float(data_consistency(mean, target, operator, sigma)))
                if trace[-1] <= 1:
                    break
    assert mean is not None
    return mean.to(y.dtype), trace
