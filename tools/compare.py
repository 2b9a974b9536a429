"""``restore compare``: two folders of the same pictures, before and after, with or without the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restore.errors import EXIT_SOME_FAILED
from restore.tools.output import say
from restore.tools.reports import Counting, check_targets, emit_text, show_table

# Pictures shown on a page, evenly spread; every one costs about half a megabyte of page.
LOOKS = 24


def compare(
    before: Annotated[Path, typer.Argument(help="Pictures before: a folder or a file.")],
    after: Annotated[Path, typer.Argument(help="The same pictures after, whatever their format.")],
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="What they should look like: scores both.", show_default=False),
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Everything as JSON.", show_default=False)
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="The table as Markdown.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One page with the table and sliders.", show_default=False),
    ] = None,
) -> None:
    """Compare pictures before and after, paired by their path without its ending.

    With --truth: PSNR and SSIM of both and the gain. Without: how much changed. Means are over the pictures whose
    PSNR is finite; those that are identical are counted beside them.
    Exit code: 0 done, 1 a picture has no partner or cannot be read, 2 wrong use.
    """
    check_targets({"--json": json, "--markdown": markdown}, [html])
    # Heavy imports only here: --help must be quick.
    from restore.bench import compare_folders
    from restore.bench.show import compare_page
    from restore.report import dumps, rich_table

    with Counting() as progress:
        result = compare_folders(before, after, truth=truth, looks=LOOKS if html else 0, progress=progress)
    emit_text(dumps(result.to_json()), json)
    emit_text(result.markdown(), markdown)
    if html is not None:
        emit_text(compare_page(result), html)
    show_table(rich_table(result.table_rows, result.columns), to_stdout="-" not in (json, markdown))
    say(result.protocol)
    for line in result.notes():
        say(line, colour=33)
    if not result.is_complete:
        raise typer.Exit(EXIT_SOME_FAILED)
