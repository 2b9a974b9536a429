"""``restore demo``: the main job on bundled photographs, from a clean picture to a proof."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from restore.tools.output import FolderProgress, say
from restore.tools.reports import show_table

# Eight faults, each on two of the photographs; nobody tells the restorer which.
FAULTS = {
    "white noise": "noise:sigma=15",
    "camera noise": "raw-noise:severity=3",
    "coarse JPEG": "jpeg:quality=12",
    "shake": "motion:length=25",
    "rain": "rain:severity=3",
    "snow": "snow:severity=3",
    "haze": "haze:severity=3",
    "darkness": "lowlight:severity=3",
}
PICTURES = 2


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed, other faults.")] = 0,
) -> None:
    """Degrade bundled photographs in eight ways, restore them with the shipped weights, and show what it brought."""
    import restore
    from restore.bench import compare_folders
    from restore.bench.show import write_sheet
    from restore.folder import degrade_folder, restore_folder
    from restore.report import Column, Comparison, rich_table

    samples = sorted((Path(restore.__file__).parent / "samples").glob("*.png"))
    looks: list[Comparison] = []
    rows: list[dict[str, Any]] = []
    for number, (fault, degradation) in enumerate(FAULTS.items()):
        place = out / fault.replace(" ", "-")
        chosen = [samples[(number + k) % len(samples)] for k in range(PICTURES)]
        clean = place / "clean"
        clean.mkdir(parents=True, exist_ok=True)
        for sample in chosen:
            shutil.copyfile(sample, clean / sample.name)
        say(
            f"{fault} ({degradation}): {place / 'degraded'}, restored without being told: {place / 'restored'}"
        )
        degrade_folder(clean, place / "degraded", degradation=degradation, seed=seed, overwrite=True)
        with FolderProgress("restored") as progress:
            result = restore_folder(place / "degraded", place / "restored", overwrite=True, on_event=progress)
        scores = compare_folders(place / "degraded", place / "restored", truth=clean, looks=1)
        looks += scores.looks
        done = {
            Path(o.file).stem: ", then ".join((o.record or {}).get("actions", ())) or "left alone"
            for o in result.done
        }
        for score in scores.rows:
            rows.append({"fault": fault, "picture": score["image"], "done": done[score["image"]], **score})
    columns = (
        Column("fault", "fault"), Column("picture", "picture"), Column("done", "what auto did"),
        Column("psnr_before", "PSNR before", 2), Column("psnr_after", "after", 2),
    )  # fmt: skip
    sys.stdout.write("\nPSNR in dB, higher is better\n")
    sys.stdout.flush()
    show_table(rich_table(rows, columns), to_stdout=True)
    sheet = out / "before-after.png"
    write_sheet(looks, sheet)
    sys.stdout.write(f"contact sheet: {sheet.resolve()}\n")
