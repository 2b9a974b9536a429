"""Maps of how sure a restorer is: per picture a 16-bit PNG of the half-width of its interval.

``NAME.EXT.interval.png`` holds ``half-width = value / 65535`` in units of [0, 1] (one step of an 8-bit picture is
257), one channel; ``interval.json`` beside it says so, with level and calibration. A coloured preview shows half-widths
from 0 (dark) to 32 of 255 (bright).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from restore.image import array_to_tensor

if TYPE_CHECKING:
    from restore.files import Picture
    from restore.restorers import Restorer

LEVEL = 0.9
TOP = 65535
BRIGHT = 32 / 255


class Maps:
    """Writes the maps of one run.

    Raises:
        WeightsError: a restorer without calibrated intervals, or with those of other weights.
    """

    def __init__(self, folder: Path, restorer: Restorer, *, preview: bool = False) -> None:
        self.folder, self.restorer, self.preview = folder, restorer, preview
        self.table = restorer.calibration()
        self.factor = self.table.scale(LEVEL, None)

    @property
    def settings(self) -> dict[str, Any]:
        """What the maps depend on besides the restorer."""
        return {"uncertainty": f"{LEVEL:g}, {self.factor:g}, {self.folder.name}", "preview": self.preview}

    def open(self) -> None:
        """Makes the folder and says in it what the maps mean.

        Raises:
            UsageError: a folder that cannot be made or written to.
        """
        about = {
            "level": LEVEL,
            "full_scale": TOP,
            "meaning": "half-width of the interval = value / full_scale, in units of [0, 1]",
            "restorer": self.restorer.name,
            "identity": self.table.identity,
            "factor": self.factor,
            "calibration": self.table.about,
            "preview": f"dark 0, bright {BRIGHT * 255:.0f} of 255 or more" if self.preview else None,
        }
        from restore.files import write_file

        write_file(self.folder / "interval.json", json.dumps(about, indent=2) + "\n")

    def write(self, output: str, picture: Picture) -> None:
        """The map of one picture; ``output`` is what its restored file is called below the output folder."""
        from restore.files import Picture, write_picture

        x = array_to_tensor(picture.pixels).to(self.restorer.device)
        with torch.inference_mode():
            _, width = self.restorer.with_half_width(x, self.table)
        half = (width * self.factor).clamp(0, 1)[0, 0].cpu().numpy()
        values = (half * TOP + 0.5).astype(np.uint16)
        path = self.folder / f"{output}.interval.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, Picture(pixels=values[..., None]))
        if self.preview:
            import cv2

            grey = (np.clip(half / BRIGHT, 0, 1) * 255 + 0.5).astype(np.uint8)
            colour = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1]
            shown = Picture(pixels=np.ascontiguousarray(colour))
            write_picture(self.folder / f"{output}.preview.png", shown)
