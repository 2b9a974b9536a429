"""``restore diagnose``: what is measured of every picture of a folder; no pixel is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from restore.errors import EXIT_SOME_FAILED
from restore.tools.output import say
from restore.tools.reports import Counting, check_targets, emit_text, show_table

# Pictures shown on a page, evenly spread.
LOOKS = 24


def diagnose(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="Pictures: a folder or a file.")],
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Every value with its interval.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One page with the table and previews.", show_default=False),
    ] = None,
) -> None:
    """Measure noise, coding, blur, enlargement, light, haze, colour and what lies on pictures.

    Nothing is restored and no picture is changed.
    Exit code: 0 done, 1 a picture cannot be read, 2 wrong use.
    """
    check_targets({"--json": json}, [html])
    # Heavy imports only here: --help must be quick.
    from restore.folder.diagnose import COLUMNS, NOTE, diagnose_folder, diagnosis_page
    from restore.report import dumps, rich_table

    with Counting() as progress:
        found = diagnose_folder(source, looks=LOOKS if html else 0, progress=progress)
    emit_text(dumps([d.to_json() for d in found]), json)
    if html is not None:
        emit_text(diagnosis_page(found), html)
    show_table(rich_table([d.row() for d in found], COLUMNS), to_stdout=json != "-")
    say(NOTE)
    failed = [d for d in found if d.failed]
    for d in failed:
        say(f"failed: {d.file}: {d.failed}", colour=31)
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)
