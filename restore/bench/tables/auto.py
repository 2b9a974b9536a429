"""What `auto` says and does: a confusion matrix, gains per family, clean pictures, and mixtures of two.

``python -m restore.bench.tables.auto --data PICTURES --json FILE --markdown FILE``: every clean picture is degraded by
every family at severity 3, 4 or 5 (which, and by which of the family's degradations, goes round with the picture;
``--rounds 3`` does all), stored in 8 bits, looked at and restored. The dominant finding is the worst one. Mixtures are
two families at severity 3 in their physical order; for them it counts whether both are found and undone backwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.bench.run import list_pictures
from restore.bench.score import read_clean
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.degradations.families import FAMILIES, physical_order
from restore.diagnosis.treatments import TREATMENTS
from restore.errors import RestoreError
from restore.image import quantise
from restore.metrics import psnr
from restore.report import Column, markdown_table
from restore.report.environment import environment
from restore.report.write import write_report
from restore.restorers import Diagnosis, Restorer, load

SEVERITIES = (3, 4, 5)
MIXTURES = (
    ("noise", "jpeg"), ("blur", "noise"), ("haze", "noise"), ("lowlight", "jpeg"),
    ("rain", "jpeg"), ("haze", "jpeg"), ("blur", "jpeg"), ("underwater", "noise"),
)  # fmt: skip
CLEAN = "clean"
# A clean picture that is touched must keep this many decibels.
KEPT = 45.0


@dataclass
class Found:
    """Everything measured; ``rows``: one per degraded picture, ``clean`` and ``mixed`` likewise."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    clean: list[dict[str, Any]] = field(default_factory=list)
    mixed: list[dict[str, Any]] = field(default_factory=list)


def degraded(
    clean: Tensor, families: Sequence[str], severity: float, *, seed: int, turn: int, after: str | None = None
) -> Tensor:
    """``clean`` with the families in their physical order, each by the ``turn``-th of its degradations, 8 bits.

    Args:
        after: a degradation that follows, such as ``life``.
    """
    x = clean
    for family in physical_order(families):
        specs = FAMILIES[family]
        spec = specs[turn % len(specs)]
        g = draw.generator(draw.child_seed(seed, family, spec))
        x, _ = degradation(spec)(x, severity=severity, generator=g)
    if after is not None:
        x, _ = degradation(after)(x, generator=draw.generator(draw.child_seed(seed, "after", *families)))
    return quantise(x)


