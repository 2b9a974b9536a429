"""What a pickle would make of its reader, found out from its instructions without carrying one out.

Readers that build tensors and call nothing else can still be made to use up memory or time: by a memo of two
thousand million places, tuples that hold each other twice forty times over (their hash takes years), a
``bytearray`` of any length, or millions of instructions.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from typing import IO, Any

MOST_INSTRUCTIONS = 600_000
# What a tuple may hold, everything inside counted as often as it is reached.
_MOST_HELD = 1_000_000
_MOST_NUMBER = 1 << 80  # the sign of torch's first format has 77 bits
_REFUSED = {"EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET"}
# Names that checkpoints of tensors refer to: torch's own reader knows more, some of which allocate what they are told.
_NAMES = re.compile(
    r"collections (OrderedDict|Counter|defaultdict)|_codecs encode|(builtins|__builtin__) (set|complex)"
    r"|torch\.?\w* ((\w+Storage|Tensor|Size|device)|(float|bfloat|complex|u?int|quint|qint)\w+|bool|strided)"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter|parameter_with_state)"
    r"|torch\.nn\.parameter Parameter|torch\.serialization _get_layout|torch\._tensor _rebuild_from_type_v2"
    r"|argparse Namespace"
)


def scan_pickle(file: IO[bytes], *, names: bool = True) -> None:
    """Reads one pickle from where ``file`` stands to its end, and leaves ``file`` there.

    Args:
        names: refuse what is not in checkpoints of tensors; False where the reader has a list of its own.

    Raises:
        pickle.UnpicklingError: an instruction that no checkpoint needs, or more work than one is worth.
        ValueError: damaged.
    """
    stack: list[int] = []  # of every value the number of values it holds; -1: a mark
    memo: dict[int, int] = {}
    count = 0
    for op, arg, _ in pickletools.genops(file):
        count += 1
        if count > MOST_INSTRUCTIONS:
            raise pickle.UnpicklingError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")
        name = op.name
        if name in _PUTS or name == "MEMOIZE":
            place = len(memo) if name == "MEMOIZE" else int(arg or 0)
            if place > count:
                raise pickle.UnpicklingError(f"it keeps a value at place {place:,} of its memo")
            memo[place] = stack[-1] if stack else 1
            continue
        if name in _REFUSED:
            raise pickle.UnpicklingError(f"it has an instruction {name}")
        if name == "STACK_GLOBAL" and names:
            raise pickle.UnpicklingError("it names what it asks for in a way that torch does not write")
        if name == "GLOBAL" and names and not _NAMES.fullmatch(str(arg)):
            raise pickle.UnpicklingError(f"it asks for {str(arg).replace(' ', '.')[:100]}")
        if type(arg) is int and abs(arg) > _MOST_NUMBER:
            raise pickle.UnpicklingError("it holds a number of more than 80 bits")
        _follow(op, arg, stack, memo)


def _follow(op: Any, arg: Any, stack: list[int], memo: dict[int, int]) -> None:
    """Does to ``stack`` what the instruction does to the reader's."""
    if op.name == "MARK":
        stack.append(-1)
        return
    if op.name == "DUP":
        stack.append(stack[-1] if stack else 1)
        return
    taken = _taken(op, stack)
    if op.name in _TUPLES:
        held = 1 + sum(taken)
        if held > _MOST_HELD:
            raise pickle.UnpicklingError("it holds tuples inside tuples without end")
        stack.append(held)
    elif op.name in _GETS:
        stack.append(memo.get(int(arg), 1))
    else:
        stack.extend(1 for _ in op.stack_after)


def _taken(op: Any, stack: list[int]) -> list[int]:
    """The values that an instruction takes off the stack: a number of them, or all above the last mark."""
    if any(kind is pickletools.markobject for kind in op.stack_before):
        taken = []
        while stack and (value := stack.pop()) != -1:
            taken.append(value)
        for kind in op.stack_before:  # those below the mark, a list that is appended to
            if kind is pickletools.markobject:
                break
            if stack:
                taken.append(stack.pop())
        return taken
    return [stack.pop() for _ in op.stack_before if stack]
