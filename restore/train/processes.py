"""Several processes that train one network, started by ``torchrun``; one process needs none of this."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from restore.errors import UsageError


class _Total(torch.autograd.Function):
    """The sum over processes; every process's loss reaches every process's value."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        total = grad.clone()
        dist.all_reduce(total)
        return total


@dataclass(frozen=True)
class Processes:
    """This process's place among them."""

    rank: int = 0
    count: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this one writes, validates and reports."""
        return self.rank == 0

    def wrap(self, net: nn.Module, *, partly: bool = False) -> nn.Module:
        """The network with gradients averaged over processes; ``partly``: steps may use a part of it alone."""
        if self.count == 1:
            return net
        return nn.parallel.DistributedDataParallel(net, find_unused_parameters=partly)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of ``value`` over processes."""
        if self.count == 1:
            return value
        shared = value.clone()
        dist.all_reduce(shared)
        return shared / self.count

    def mean_with_gradient(self, values: Tensor) -> Tensor:
        """The mean over all values of all processes; gradients pass through it to every process."""
        mean = values.mean()
        return mean if self.count == 1 else _Total.apply(mean) / self.count

    def average_gradients(self, nets: Iterable[nn.Module]) -> None:
        """Replaces every gradient by its mean over processes.

        For networks that are run several times before one step, which DistributedDataParallel does not support.
        """
        if self.count == 1:
            return
        grads = [p.grad for net in nets for p in net.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        parts = (flat / self.count).split([g.numel() for g in grads])
        for grad, part in zip(grads, parts, strict=True):
            grad.copy_(part.view_as(grad))


def share_of(count: int, rank: int, processes: int, *, even: bool = False) -> slice:
    """Which samples of a batch of ``count`` a process makes.

    Args:
        even: refuse shares of different sizes, where means over processes would not be means over samples.

    Raises:
        UsageError: a batch that does not divide evenly although it must.
    """
    if even and count % processes:
        raise UsageError(f"expected a batch that {processes} processes can share evenly, got {count}")
    return slice(count * rank // processes, count * (rank + 1) // processes)


@contextlib.contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Joins the group that ``torchrun`` describes in the environment (gloo on CPU, nccl on CUDA), or none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Imported later (optimisers do), its default arguments would keep the group, whose threads then outlive
    # `destroy_process_group` and now and then abort the process as it ends.
    importlib.import_module("torch.distributed.nn")
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
