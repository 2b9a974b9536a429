"""Building a network no larger than the weights that are there for it.

How large a network becomes follows from a few numbers in a file (a width, the largest number in a tensor's name), so
a kilobyte could ask for any amount of memory or time. While a network is built here, its layers and tensors are
counted, and what the weights of the file could never fill is refused before it is allocated.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from restore.errors import WeightsError

# Above what the file holds: constant buffers and masks that networks make for themselves.
_SPARE_PARTS = 20_000
_SPARE_ELEMENTS = 32 << 20


class _Exceeded(Exception):
    """Raised inside a constructor; no ``ValueError``, so that nobody takes it for something else."""


@contextlib.contextmanager
def building(names: int, elements: int, *, where: str) -> Iterator[None]:
    """Inside the context networks may have about as many tensors and elements as a file holds.

    Args:
        names: tensors in the file.
        elements: their elements together.
        where: the file, for the message.

    Raises:
        WeightsError: the network would be larger than its weights.
    """
    spent = _Spent(parts=4 * names + _SPARE_PARTS, elements=2 * elements + _SPARE_ELEMENTS)
    handles = [
        hooks.register_module_parameter_registration_hook(spent.tensor),
        hooks.register_module_buffer_registration_hook(spent.tensor),
        hooks.register_module_module_registration_hook(spent.part),
    ]
    try:
        with spent:
            yield
    except (_Exceeded, MemoryError) as error:
        raise WeightsError(
            f"{where} is refused: it asks for a network that its {names} tensors cannot fill ({error})",
            hint="the file is damaged, or made to use up memory",
        ) from None
    finally:
        for handle in handles:
            handle.remove()


class _Spent(TorchDispatchMode):
    """Counts what one thread builds; hooks on modules are told of every thread's."""

    def __init__(self, *, parts: int, elements: int) -> None:
        super().__init__()
        self.parts, self.elements, self.largest = parts, elements, elements
        self.passing = 20 * elements  # of tensors that are made on the way and dropped
        self.thread = threading.get_ident()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # saves the second that importing the compiler takes; nothing is compiled here

    def part(self, module: nn.Module, name: str, child: Any) -> None:
        if threading.get_ident() == self.thread:
            self.parts -= 1
            if self.parts < 0:
                raise _Exceeded("too many layers")

    def tensor(self, module: nn.Module, name: str, value: Any) -> None:
        self.part(module, name, value)
        if isinstance(value, Tensor) and threading.get_ident() == self.thread:
            self.elements -= value.numel()
            if self.elements < 0:
                raise _Exceeded("too many elements")

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema = function._schema
        if not any(r.alias_info for r in schema.returns):  # neither a view nor in place: new memory
            size = _elements(function, args, kwargs)
            self.passing -= size
            if size > self.largest or self.passing < 0:
                raise _Exceeded(f"a tensor of {size:,} elements")
        return function(*args, **kwargs)


def _elements(function: Any, args: Any, kwargs: Any) -> int:
    """How many elements an operator's answer has, worked out without computing it; 0 where that needs values."""
    try:
        shapes = tree_map_only(Tensor, lambda t: t.to("meta"), (args, kwargs))
        if any(a.name == "device" for a in function._schema.arguments):
            shapes[1]["device"] = torch.device("meta")
        answer = function(*shapes[0], **shapes[1])
    except Exception:  # operators without a rule for shapes alone
        return 0
    made = answer if isinstance(answer, tuple | list) else (answer,)
    return sum(t.numel() for t in made if isinstance(t, Tensor))
