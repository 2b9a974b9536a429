"""What a row of the table of training-free methods holds: a function, its values and their bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from restore.errors import UsageError, unknown
from restore.names import Value


@dataclass(frozen=True)
class Option:
    """A value a method takes besides the picture.

    Args:
        doc: what it is, with its unit.
        low, high: the smallest and largest number accepted.
        whole: whole numbers only.
        choices: names instead of numbers.
        text: any text instead of numbers (a file, a name).
    """

    doc: str
    low: float = 0.0
    high: float = float("inf")
    whole: bool = False
    choices: tuple[str, ...] = ()
    text: bool = False

    def check(self, name: str, key: str, value: Value) -> None:
        """Raises UsageError for a value that is not accepted."""
        if self.choices:
            if value not in self.choices:
                raise unknown(f"{key} of {name}", str(value), self.choices)
            return
        if self.text:
            return
        fits = not isinstance(value, bool | str) and self.low <= value <= self.high
        if not fits or (self.whole and float(value) != int(value)):
            what = "a whole number" if self.whole else "a number"
            span = (
                f"from {self.low:g} to {self.high:g}"
                if self.high < float("inf")
                else f"of {self.low:g} or more"
            )
            raise UsageError(f"{name}: expected {what} {span} for {key}, got {value!r}", hint=self.doc)


@dataclass(frozen=True)
class Method:
    """A row of the table: ``function(x, **values)`` on ``B x C x H x W``.

    Args:
        options: the values it takes; what is not given keeps the function's own default. ``sigma`` is in units
            of 255 in a name and of [0, 1] in the function, and is estimated from the picture where it is missing.
        radius: how far a result depends on its neighbours, pixels.
        multiple: grid of its windows.
        whole: it must see the whole picture at once (histograms, airlight), so it is never cut into windows.
        bytes_per_pixel: of memory at the peak of a whole picture in colour, input and output too: measured, and a
            fifth more. What the machine does not have is refused before it starts.
        mask: ``function(x, mask, **values)``: it is told which pixels are missing (``B x 1 x H x W``).
    """

    function: Callable[..., Tensor]
    task: str
    description: str
    options: Mapping[str, Option] = field(default_factory=dict)
    radius: int = 0
    multiple: int = 1
    whole: bool = False
    bytes_per_pixel: int = 0
    mask: bool = False

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of the values."""
        return tuple(self.options)
