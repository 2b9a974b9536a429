"""``restore demo``: the main job on bundled photographs, from a clean picture to a proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from restore.tools.output import FolderProgress, say
from restore.tools.reports import show_table

# Three strengths of noise, so that there is something to find out: nobody tells the restorer.
SIGMAS = (15, 25, 50)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed, another noise.")] = 0,
) -> None:
    """Degrade bundled photographs, restore them with the shipped weights, and show what it brought."""
    import restore
    from restore.bench import compare_folders
    from restore.bench.show import write_sheet
    from restore.folder import degrade_folder, restore_folder
    from restore.report import Comparison, rich_table

    clean = Path(restore.__file__).parent / "samples"
    looks: list[Comparison] = []
    for sigma in SIGMAS:
        noisy, restored = out / f"noisy-{sigma}", out / f"restored-{sigma}"
        say(f"noise of sigma {sigma}: {noisy}, restored without being told: {restored}")
        degrade_folder(clean, noisy, degradation=f"noise:sigma={sigma}", seed=seed, overwrite=True)
        with FolderProgress("restored") as progress:
            restore_folder(noisy, restored, overwrite=True, on_event=progress)
        result = compare_folders(noisy, restored, truth=clean, looks=2)
        looks += result.looks
        sys.stdout.write(f"\nnoise of sigma {sigma} (PSNR in dB, higher is better)\n")
        sys.stdout.flush()
        show_table(rich_table(result.table_rows, result.columns), to_stdout=True)
    sheet = out / "before-after.png"
    write_sheet(looks, sheet)
    sys.stdout.write(f"contact sheet: {sheet.resolve()}\n")
