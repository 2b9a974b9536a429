"""What a folder run tells while it goes and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from restore.names import show_name

if TYPE_CHECKING:
    from restore.report import Comparison

SCHEMA = 1
# What a restorer may say of a picture.
_SAID = ("findings", "actions", "left", "diagnostics")


@dataclass(frozen=True)
class Outcome:
    """What became of one picture.

    Args:
        file: its path below the source folder, with ``/``.
        output: the path of what is written, below the output folder.
        reason: why it failed or was skipped; empty for a picture that was done.
        hint: what to do about it, where something can be done.
        left_out: what the source holds and the written file does not, in words (a second picture, a gain map).
        megapixels: of the source picture.
        seconds: spent on the pixels alone, without reading and writing.
        changed: False where the restorer left every pixel alone and the file was copied.
        record: what the work has to say of the picture, JSON-able: ``findings`` and ``actions`` of a restorer that
            looks first, ``diagnostics`` of its result (data consistency), the parameters drawn of a degradation.
    """

    file: str
    output: str
    reason: str = ""
    megapixels: float = 0.0
    seconds: float = 0.0
    changed: bool = True
    record: Any = None
    hint: str | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """News from a run, handed to ``on_event``; one at a time, but from any of the run's threads.

    ``start`` comes first (``total`` pictures and ``total_bytes`` of source files to do, ``skipped`` done
    before), then per picture ``progress`` with the ``fraction`` of its pixels, and ``done`` or ``failed``
    with ``outcome``. ``source_bytes`` is the size of that picture's file.
    """

    kind: Literal["start", "progress", "done", "failed"]
    file: str = ""
    outcome: Outcome | None = None
    fraction: float = 0.0
    source_bytes: int = 0
    total: int = 0
    total_bytes: int = 0
    skipped: int = 0


OnEvent: TypeAlias = Callable[[Event], None]


@dataclass
class FolderResult:
    """What a run did; every picture of the shard is in exactly one of the lists, each in order of ``file``.

    Args:
        done: written by this run.
        skipped: finished by an earlier run.
        failed: not written, with the reason.
        planned: what a dry run would have done.
        seconds: of the whole run.
        megapixels: of the source pictures in ``done``.
        others: how many files of the input are no pictures, by their ending.
        earlier: how many pictures of the input are what an earlier run wrote there; they were left alone.
        looks: some of the pictures in ``done``, before and after, where they were asked for; not in the JSON.
    """

    done: list[Outcome] = field(default_factory=list)
    skipped: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    planned: list[Outcome] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    megapixels: float = 0.0
    looks: list[Comparison] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    earlier: int = 0

    def notes(self) -> list[str]:
        """A line for what of the input is no picture, and one for what an earlier run wrote there."""
        count = sum(self.others.values())
        endings = ", ".join(f"{show_name(ending) or 'no ending'} {n}" for ending, n in self.others.items())
        lines = (
            [f"{count} other file{'s' * (count != 1)} left alone, no pictures ({endings})"] if count else []
        )
        if self.earlier:
            lines.append(
                f"{self.earlier} picture{'s' * (self.earlier != 1)} in the input left alone, output of an earlier run"
            )
        return lines

    def sort(self) -> None:
        """Puts every list in the order of the files, which no timing changes."""
        for outcomes in (self.done, self.skipped, self.failed, self.planned):
            outcomes.sort(key=lambda o: o.file)

    def to_json(self) -> dict[str, Any]:
        """The run as one JSON-able object."""
        return {
            "schema": SCHEMA,
            "settings": self.settings,
            "done": [_timed(o) for o in self.done],
            "skipped": [{"file": o.file, "output": o.output, "reason": o.reason} for o in self.skipped],
            "failed": [
                {"file": o.file, "output": o.output, "reason": o.reason, "hint": o.hint} for o in self.failed
            ],
            "planned": [{"file": o.file, "output": o.output} for o in self.planned],
            "others": self.others,
            "earlier_output": self.earlier,
            "seconds": round(self.seconds, 3),
            "megapixels": round(self.megapixels, 6),
        }


def _timed(o: Outcome) -> dict[str, Any]:
    return {
        "file": o.file,
        "output": o.output,
        "megapixels": round(o.megapixels, 6),
        "seconds": round(o.seconds, 3),
        "changed": o.changed,
        **({"left_out": list(o.left_out)} if o.left_out else {}),
        **({k: o.record[k] for k in _SAID if k in (o.record or {})}),
    }
