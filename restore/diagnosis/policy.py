"""Decides which treatments a picture gets: what is surely there, what is expected to help, under a budget of harm."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from restore.degradations.lowres import LOW_RESOLUTION
from restore.diagnosis.evidence import Evidence
from restore.diagnosis.findings import Diagnosis, Finding
from restore.diagnosis.measure_drawn_faults import NAMES as DRAWN_FAULTS
from restore.diagnosis.measurement import Measurement
from restore.diagnosis.treatments import TREATMENTS, Treatment, available

POLICY_FILE = Path(__file__).with_name("policy.json")
# Several faults at once blur one another: no more than this many are undone.
MOST = 3
# Ringing on drawings of a better JPEG quality than this is left, and noise below so many levels of 255.
_COARSE_DRAWING, _LEAST_NOISE = 85, 3.0
# By family the measurement that says how large a fault is, and what it is called in a report.
SIZES = {
    "noise": ("noise level", "sigma"),
    "jpeg": ("JPEG quality", "quality"),
    "blur": ("blur width", "width in px"),
    "downsampled": ("enlargement", "scale"),
    "haze": ("transmission", "transmission"),
    "lowlight": ("mean light", "mean light"),
    "rain": ("streaks", "share of streaks"),
    "snow": ("flakes", "share of flakes"),
}
# What is measured so surely that nobody needs to be asked. Of 450 clean photographs none has a noise level whose lower
# end is above 4.3, none is darker than .12 (BSDS500, ImageNet).
# A better quality than coarse is left, unless the pixels plainly show a coarser coding before the last one.
_UNCODED, _RECODED = 99, 0.92
# Grains look like small drops.
_THROUGH_NOISE = 0.95
SURE_SIGMA, _COARSE_QUALITY, _NEARLY_BLACK, _LAMPS = 4.5, 60, 0.09, 0.1
_CERTAIN = 0.99
# What was found is still there while its probability is above this share of what finding it asks.
_STILL = 0.4
# A width in px that 1 % of clean photographs exceed where they do not seem enlarged; less is asked of others then.
_BLURRED, _NOT_ENLARGED, _SUSPECTED = 0.5, 1.3, 0.08
# Noise correlation in units of white noise: sigma 10 to 40 measures .94 to 1.04, cameras 1.19 and more.
_WHITE = 1.12


@dataclass(frozen=True)
class Policy:
    """Thresholds, chosen and certified by ``python -m restore.train.diagnosis.ship gain``.

    Attributes:
        found: per family the probability from which on it is named.
        harm: the largest predicted probability of harm at which acting is certified.
        risk: the budget: of the pictures acted on at most this share gets worse by more than 0.1 dB.
    """

    found: Mapping[str, float]
    harm: float
    risk: float


@cache
def shipped_policy(risk: float = 0.05) -> Policy:
    """The thresholds that are shipped for one of the certified budgets.

    Raises:
        UsageError: a budget that was not certified.
    """
    from restore.errors import UsageError

    table = json.loads(POLICY_FILE.read_text())
    key = f"{risk:g}"
    if key not in table["harms"]:
        raise UsageError(
            f"no thresholds are certified for a risk of {key}", hint=f"one of {', '.join(table['harms'])}"
        )
    return Policy(table["found"], table["harms"][key], risk)


def decide(evidence: Evidence, *, there: Collection[str], policy: Policy | None = None) -> Diagnosis:
    """What is wrong with the picture, and the restorers that are called, in order.

    Args:
        there: names of restorers that can be used.
    """
    policy = policy or shipped_policy()
    if evidence.drawn.is_drawn:
        return decide_for_drawing(evidence)
    findings = name_findings(evidence, policy)
    left: list[str] = []
    chosen: list[tuple[float, Treatment]] = []
    usable = available(there)
    for finding in findings:
        fitting = [t for t in usable if finding.name in t.families]
        if not fitting:
            left.append(f"{finding.name}: no restorer for it")
            continue
        if finding.name == "noise":
            fitting = [t for t in fitting if t.name == suited_denoiser(evidence.measurements)] or fitting
        best = max(fitting, key=lambda t: evidence.gains[t.name])
        if evidence.harms[best.name] > policy.harm:
            left.append(f"{finding.name}: {best.name} might harm ({evidence.harms[best.name]:.0%})")
        elif evidence.gains[best.name] <= 0:
            left.append(f"{finding.name}: {best.name} would bring nothing")
        elif all(best is not t for _, t in chosen):
            chosen.append((evidence.gains[best.name], best))
    undone = {family: t.name for _, t in chosen for family in t.includes}
    for gain, treatment in list(chosen):
        if treatment.families[0] in undone and undone[treatment.families[0]] != treatment.name:
            chosen.remove((gain, treatment))
            left.append(f"{treatment.families[0]}: undone with {undone[treatment.families[0]]}")
    worst = {t.name for _, t in sorted(chosen, key=lambda pair: -pair[0])[:MOST]}
    scale = enlarged_by(evidence.severities["downsampled"])
    actions = [t.written({"scale": str(scale)}) for t in TREATMENTS if t.name in worst]
    return Diagnosis(findings, actions, left)


def suited_denoiser(measurements: Mapping[str, Measurement]) -> str:
    """``denoise`` for noise that differs from pixel to pixel, ``denoise-raw`` for that which neighbours share."""
    return "denoise" if measurements["noise correlation"].value < _WHITE else "denoise-raw"


def enlarged_by(severity: float) -> int:
    """The whole factor, 2 to 4, by which a picture was enlarged whose loss of detail has that severity."""
    factors = (LOW_RESOLUTION.knobs["factor"].levels or {})[224]
    factor = float(np.interp(severity, range(1, 6), [float(f) for f in factors]))
    return int(min(max(round(factor), 2), 4))


def decide_for_drawing(evidence: Evidence) -> Diagnosis:
    """A drawing comes back as it is unless noise or a codec is measured on it."""
    noise, ringing = (evidence.measurements[name] for name in DRAWN_FAULTS)
    quality = evidence.measurements["JPEG quality"].value
    findings, actions = [], []
    if ringing.lower > 0 and quality <= _COARSE_DRAWING:
        findings.append(Finding("jpeg", 2.0, 1.0, quality, "quality"))
        actions.append("dejpeg")
    if noise.lower > _LEAST_NOISE:
        findings.append(Finding("noise", min(5.0, noise.value / 10), 1.0, noise.value, noise.unit))
        actions.append("denoise")
    return Diagnosis(findings, actions, [f"a drawing: {'; '.join(evidence.drawn.reasons)}"])


def is_left(treatment: Treatment, evidence: Evidence, policy: Policy) -> bool:
    """Whether something that the treatment undoes is still there after others; less is asked than to find it."""
    certain = measured_families(evidence.measurements)
    return any(
        f in certain or evidence.probabilities[f] >= _STILL * _limit(f, evidence, policy)
        for f in treatment.families
    )


def _limit(family: str, evidence: Evidence, policy: Policy) -> float:
    """The probability from which on a family is named; measurements move it where there are ones."""
    limit = policy.found[family]
    if family == "blur":
        width, scale = (evidence.measurements[name].value for name in ("blur width", "enlargement"))
        if width > _BLURRED and scale < _NOT_ENLARGED:
            return min(limit, _SUSPECTED)
    if family == "raindrop" and evidence.measurements["noise level"].lower > SURE_SIGMA:
        return _THROUGH_NOISE
    if family == "jpeg" and _COARSE_QUALITY < evidence.measurements["JPEG quality"].value < _UNCODED:
        return _RECODED
    return limit


def measured_families(measurements: Mapping[str, Measurement]) -> set[str]:
    """The families that measurements alone are sure of: strong noise, a coarse JPEG file, a nearly black picture."""
    certain = set()
    if measurements["noise level"].lower > SURE_SIGMA:
        certain.add("noise")
    if measurements["JPEG quality"].value <= _COARSE_QUALITY:
        certain.add("jpeg")
    if measurements["mean light"].value < _NEARLY_BLACK and measurements["lamps"].value < _LAMPS:
        certain.add("lowlight")
    return certain


def name_findings(evidence: Evidence, policy: Policy) -> list[Finding]:
    """Every family that is surely there, the surest first; a file's own JPEG tables are certain."""
    findings = []
    certain = measured_families(evidence.measurements)
    for family, probability in evidence.probabilities.items():
        if family in certain:
            probability = max(probability, _CERTAIN)
        elif probability < _limit(family, evidence, policy):
            continue
        name, unit = SIZES.get(family, ("", ""))
        value = evidence.measurements[name].value if name else None
        findings.append(Finding(family, evidence.severities[family], probability, value, unit))
    return sorted(findings, key=lambda f: -f.confidence * max(f.severity, 0.5))
