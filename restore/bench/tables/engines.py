"""Engines against each other: the same pictures, the same run, in turns.

``python -m restore.bench.tables.engines --data PICTURES --json FILE --markdown FILE``. Every engine and arithmetic that
is installed restores every picture once untimed and then ``--rounds`` times, in turns, so that what else the machine
does meets all of them alike; counted is the fastest round of each picture. Compared is what comes out with float32
torch. Exit code 1 when float32 results differ by more than 1e-3, or the fastest engine misses ``--bar``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from restore.bench.run import list_pictures
from restore.bench.score import read_clean
from restore.degradations import degradation
from restore.degradations import sample as draw
from restore.engines import choose, installed
from restore.engines.build import AGREE
from restore.engines.choice import ARITHMETIC
from restore.errors import EXIT_DONE, EXIT_SOME_FAILED, RestoreError, UsageError
from restore.metrics import psnr
from restore.report import Column, markdown_table
from restore.report.environment import environment, version
from restore.report.write import write_report
from restore.restorers import Restorer, load
from restore.runtime import cpu_has_bf16, pick_device, threads

BASE = ("torch", "fp32")
COLUMNS = (
    Column("engine", "engine"),
    Column("precision", "precision"),
    Column("seconds_per_megapixel", "s/MP", 3, best="low"),
    Column("cpu_seconds_per_megapixel", "CPU s/MP", 3, best="low"),
    Column("faster", "times faster", 2, best="high"),
    Column("faster_cpu", "of CPU time", 2, best="high"),
    Column("difference", "largest difference"),
    Column("agreement", "PSNR to fp32 torch", 1),
    Column("ready", "ready after s", 1),
    Column("auto", ""),
)


def candidates(engines: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Every pair of an engine that is installed and an arithmetic that this processor has; ``BASE`` first."""
    wanted = list(engines) or list(ARITHMETIC)
    arithmetic = ("fp32", "bf16") if cpu_has_bf16() else ("fp32",)
    pairs = [(e, p) for e in wanted if installed(e) for p in arithmetic if p in ARITHMETIC[e]]
    return [BASE, *(pair for pair in pairs if pair != BASE)]


def compare(
    model: str, pictures: Sequence[Tensor], pairs: Sequence[tuple[str, str]], *, rounds: int = 3
) -> list[dict[str, Any]]:
    """One row per pair of engine and precision, the first of which all others are compared with.

    Args:
        pictures: ``1 x C x H x W`` each.

    Raises:
        UsageError: an unknown model, or one that an engine cannot compute.
    """
    made: dict[tuple[str, str], tuple[Restorer, float]] = {}
    for pair in pairs:
        start = time.perf_counter()
        restorer = load(model, device="cpu", engine=pair[0], precision=pair[1])
        restorer(pictures[0][..., :64, :64])
        made[pair] = restorer, time.perf_counter() - start
    megapixels = sum(p.shape[-2] * p.shape[-1] for p in pictures) / 1e6
    total = {pair: [0.0, 0.0] for pair in pairs}
    difference = dict.fromkeys(pairs, 0.0)
    agreement: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
    for picture in pictures:
        answers = {pair: restorer(picture) for pair, (restorer, _) in made.items()}
        for pair, answer in answers.items():
            difference[pair] = max(difference[pair], float((answer - answers[pairs[0]]).abs().max()))
            if pair != pairs[0]:
                agreement[pair].append(float(psnr(answer, answers[pairs[0]])))
        del answers
        best = {pair: (float("inf"), float("inf")) for pair in pairs}
        for _ in range(rounds):
            for pair, (restorer, _seconds) in made.items():
                wall, cpu = time.perf_counter(), time.process_time()
                restorer(picture)
                spent = time.perf_counter() - wall, time.process_time() - cpu
                best[pair] = min(best[pair][0], spent[0]), min(best[pair][1], spent[1])
        for pair, spent in best.items():
            total[pair] = [a + b for a, b in zip(total[pair], spent, strict=True)]
    return [
        {
            "engine": pair[0],
            "precision": pair[1],
            "seconds_per_megapixel": total[pair][0] / megapixels,
            "cpu_seconds_per_megapixel": total[pair][1] / megapixels,
            "faster": total[pairs[0]][0] / total[pair][0],
            "faster_cpu": total[pairs[0]][1] / total[pair][1],
            "difference": difference[pair],
            "agreement": sum(agreement[pair]) / len(agreement[pair]) if agreement[pair] else None,
            "ready": made[pair][1],
        }
        for pair in pairs
    ]


