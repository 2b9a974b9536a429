"""ADOPT, GATE, REJECT or INCONCLUSIVE: the clauses, each with its value, bound, limit and status."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from restore.errors import UsageError, unknown

ADOPT, GATE, INCONCLUSIVE, REJECT = "ADOPT", "GATE", "INCONCLUSIVE", "REJECT"
# From best to worst: the verdict over several classifiers is the worst one.
ORDER = (ADOPT, GATE, INCONCLUSIVE, REJECT)
CLAUSES = ("utility", "clean_tax", "no_harmful_cell", "laundering", "calibration", "latency")


@dataclass(frozen=True)
class Limits:
    """What the deployment asks for; shares, not points of percent.

    Args:
        gain: the weighted gain in accuracy must lie above this.
        clean_tax: largest loss on clean pictures that is accepted.
        alpha: level of the Holm-adjusted test for a harmful cell.
        laundering: largest accepted share of foreign pictures that restoring makes look familiar.
        latency_ms: milliseconds a picture at batch 1, 95 % quantile; None: no budget.
        harm_budget: largest certified share of pictures that the gate may turn from right to wrong.
        confidence: of every one-sided bound.
    """

    gain: float = 0.0
    clean_tax: float = 0.005
    alpha: float = 0.05
    laundering: float = 0.02
    latency_ms: float | None = None
    harm_budget: float = 0.02
    confidence: float = 0.95


@dataclass(frozen=True)
class Clause:
    """One condition: its value, the bound that is compared, the limit, and pass, fail, unknown or waived.

    ``violated`` says that the opposite is shown; ``needed`` how many test pictures would settle it.
    """

    name: str
    value: float | None
    bound: float | None
    limit: float | None
    status: str
    violated: bool = False
    needed: int | None = None
    says: str = ""


@dataclass(frozen=True)
class Verdict:
    """The decision for one classifier and restorer."""

    decision: str
    clauses: tuple[Clause, ...]
    gate_clauses: tuple[Clause, ...] = ()
    failed: tuple[str, ...] = ()
    n_needed: int | None = None
    waivers: tuple[str, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """What one policy (always restore, or the gate) showed on the test pictures; None: not evaluated.

    ``gain``, ``tax``, ``laundering`` and ``ece_change`` are (value, lower bound, upper bound).
    """

    gain: tuple[float, float, float]
    tax: tuple[float, float, float] | None = None
    harmful_cells: Sequence[str] | None = None
    laundering: tuple[float, float, float] | None = None
    ece_change: tuple[float, float, float] | None = None
    latency_ms: float | None = None
    harm_bound: float | None = None
    needed: Mapping[str, int | None] = field(default_factory=dict)


def check_waived(waived: Collection[str]) -> None:
    """Raises UsageError for an unknown clause."""
    for name in waived:
        if name not in CLAUSES:
            raise unknown("clause", name, CLAUSES)


def clauses(evidence: Evidence, limits: Limits, waived: Collection[str] = ()) -> tuple[Clause, ...]:
    """The six clauses for one policy.

    Raises:
        UsageError: an unknown clause to waive.
    """
    check_waived(waived)
    e, needed = evidence, evidence.needed

    def clause(
        name: str, found: tuple[float, float, float] | None, limit: float, *, above: bool, says: str
    ) -> Clause:
        if found is None:
            return Clause(
                name, None, None, limit, "waived" if name in waived else "unknown", says="not evaluated"
            )
        value, low, high = found
        bound = low if above else high
        good = bound > limit if above else bound < limit
        violated = high < limit if above else low > limit
        status = "waived" if name in waived and not good else "pass" if good else "fail"
        return Clause(name, value, bound, limit, status, violated, None if good else needed.get(name), says)

    found = [
        clause(
            "utility", e.gain, limits.gain, above=True, says="lower bound of the weighted gain in accuracy"
        ),
        clause(
            "clean_tax",
            e.tax,
            -limits.clean_tax,
            above=True,
            says="lower bound of the change on clean pictures",
        ),
    ]
    if e.harmful_cells is None:
        found.append(Clause("no_harmful_cell", None, None, 0, "unknown", says="not evaluated"))
    else:
        count = len(e.harmful_cells)
        status = "pass" if not count else "waived" if "no_harmful_cell" in waived else "fail"
        says = (
            f"significantly harmed: {', '.join(e.harmful_cells)}"
            if count
            else "no cell is significantly harmed"
        )
        found.append(Clause("no_harmful_cell", float(count), float(count), 0, status, says=says))
    found.append(
        clause("laundering", e.laundering, limits.laundering, above=False,
               says="upper bound of the share of foreign pictures made to look familiar")
    )  # fmt: skip
    found.append(_calibration(e, waived))
    if limits.latency_ms is None:
        found.append(Clause("latency", e.latency_ms, None, None, "pass", says="no budget was given"))
    else:
        ms = e.latency_ms
        triple = None if ms is None else (ms, ms, ms)
        found.append(
            clause("latency", triple, limits.latency_ms, above=False, says="milliseconds, 95 % quantile")
        )
    return tuple(found)


def _calibration(e: Evidence, waived: Collection[str]) -> Clause:
    says = "lower bound of the change in excess calibration error (fails when it is shown to grow)"
    if e.ece_change is None:
        return Clause(
            "calibration", None, None, 0, "waived" if "calibration" in waived else "unknown", says=says
        )
    value, low, _ = e.ece_change
    good = low <= 0
    status = "pass" if good else "waived" if "calibration" in waived else "fail"
    return Clause("calibration", value, low, 0, status, says=says)


def decide(
    always: Evidence, gate: Evidence | None, limits: Limits, *, waived: Collection[str] = ()
) -> Verdict:
    """The verdict from what both policies showed.

    ADOPT where every clause holds for always restoring; GATE where they hold only with the gate and its certified
    harm is within the budget; REJECT where neither holds and a violation is shown (the gain is below its limit, the
    clean tax beyond, or laundering above, each by its other bound); else INCONCLUSIVE.
    """
    mine = clauses(always, limits, waived)
    theirs = clauses(gate, limits, waived) if gate is not None else ()
    waivers = tuple(sorted(waived))
    failed = tuple(c.name for c in mine if c.status in ("fail", "unknown"))
    if not failed:
        return Verdict(ADOPT, mine, theirs, (), None, waivers, "every clause holds for always restoring")
    if gate is not None:
        open_ = [c.name for c in theirs if c.status in ("fail", "unknown")]
        within = gate.harm_bound is not None and gate.harm_bound < limits.harm_budget
        if not open_ and within:
            reason = f"only with the gate: always restoring fails {', '.join(failed)}"
            return Verdict(GATE, mine, theirs, failed, None, waivers, reason)
    shown = [c.name for c in mine if c.violated and c.name in ("utility", "clean_tax", "laundering")]
    if shown:
        return Verdict(REJECT, mine, theirs, failed, None, waivers, f"shown to violate: {', '.join(shown)}")
    open_clauses = [c for c in mine if c.status == "fail"]
    counts = [c.needed for c in open_clauses]
    needed = max((n for n in counts if n is not None), default=None)
    reason = f"not shown: {', '.join(failed)}"
    if needed is None:
        reason += "; no number of pictures is known to settle it"
    return Verdict(INCONCLUSIVE, mine, theirs, failed, needed, waivers, reason)


def worst(decisions: Sequence[str]) -> str:
    """The worst of several verdicts."""
    return max(decisions, key=ORDER.index)


def meets(decision: str, required: str) -> bool:
    """Whether ``decision`` is at least as good as ``required`` (``adopt`` or ``gate``).

    Raises:
        UsageError: another requirement.
    """
    if required.upper() not in (ADOPT, GATE):
        raise UsageError(f"expected --require adopt or gate, got {required!r}")
    return ORDER.index(decision) <= ORDER.index(required.upper())
