"""``auto``: diagnoses a picture, chooses and orders treatments, looks again, and takes back what did not help."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.diagnosis.evidence import Evidence, gather_evidence, shipped_classifier, shipped_gain
from restore.diagnosis.findings import Diagnosis
from restore.diagnosis.measure import Tables
from restore.diagnosis.policy import POLICY_FILE, decide, is_left, shipped_policy
from restore.diagnosis.second_look import find_harm
from restore.diagnosis.treatments import TREATMENTS, treatment_of
from restore.errors import UsageError
from restore.image import as_batch, quantise, tensor_to_array
from restore.models.registry import SHIPPED
from restore.names import Value, format_name
from restore.restorers.base import Restorer
from restore.restorers.composed import COMPOSED, Composed
from restore.restorers.methods import METHODS_TABLE
from restore.restorers.spec import RestorerSpec
from restore.restorers.values import check_values
from restore.version import __version__

NAME = "auto"
DESCRIPTION = "diagnoses a picture and does what helps; leaves clean pictures and drawings alone (risk)"
RISK = 0.05

Load = Callable[[str], Restorer]


class AutoRestorer(Restorer):
    """See the module. ``risk`` is the certified budget of harm: see :mod:`restore.diagnosis.policy`.

    Raises:
        UsageError: a risk that no thresholds are certified for.
    """

    def __init__(
        self, load: Load, *, device: torch.device, tile: int | None, values: dict[str, Value]
    ) -> None:
        check_values(NAME, values, ("risk",))
        risk = values.get("risk", RISK)
        if isinstance(risk, bool | str):
            raise UsageError(f"{NAME}: expected a risk such as 0.05, got {risk!r}")
        self.policy = shipped_policy(float(risk))
        self.load = load
        self.there = {*SHIPPED, *METHODS_TABLE, *COMPOSED}
        self.loaded: dict[str, Restorer] = {}
        shipped_classifier(), shipped_gain()  # damaged weights are said before any work
        weights = [(name, entry.sha256) for name, entry in SHIPPED.items()]
        parts = repr([weights, TREATMENTS, POLICY_FILE.read_text(), risk, __version__])
        spec = RestorerSpec(task="any", kind="chosen", description=DESCRIPTION, takes=("risk",))
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:16]
        super().__init__(format_name(NAME, values), spec, fingerprint=fingerprint, device=device, tile=tile)

    def diagnose(self, pixels: np.ndarray, *, tables: Tables | None = None) -> Diagnosis:
        """See :meth:`Restorer.diagnose`."""
        return decide(gather_evidence(pixels, tables=tables), there=self.there, policy=self.policy)

    @torch.no_grad()
    def __call__(self, image: Any, *, mask: Any = None) -> Any:
        """Every picture of a batch is diagnosed by itself."""
        self._refuse(mask)
        x, back = as_batch(image)
        made = []
        for part in x.split(1):
            y = part.float()
            evidence = gather_evidence(_pixels(y))
            diagnosis = decide(evidence, there=self.there, policy=self.policy)
            for k, name in enumerate(list(diagnosis.actions)):
                if k and self._gone(diagnosis, name, evidence):
                    continue
                after = self._restorer(name)(y).clamp(0, 1)
                evidence = self._checked(diagnosis, name, _pixels(y), _pixels(after), evidence)
                y = after if name in diagnosis.actions else y
            made.append(y)
        return back(torch.cat(made).to(x.dtype))

    @torch.inference_mode()
    def restore_pixels(
        self,
        pixels: np.ndarray,
        *,
        progress: Callable[[float], None] | None = None,
        diagnosis: Diagnosis | None = None,
        mask: Any = None,
    ) -> np.ndarray:
        """See :meth:`Restorer.restore_pixels`; what is taken back is noted in ``diagnosis``."""
        self._refuse(mask)
        diagnosis = diagnosis or self.diagnose(pixels)
        actions = list(diagnosis.actions)
        out = pixels.copy()
        evidence: Evidence | None = None
        for k, name in enumerate(actions):

            def share(done: float, k: int = k) -> None:
                if progress is not None:
                    progress((k + done) / len(actions))

            if evidence is not None and self._gone(diagnosis, name, evidence):
                continue
            evidence = evidence or gather_evidence(out)
            after = self._restorer(name).restore_pixels(out, progress=share)
            evidence = self._checked(diagnosis, name, out, after, evidence)
            out = after if name in diagnosis.actions else out
        return out

    def _gone(self, diagnosis: Diagnosis, name: str, evidence: Evidence) -> bool:
        """Whether an action is left out because what was done before it undid its fault as well."""
        if is_left(treatment_of(name), evidence, self.policy):
            return False
        diagnosis.take_back(name, "not needed any more")
        return True

    def _checked(
        self, diagnosis: Diagnosis, name: str, before: np.ndarray, after: np.ndarray, was: Evidence
    ) -> Evidence:
        """The evidence to go on with: that of ``after``, or ``was`` where the action is taken back."""
        now = gather_evidence(after)
        harm = find_harm(before, after, treatment=treatment_of(name), was=was, now=now, policy=self.policy)
        if harm is None:
            return now
        diagnosis.take_back(name, harm)
        return was

    def _refuse(self, mask: Any) -> None:
        if mask is not None:
            raise UsageError(f"{self.name} takes no mask", hint="-m inpaint, telea ... do")

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        """The whole chain on one tensor, without a second look: gradients pass to ``x``."""
        evidence = gather_evidence(_pixels(x[:1].detach()))
        actions = decide(evidence, there=self.there, policy=self.policy).actions
        for name in actions:
            x = self._restorer(name).restore_whole(x, exact=exact)
        return x if actions else x.clone()

    def _restorer(self, name: str) -> Restorer:
        if name not in self.loaded:
            self.loaded[name] = self.load(name)
        return self.loaded[name]


def _pixels(x: Tensor) -> np.ndarray:
    """The first of a batch as 8 bits hold it, ``H x W x C``."""
    return tensor_to_array(quantise(x[:1].float().cpu()), np.dtype(np.uint8))


ROW = Composed(AutoRestorer, "any", "chosen", DESCRIPTION, takes=("risk",))