def noisy_pictures(folder: Path, limit: int | None, spec: str) -> tuple[list[Tensor], str]:
    """The pictures of a folder, degraded by ``spec`` with seeds of their own, and what the folder is called.

    Raises:
        UsageError: no pictures.
    """
    root, files, _ = list_pictures(folder, limit)
    spoil = degradation(spec)
    made = []
    for file in files:
        g = draw.generator(draw.child_seed(0, file.as_posix()))
        made.append(spoil(read_clean(root / file)[1], generator=g)[0])
    return made, root.resolve().name


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the table, and saves what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m restore.bench.tables.engines", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--model", default="denoise:sigma=25", help="a network")
    parser.add_argument("--degradation", default="noise:sigma=25", help="what the pictures suffer first")
    parser.add_argument("--engines", help="only these, joined by commas")
    parser.add_argument("--limit", type=int, help="only the first so many pictures")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of every picture")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    parser.add_argument("--bar", type=float, default=1.8, help="how many times faster the fastest must be")
    parser.add_argument("--json", type=Path, help="where to save the numbers")
    parser.add_argument("--markdown", type=Path, help="where to save the table")
    given = parser.parse_args(arguments)
    try:
        if given.rounds < 1:
            raise UsageError(f"expected at least one round, got {given.rounds}")
        with threads(given.threads):
            pictures, folder = noisy_pictures(given.data, given.limit, given.degradation)
            pairs = candidates((given.engines or "").split(",") if given.engines else ())
            rows = compare(given.model, pictures, pairs, rounds=given.rounds)
            around = environment(device="cpu")
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    cpu = pick_device("cpu")
    auto = choose("auto", "auto", device=cpu)
    for row in rows:
        row["auto"] = "auto" if (row["engine"], row["precision"]) == (auto.engine, auto.precision) else ""
    best = max(row["faster"] for row in rows)
    equal = all(row["difference"] <= AGREE for row in rows if row["precision"] == "fp32")
    versions = {name: version(name) for name in ("torch", "onnxruntime", "openvino")}
    about = {
        "model": given.model,
        "pictures": f"{len(pictures)} of {folder}, {given.degradation}",
        "rounds": given.rounds,
        "best": best,
        "bar": given.bar,
        "equal": equal,
        "environment": {**around, **versions},
    }
    text = _markdown(rows, about)
    print(text)
    write_report({**about, "rows": rows}, text, json=given.json, markdown=given.markdown)
    return EXIT_DONE if equal and best >= given.bar else EXIT_SOME_FAILED


def _markdown(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    env = about["environment"]
    shown = [{**row, "difference": f"{row['difference']:.1e}"} for row in rows]
    versions = ", ".join(f"{name} {env[name]}" for name in ("torch", "onnxruntime", "openvino") if env[name])
    return (
        f"{markdown_table(shown, COLUMNS)}\n"
        f"`{about['model']}` on {about['pictures']}; the fastest of {about['rounds']} rounds of every picture, in "
        f'turns; "times faster" than float32 torch by wall time and by processor time; the fastest is '
        f"{about['best']:.1f} times as fast (bar: {about['bar']:g}).\n\n"
        f"{env['processor']}, {env['threads']} threads, {versions}, {env['date'][:10]}; commit {env['commit']}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
