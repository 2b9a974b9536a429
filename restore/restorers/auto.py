"""``auto``: looks at a picture, says what is wrong with it, and chooses and orders restorers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.errors import UsageError
from restore.image import array_to_tensor, as_batch
from restore.models.registry import SHIPPED
from restore.names import Value
from restore.restorers.air import HAZY
from restore.restorers.base import Read, Restorer
from restore.restorers.composed import COMPOSED, Composed
from restore.restorers.drops import WET
from restore.restorers.findings import Finding, Judgement
from restore.restorers.look import Tables, look, shipped_looker
from restore.restorers.marks import MARKED
from restore.restorers.methods import METHODS_TABLE
from restore.restorers.remedies import ORDER, REMEDIES
from restore.restorers.spec import RestorerSpec
from restore.restorers.values import check_values
from restore.version import __version__

NAME = "auto"
DESCRIPTION = "looks what is wrong with a picture, and does what helps; leaves clean pictures alone"
# Several things at once blur one another: no more than this many are undone.
_MOST = 3

Load = Callable[[str], Restorer]


def decide(findings: list[Finding], *, there: set[str]) -> Judgement:
    """Which restorers, in which order, for what was found.

    Args:
        there: names of restorers that can be used.
    """
    by_name = {f.name: f for f in findings}
    acted: list[tuple[float, str, str]] = []
    left: list[str] = []
    undone: dict[str, str] = {}
    for remedy in REMEDIES:
        finding = by_name.get(remedy.family)
        if finding is None or finding.kind != remedy.kind:
            continue
        if finding.severity < remedy.severity or finding.confidence < remedy.confidence:
            left.append(f"{remedy.family}: too little or too unsure to touch")
            continue
        name = remedy.choose(there)
        if name is None:
            left.append(f"{remedy.family}: no restorer for it")
            continue
        value = f"{finding.value:.0f}" if finding.value is not None else ""
        acted.append((finding.confidence * finding.severity, remedy.family, name.format(value=value)))
        undone |= {family: remedy.family for family in remedy.includes}
    for _, family, _ in acted:
        if family in undone:
            left.append(f"{family}: undone with {undone[family]}")
    acted = [action for action in acted if action[1] not in undone]
    worst = sorted(acted, reverse=True)[:_MOST]
    chosen = sorted(worst, key=lambda a: ORDER.index(a[1]))
    return Judgement(tuple(findings), tuple(name for _, _, name in chosen), tuple(left))


class AutoRestorer(Restorer):
    """Looks first; see :func:`decide` and :mod:`restore.restorers.remedies`."""

    def __init__(
        self, load: Load, *, device: torch.device, tile: int | None, values: dict[str, Value]
    ) -> None:
        check_values(NAME, values, ())
        self.load = load
        self.there = {*SHIPPED, *METHODS_TABLE, *COMPOSED}
        self.loaded: dict[str, Restorer] = {}
        weights = [(name, entry.sha256) for name, entry in SHIPPED.items()]
        parts = repr([weights, REMEDIES, HAZY, WET, MARKED, __version__])
        spec = RestorerSpec(task="any", kind="chosen", description=DESCRIPTION)
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:16]
        super().__init__(NAME, spec, fingerprint=fingerprint, device=device, tile=tile)
        shipped_looker(device)  # damaged weights are said before any work

    def judge(self, read: Read, height: int, width: int, tables: Tables | None = None) -> Judgement:
        """Findings and what follows from them, of one picture."""
        return decide(look(read, height, width, device=self.device, tables=tables), there=self.there)

    def find(self, pixels: np.ndarray, *, tables: Tables | None = None) -> Judgement:
        """See :meth:`Restorer.find`."""

        def read(top: int, bottom: int, left: int, right: int) -> Tensor:
            return array_to_tensor(pixels[top:bottom, left:right]).to(self.device)

        return self.judge(read, pixels.shape[0], pixels.shape[1], tables)

    @torch.no_grad()
    def __call__(self, image: Any, *, mask: Any = None) -> Any:
        """Every picture of a batch is judged by itself."""
        self._refuse(mask)
        x, back = as_batch(image)
        made = []
        for part in x.split(1):
            judged = self._of(part)
            y = part.float()
            for name in judged.actions:
                y = self._restorer(name)(y).clamp(0, 1)
            made.append(y)
        return back(torch.cat(made).to(x.dtype))

    @torch.inference_mode()
    def restore_pixels(
        self,
        pixels: np.ndarray,
        *,
        progress: Callable[[float], None] | None = None,
        judged: Judgement | None = None,
        mask: Any = None,
    ) -> np.ndarray:
        """See :meth:`Restorer.restore_pixels`; steps pass pixels on in the picture's own depth."""
        self._refuse(mask)
        judged = judged or self.find(pixels)
        out = pixels.copy()
        count = len(judged.actions)
        for k, name in enumerate(judged.actions):

            def share(done: float, k: int = k) -> None:
                if progress is not None:
                    progress((k + done) / count)

            out = self._restorer(name).restore_pixels(out, progress=share)
        return out

    def _refuse(self, mask: Any) -> None:
        if mask is not None:
            raise UsageError(f"{self.name} takes no mask", hint="-m inpaint, telea ... do")

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        """The whole chain on one tensor; ``seen`` is a :class:`Judgement` or None (look here)."""
        judged = seen if isinstance(seen, Judgement) else self._of(x[:1].detach())
        for name in judged.actions:
            x = self._restorer(name).restore_whole(x, exact=exact)
        return x if judged.actions else x.clone()

    def _of(self, x: Tensor) -> Judgement:
        return self.judge(
            lambda t, b, le, r: x[:, :, t:b, le:r].float().to(self.device), x.shape[-2], x.shape[-1]
        )

    def _restorer(self, name: str) -> Restorer:
        if name not in self.loaded:
            self.loaded[name] = self.load(name)
        return self.loaded[name]


ROW = Composed(AutoRestorer, "any", "chosen", DESCRIPTION)