def diagnose_and_restore(auto: Restorer, x: Tensor, clean: Tensor) -> tuple[Diagnosis, float, float]:
    """What was said, PSNR before and after."""
    pixels = (x[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    diagnosis = auto.diagnose(pixels)
    assert diagnosis is not None
    before = float(psnr(x, clean))
    if not diagnosis.actions:
        return diagnosis, before, before
    made = (
        torch.from_numpy(auto.restore_pixels(pixels, diagnosis=diagnosis)).permute(2, 0, 1)[None].float()
        / 255
    )
    return diagnosis, before, float(psnr(made, clean))


def run(
    auto: Restorer,
    data: Path,
    *,
    limit: int | None,
    rounds: int,
    mixtures: int,
    crop: int | None,
    severities: Sequence[int] = SEVERITIES,
    behind: str | None = None,
    tell: Callable[[str], None],
) -> Found:
    """Looks at everything; ``rounds`` draws per picture and family, mixtures on ``mixtures`` pictures.

    With ``crop`` what is degraded is the middle of that side; clean pictures are always looked at whole.
    ``behind`` follows every fault, and is measured against the clean picture too.
    """
    found = Found()
    for number, name, clean in _pictures(data, limit):
        image = name.as_posix()
        diagnosis, _, after = diagnose_and_restore(auto, quantise(clean), clean)
        row = {"image": image, "actions": list(diagnosis.actions), "psnr": after, **_said(diagnosis)}
        found.clean.append(row)
        seed = draw.child_seed(0, image)
        if crop is not None:
            top, left = (max(0, (n - crop) // 2) for n in clean.shape[-2:])
            clean = clean[..., top : top + crop, left : left + crop].contiguous()
        for family in FAMILIES:
            for r in range(rounds):
                severity = severities[(number + r) % len(severities)]
                turn = number // len(severities) + r
                x = degraded(clean, [family], severity, seed=seed, turn=turn, after=behind)
                diagnosis, before, after = diagnose_and_restore(auto, x, clean)
                row = {
                    "image": image,
                    "family": family,
                    "severity": severity,
                    "before": before,
                    "after": after,
                }
                found.rows.append({**row, "actions": list(diagnosis.actions), **_said(diagnosis)})
        for pair in MIXTURES if number < mixtures else ():
            x = degraded(clean, pair, 3, seed=seed, turn=number)
            diagnosis, before, after = diagnose_and_restore(auto, x, clean)
            row = {"image": image, "mixture": " + ".join(pair), "before": before, "after": after}
            names = [f.name for f in diagnosis.findings]
            both = all(family in names for family in pair)
            found.mixed.append({**row, "both": both, "actions": list(diagnosis.actions), **_said(diagnosis)})
        tell(f"{number + 1}: {image}")
    return found


def _pictures(data: Path, limit: int | None) -> Iterator[tuple[int, Path, Tensor]]:
    root, files, _ = list_pictures(data, limit)
    for number, file in enumerate(files):
        yield number, file, read_clean(root / file)[1]


def _said(diagnosis: Diagnosis) -> dict[str, Any]:
    named = diagnosis.findings[0].name if diagnosis.findings else CLEAN
    return {"named": named, "findings": [f.to_json() for f in diagnosis.findings]}


def per_family(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per family: pictures, the share named rightly, mean PSNR before, gain, and how many got better and worse."""
    table = []
    for family in FAMILIES:
        mine = [r for r in rows if r["family"] == family]
        gains = [r["after"] - r["before"] for r in mine]
        row: dict[str, Any] = {"family": family, "pictures": len(mine)}
        row |= {"named": float(np.mean([r["named"] == family for r in mine]))}
        row |= {"before": float(np.mean([r["before"] for r in mine])), "gain": float(np.mean(gains))}
        table.append({**row, "better": sum(g > 0.01 for g in gains), "worse": sum(g < -0.01 for g in gains)})
    return table


def confusion(rows: Sequence[dict[str, Any]], clean: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows: what was done; columns: what was named; counts."""
    names = [*FAMILIES, CLEAN]
    counts = []
    for truth in names:
        mine = clean if truth == CLEAN else [r for r in rows if r["family"] == truth]
        said = [r["named"] for r in mine]
        counts.append({"truth": truth, **{name: said.count(name) for name in names}})
    return counts


def summary(found: Found) -> dict[str, Any]:
    """The figures that the bars are about."""
    touched = [r for r in found.clean if r["actions"]]
    table = per_family(found.rows)
    return {
        "named_rightly": float(np.mean([r["named"] == r["family"] for r in found.rows])),
        "families": table,
        "confusion": confusion(found.rows, found.clean),
        "clean_pictures": len(found.clean),
        "clean_touched": [{"image": r["image"], "psnr": r["psnr"], "actions": r["actions"]} for r in touched],
        "families_without_gain": [r["family"] for r in table if r["gain"] <= 0],
        "mixtures": _mixtures(found.mixed),
    }


def _mixtures(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    for pair in MIXTURES:
        name = " + ".join(pair)
        mine = [r for r in rows if r["mixture"] == name]
        if mine:
            row: dict[str, Any] = {"mixture": name, "pictures": len(mine)}
            row |= {"both": float(np.mean([r["both"] for r in mine]))}
            backwards = [t.families[0] for t in TREATMENTS if t.families[0] in pair]
            row |= {"undone": " then ".join(dict.fromkeys(backwards))}
            table.append({**row, "gain": float(np.mean([r["after"] - r["before"] for r in mine]))})
    return table


def markdown(total: dict[str, Any], note: str) -> str:
    """The page: families, confusion matrix, clean pictures, mixtures."""
    families = [{**r, "named": 100 * r["named"]} for r in total["families"]]
    columns = (
        Column("family", "family"), Column("pictures", "pictures", 0), Column("named", "named rightly %", 1),
        Column("before", "PSNR before", 2), Column("gain", "gain dB", 2), Column("better", "better", 0),
        Column("worse", "worse", 0),
    )  # fmt: skip
    names = [*FAMILIES, CLEAN]
    matrix = [Column("truth", "done \\ named"), *(Column(n, n, 0) for n in names)]
    mixed = [{**r, "both": 100 * r["both"]} for r in total["mixtures"]]
    mixture_columns = (
        Column("mixture", "mixture"), Column("pictures", "pictures", 0), Column("both", "both found %", 1),
        Column("undone", "undone"), Column("gain", "gain dB", 2),
    )  # fmt: skip
    touched = "".join(
        f"- {t['image']}: {', '.join(t['actions'])}, {t['psnr']:.1f} dB\n" for t in total["clean_touched"]
    )
    return (
        f"{note}\n{markdown_table(families, columns)}\n## What was done, and what was named\n\n"
        f"{markdown_table(total['confusion'], matrix)}\n## Clean pictures that were touched\n\n{touched or 'none'}\n\n"
        f"## Two at once, severity 3\n\n{markdown_table(mixed, mixture_columns)}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and saves; 0 whatever was found."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.auto", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="clean pictures")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--rounds", type=int, default=1, help="draws per picture and family")
    parser.add_argument("--mixtures", type=int, default=12, help="pictures that mixtures are made of")
    parser.add_argument("--crop", type=int, help="degrade only the middles, of this side")
    parser.add_argument("--severities", default="3,4,5", help="which go round, such as 1,2")
    parser.add_argument("--behind", help="a degradation behind every fault, such as life")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args(arguments)

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        counts = {
            "limit": given.limit,
            "rounds": given.rounds,
            "mixtures": given.mixtures,
            "crop": given.crop,
            "severities": [int(n) for n in given.severities.split(",")],
            "behind": given.behind,
        }
        found = run(load("auto"), given.data, tell=tell, **counts)
        total, made = summary(found), environment(device="cpu")
        page = markdown(total, _note(given, total, made))
        print(page)
        result = {"schema": 1, **total, "environment": made, "options": counts}
        result |= {"rows": found.rows, "clean": found.clean, "mixed": found.mixed}
        write_report(result, page, json=given.json, markdown=given.markdown)
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _note(given: argparse.Namespace, total: dict[str, Any], made: dict[str, Any]) -> str:
    lost = ", ".join(total["families_without_gain"]) or "none"
    touched = len(total["clean_touched"])
    crop = f" --crop {given.crop}" if given.crop else ""
    crop += f" --severities {given.severities}" if given.severities != "3,4,5" else ""
    crop += f" --behind {given.behind}" if given.behind else ""
    draws = f"--rounds {given.rounds} --mixtures {given.mixtures}{crop}"
    cut = f" (its middle of {given.crop} x {given.crop})" if given.crop else ""
    return f"""# What `auto` says and does

{total["clean_pictures"]} clean pictures of {given.data.name}, each{cut} degraded by every family
at one of the severities {given.severities}
and stored in 8 bits. **{100 * total["named_rightly"]:.1f} % named rightly; {touched} clean pictures touched;
families without a mean gain: {lost}.**

```console
$ python -m restore.bench.tables.auto --data {given.data.name}/ {draws}
```

restore {made["restore"]} ({made["commit"]}),
classifier {made["weights"]["degradation-classifier"][:12]}, {made["processor"]},
{made["date"]}.
"""


if __name__ == "__main__":
    sys.exit(main())
