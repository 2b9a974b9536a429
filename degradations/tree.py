"""A pipeline written down in TOML: names, nested by the combinators.

::

    [[steps]]
    use = "haze:severity=2"

    [[steps]]
    one_of = ["noise:sigma=5..50", "poisson-gaussian"]
    weights = [0.7, 0.3]

    [[steps]]
    maybe = ["blur:sigma=0.5..2", { shuffle = ["jpeg", "noise:sigma=5"] }]
    p = 0.5

    [[steps]]
    repeat = "jpeg:quality=30..95"
    times = [1, 2]

Wherever a name can stand, a list (in order) or a table of these forms can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from restore.degradations.combine import Compose, Maybe, OneOf, Repeat, Shuffle, Step
from restore.errors import ConfigError, RestoreError, did_you_mean
from restore.files.bounded import read_toml

# What each form may be accompanied by.
FORMS: dict[str, tuple[str, ...]] = {
    "use": (),
    "compose": (),
    "one_of": ("weights",),
    "maybe": ("p",),
    "shuffle": (),
    "repeat": ("times",),
}
Make = Callable[[str], Step]


def read_pipeline(path: str | Path, make: Make) -> Step:
    """The pipeline of a TOML file.

    Args:
        make: what turns ``"noise:sigma=25"`` into a degradation.

    Raises:
        ConfigError: a file that cannot be read, is no TOML, or says something unknown; names the place.
    """
    tree = read_toml(Path(path), error=ConfigError, what="the pipeline")
    if set(tree) != {"steps"} or not isinstance(tree["steps"], list):
        raise ConfigError(
            f"{path}: expected a list of steps and nothing else, got {sorted(tree) or 'nothing'}",
            hint="[[steps]] above each step",
        )
    return Compose(_list(tree["steps"], make, f"{path}: steps"))


def build(tree: Any, make: Make, *, where: str = "pipeline") -> Step:
    """A name, a list or a table of one of the forms, as what it means.

    Raises:
        ConfigError: something that is none of these; ``where`` is said.
    """
    if isinstance(tree, str):
        if tree.endswith(".toml"):
            raise ConfigError(f"{where}: a pipeline file cannot name another, got {tree!r}")
        try:
            return make(tree)
        except RestoreError as error:
            raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error
    if isinstance(tree, list):
        return Compose(_list(tree, make, where))
    if not isinstance(tree, dict):
        raise ConfigError(f"{where}: expected a name, a list or a table, got {tree!r}")
    said = [key for key in tree if key in FORMS]
    if len(said) != 1:
        raise ConfigError(
            f"{where}: expected exactly one of {', '.join(FORMS)}, got {', '.join(tree) or 'nothing'}"
        )
    form = said[0]
    extra = {key: value for key, value in tree.items() if key != form}
    for key in extra:
        if key not in FORMS[form]:
            known = FORMS[form]
            raise ConfigError(f"{where}: {form} takes no {key!r}", hint=did_you_mean(key, known))
    inner = tree[form] if isinstance(tree[form], list) else [tree[form]]
    return _combined(form, _list(inner, make, f"{where}.{form}"), extra, where)


def _list(trees: Sequence[Any], make: Make, where: str) -> tuple[Step, ...]:
    if not trees:
        raise ConfigError(f"{where}: expected at least one step, got none")
    return tuple(build(tree, make, where=f"{where}[{i}]") for i, tree in enumerate(trees))


def _combined(form: str, steps: tuple[Step, ...], extra: dict[str, Any], where: str) -> Step:
    try:
        if form == "one_of":
            weights = extra.get("weights")
            return OneOf(steps, weights=None if weights is None else tuple(float(w) for w in weights))
        if form == "maybe":
            return Maybe(steps, p=float(extra.get("p", 0.5)))
        if form == "shuffle":
            return Shuffle(steps)
        if form == "repeat":
            times = extra.get("times", 2)
            return Repeat(steps, times=int(times) if not isinstance(times, list) else (times[0], times[1]))
    except RestoreError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error
    except (TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"{where}: {form} cannot take {extra}: {error}") from error
    return steps[0] if len(steps) == 1 else Compose(steps)
