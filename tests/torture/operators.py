"""Faults of a numerical kind, as operators of cosmic-ray: a clamp removed, axes swapped, a seed dropped, 1.1 times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator

Position = tuple[tuple[int, int], tuple[int, int]]
_CALLS = ("atom_expr", "power")
_AXES = {"-1": "-2", "-2": "-1"}
# How a call says what its randomness comes from, and what it gets instead.
_SEEDS = {"seed": "0", "generator": "None"}


def _code(text: str, prefix: str = "") -> Any:
    node = parso.parse(text).children[0]
    node.get_first_leaf().prefix = prefix  # blanks before it would be an indentation
    return node


def _cut_at(node: Any) -> int | None:
    """Where ``.clamp(...)`` or ``.clip(...)`` begins among the children of a call."""
    if node.type not in _CALLS:
        return None
    for i, child in enumerate(node.children[1:-1], 1):
        if child.type == "trailer" and child.get_code() in (".clamp", ".clip"):
            return i
    return None


class RemovedClamp(Operator):
    """``x.clamp(0, 1)`` becomes ``x``, ``np.clip(x, 0, 1)`` as well."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if _cut_at(node) is not None:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        i = _cut_at(node)
        assert i is not None
        if node.children[0].get_code().strip() in ("np", "torch"):
            inside = node.children[i + 1].children[1]
            first = inside.children[0] if inside.type == "arglist" else inside
            rest = "".join(child.get_code() for child in node.children[i + 2 :])
            return _code(f"({first.get_code().strip()}){rest}", node.get_first_leaf().prefix)
        del node.children[i : i + 2]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example("x.clamp(0, 1)", "x"), Example("np.clip(x, 0, 1)", "(x)")


class SwappedAxes(Operator):
    """-1 and -2 as an index or an argument, each for the other."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        inside = ("trailer", "arglist", "argument", "testlist_comp", "subscriptlist", "atom")
        if node.type == "factor" and node.get_code().strip() in _AXES and node.parent.type in inside:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return _code(_AXES[node.get_code().strip()], node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x.flip(-1)", "x.flip(-2)"),)


class DroppedSeed(Operator):
    """``seed=s`` becomes ``seed=0``, ``generator=g`` None, and ``child_seed(s, ...)`` begins with 0."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "argument":
            said = node.children[0].get_code().strip() in _SEEDS
        else:
            said = node.type == "arglist" and "child_seed" in node.parent.parent.get_code().split("(")[0]
        if said:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        if node.type == "argument":
            node.children[2] = _code(_SEEDS[node.children[0].get_code().strip()])
        else:
            node.children[0] = _code("0")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example("f(x, seed=s)", "f(x, seed=0)"), Example("child_seed(s, 3)", "child_seed(0, 3)")


class LargerConstant(Operator):
    """A number times 1.1; whole ones below 3 are left to the operator that counts one more."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "number" and (not node.value.isdigit() or int(node.value) > 2) and eval(node.value):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        value = eval(node.value)
        larger = 1.1 * value if isinstance(value, float) else max(value + 1, round(1.1 * value))
        return _code(repr(larger), node.prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example("x = 0.5", "x = 0.55"), Example("x = 16", "x = 18")


def _binary(*pairs: str) -> list[str]:
    return [f"core/ReplaceBinaryOperator_{pair}" for pair in pairs]


def _comparisons(*pairs: str) -> list[str]:
    return [f"core/ReplaceComparisonOperator_{pair}" for pair in pairs]


# What a fault is called here, and the operators that plant it. Replacements that only crash are left out.
KINDS: dict[str, list[Any]] = {
    "sign": [*_binary("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul"), "core/ReplaceUnaryOperator_USub_UAdd"],
    "comparison": _comparisons("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq"),
    "condition": ["core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd"],
    "off by one": ["core/NumberReplacer"],
    "truth": ["core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue"],
    "constant": [LargerConstant],
    "clamp": [RemovedClamp],
    "axis": [SwappedAxes],
    "seed": [DroppedSeed],
}
