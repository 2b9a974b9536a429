"""``restore judge``: should this restorer stand before that classifier?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore.errors import EXIT_SOME_FAILED, UsageError
from restore.tools.output import say
from restore.tools.reports import Counting, check_targets, emit_text, show_table

if TYPE_CHECKING:
    from restore.downstream.result import JudgeResult


def judge(
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help='A restorer, a chain "denoise + clahe", or module:function; repeatable.',
        ),
    ],
    classifier: Annotated[
        list[str] | None,
        typer.Option(
            "--classifier",
            "-c",
            metavar="NAME",
            help="digits, fashion-mnist, efficientnet-lite0, torchvision:NAME, timm:NAME, a "
            "file, or module:function; repeatable: the verdict is that of the worst. Default: digits.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|FOLDER|CSV",
            help="digits, fashion-mnist, a folder per class, or a CSV of file,label.",
        ),
    ] = "digits",
    profile: Annotated[
        str, typer.Option(metavar="full|smoke", help="How much: smoke ends within a minute.")
    ] = "full",
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            "--degradation",
            "-d",
            metavar="NAME",
            help="all, common, validation or smoke corruptions of ImageNet-C, or any "
            "degradation; repeatable.",
            show_default=False,
        ),
    ] = None,
    severities: Annotated[
        str | None, typer.Option(metavar="1,3,5", help="Severities of the suite.", show_default=False)
    ] = None,
    degrade_at: Annotated[
        str | None,
        typer.Option(
            metavar="input|native",
            help="Degrade at the classifier's input size, or the picture as it is.",
            show_default=False,
        ),
    ] = None,
    tune: Annotated[
        float | None, typer.Option(help="Pictures to tune on; below 1 a share.", show_default=False)
    ] = None,
    certify: Annotated[float | None, typer.Option(help="Pictures to certify on.", show_default=False)] = None,
    test: Annotated[
        float | None, typer.Option(help="Pictures to test on; default: all others.", show_default=False)
    ] = None,
    foreign: Annotated[
        str | None,
        typer.Option(metavar="NAME|FOLDER|CSV", help="Pictures of none of the classes.", show_default=False),
    ] = None,
    fit: Annotated[
        float | None, typer.Option(help="Pictures that detectors learn from.", show_default=False)
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Detectors besides msp, entropy, max-logit and energy: odin, gradnorm, knn, mahalanobis, "
            "mahalanobis-one, rmds, gram, purview, introspective, gradcon, amp; repeatable.",
            show_default=False,
        ),
    ] = None,
    verdict_detector: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose laundering the verdict looks at.", show_default=False),
    ] = None,
    attacks: Annotated[
        int | None,
        typer.Option(min=0, help="Test pictures to attack through the whole chain.", show_default=False),
    ] = None,
    adapted: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A classifier trained on degraded pictures, as the rival of restoring.",
            show_default=False,
        ),
    ] = None,
    harm_budget: Annotated[
        float | None, typer.Option(help="Largest share the gate may harm, certified.", show_default=False)
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option(help="Budget in milliseconds a picture.", show_default=False)
    ] = None,
    waive: Annotated[
        list[str] | None, typer.Option(metavar="CLAUSE", help="Clauses that may stay open; repeatable.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep finished parts here; the same command goes on from them.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One page with plots and a gallery.", show_default=False),
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Everything as JSON.", show_default=False)
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Per-picture rows in the JSON up to this many; default 50,000. --work keeps all.",
            show_default=False,
        ),
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Verdict and tables as Markdown.", show_default=False)
    ] = None,
    gate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the fitted gate.", show_default=False)
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(metavar="adopt|gate", help="Exit code 1 for a worse verdict.", show_default=False),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json", help="Exit code 1 for a worse verdict than this one's.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of degradations, splits, gates and bootstrap.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        str, typer.Option(metavar="auto|fp32|bf16|fp16", help="Arithmetic of networks.")
    ] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; default: all.", show_default=False)
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes that share the suite: as many as cores for small pictures.")
    ] = 1,
) -> None:
    """Give a verdict: ADOPT, GATE, REJECT or INCONCLUSIVE, with the clause that failed.

    Exit code: 0 done, 1 a verdict below --require or worse than --against, 2 wrong use, 130 interrupted.
    """
    check_targets({"--json": json, "--markdown": markdown}, [gate, html])
    # Heavy imports only here: --help must be quick.
    from dataclasses import replace

    from restore.downstream.classifiers import load_classifier
    from restore.downstream.judge import judge as run
    from restore.downstream.labelled.load import load_labelled
    from restore.downstream.result import load_earlier
    from restore.downstream.settings import profile as load_profile
    from restore.downstream.verdict import meets
    from restore.report import dumps
    from restore.runtime import threads as with_threads

    if require is not None:
        meets("ADOPT", require)
    earlier = load_earlier(against) if against is not None else None
    settings = load_profile(
        profile, corruptions=tuple(degradation) if degradation else None, severities=_numbers(severities),
        degrade_at=degrade_at, tune=tune, certify=certify, test=test, foreign=foreign, seed=seed,
        waived=tuple(waive) if waive else None,
        fit=fit,
        detectors=tuple(detector) if detector else None,
        detector=verdict_detector,
        attacks=attacks,
        rows=rows,
        jobs=jobs,
    )  # fmt: skip
    limits = {
        k: v for k, v in {"harm_budget": harm_budget, "latency_ms": latency_ms}.items() if v is not None
    }
    settings = replace(settings, limits=replace(settings.limits, **limits))
    classifiers = [load_classifier(name) for name in classifier or ["digits"]]
    labelled = load_labelled(data, classes=classifiers[0].classes)
    with Counting() as progress, with_threads(threads):
        result = run(
            model,
            classifiers,
            labelled,
            settings,
            adapted=load_classifier(adapted) if adapted is not None else None,
            work=work,
            device=device,
            precision=precision,
            progress=progress,
        )
    emit_text(dumps(result.to_json()), json)
    emit_text(result.markdown(), markdown)
    if html is not None:
        from restore.downstream.page import judge_page

        emit_text(judge_page(result), html)
    _save_gate(result, gate)
    _tell(result, to_stdout="-" not in (json, markdown))
    missed = result.missed(require, earlier)
    for sentence in missed:
        say(f"missed: {sentence}", colour=31)
    if missed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _numbers(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"expected numbers like 1,3,5 for --severities, got {text!r}") from None


def _save_gate(result: JudgeResult, path: Path | None) -> None:
    if path is None:
        return
    rules = [b["rule"] for b in result.blocks if "rule" in b]
    if len(rules) != 1:
        raise UsageError(
            f"--gate saves one gate, {len(rules)} were fitted", hint="one -m and one -c at a time"
        )
    rules[0].save(path)


def _tell(result: JudgeResult, *, to_stdout: bool) -> None:
    from restore.downstream.result import CELL_COLUMNS, CLAUSE_COLUMNS, clause_rows, flat_cells, headline
    from restore.report import rich_table

    for block in result.blocks:
        title = f"{block['restorer']} before {block['classifier']}"
        show_table(rich_table(flat_cells(block), CELL_COLUMNS, title=title), to_stdout=to_stdout)
        show_table(
            rich_table(clause_rows(block["verdict"]), CLAUSE_COLUMNS, group="policy"), to_stdout=to_stdout
        )
    for verdict in result.verdicts:
        say(f"{verdict['restorer']}: {verdict['decision']} ({headline(verdict)})")
