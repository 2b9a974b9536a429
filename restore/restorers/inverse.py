"""Methods that are told how a picture came about, behind the face of a restorer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restore.diagnosis.findings import Diagnosis
from restore.errors import ImageError, UsageError
from restore.image import array_to_tensor, as_batch, tensor_to_array
from restore.inverse import Known, Observation, Solution
from restore.inverse.plug_and_play import Denoiser
from restore.names import Value, format_name
from restore.restorers.base import Restorer
from restore.restorers.noise import look_for_noise
from restore.restorers.solvers import SOLVERS, KnownMethod
from restore.restorers.spec import RestorerSpec
from restore.restorers.values import check_values
from restore.tiling import run_tiled
from restore.version import __version__


class InverseRestorer(Restorer):
    """A solver with what is known of its pictures; ``sigma`` is the given one, the recorded one, or estimated.

    Attributes:
        known: what is known.
        diagnostics: of the last picture: ``data_consistency`` (see :class:`restore.inverse.Solution`), ``sigma`` (in
            units of 255) and ``iterations``.
    """

    def __init__(
        self,
        name: str,
        method: KnownMethod,
        known: Known,
        *,
        denoiser: Restorer | None,
        device: torch.device,
        values: dict[str, Value],
    ) -> None:
        self.method, self.known, self.denoiser = method, known, denoiser
        self.values: dict[str, Any] = {k: v for k, v in values.items() if k not in ("sigma", "denoiser")}
        if "start" in self.values:
            self.values["start"] = float(self.values["start"]) / 255
        self.sigma = float(values["sigma"]) / 255 if "sigma" in values else None
        self.file = ""
        self.memory = method.memory
        spec = RestorerSpec(
            task=method.task,
            kind="inverse",
            description=method.description,
            takes=method.takes,
            precision=denoiser.spec.precision if denoiser is not None else "fp32",
        )
        label = format_name(name, values)
        own = [label, __version__, denoiser.fingerprint if denoiser is not None else "", known.key("")]
        fingerprint = hashlib.sha256(repr(own).encode()).hexdigest()[:16]
        super().__init__(label, spec, fingerprint=fingerprint, device=device)

    def of(self, file: str) -> InverseRestorer:
        """The same for the picture of a folder whose path is ``file``."""
        other = copy(self)
        other.file, other.diagnostics = file, {}
        return other

    def key(self, file: str) -> str:
        """Changes when what is known of that picture changes."""
        return self.known.key(file)

    @torch.no_grad()
    def solve(self, y: Tensor) -> Solution:
        """The whole result for a batch of pictures ``B x C x H x W`` or of measurements of an operator.

        Raises:
            ImageError: nothing is known of such a picture.
        """
        y = y.to(self.device)
        seen = self.known.of(self.file, y)
        data = seen.linear_part(y)
        sigma = self._sigma(seen, data)
        told = {**self.values, **({"denoiser": self._denoise(y)} if self.denoiser is not None else {})}
        made = self.method.function(data, seen.operator, sigma=sigma, **told)
        worst = float(made.data_consistency.max())
        self.diagnostics = {
            "data_consistency": round(worst, 4),
            "sigma": round(float(sigma.max()) * 255, 4),
            "iterations": made.iterations,
        }
        return made

    def __call__(self, image: Any, *, mask: Any = None) -> Any:
        if mask is not None:
            raise UsageError(f"{self.name} takes no mask", hint="its operator says what is missing")
        x, back = as_batch(image)
        made = self.solve(x.float()).image
        return back(made.to(x.device, x.dtype))

    def restore_pixels(
        self,
        pixels: np.ndarray,
        *,
        progress: Callable[[float], None] | None = None,
        diagnosis: Diagnosis | None = None,
        mask: Any = None,
    ) -> np.ndarray:
        """As :meth:`Restorer.restore_pixels`, but the picture is held in memory as a whole, several times over.

        Raises:
            ImageError: nothing is known of this picture, or the result is not finite.
        """
        made = self.solve(array_to_tensor(pixels)).image
        if not bool(torch.isfinite(made).all()):
            raise ImageError(f"{self.name} gave a value that is not finite")
        if progress is not None:
            progress(1.0)
        return tensor_to_array(made, pixels.dtype)

    def restore_window(self, x: Tensor, seen: Any, *, exact: bool = False) -> Tensor:
        return self.solve(x).image

    def _sigma(self, seen: Observation, y: Tensor) -> Tensor:
        """B standard deviations."""
        known = self.sigma if self.sigma is not None else seen.sigma
        if known is not None:
            return torch.full((len(y),), known, device=self.device)
        if y.ndim != 4 or y.shape[1] not in (1, 3):
            raise UsageError(
                "these measurements are no pictures: their noise cannot be estimated", hint="sigma="
            )
        from restore.inverse.begin import begin

        whole = y
        if seen.operator.name == "masking":  # holes are no noise
            whole = begin(y, seen.operator, y)
        return look_for_noise(lambda t, b, le, r: whole[:, :, t:b, le:r], *y.shape[-2:], device=self.device)

    def _denoise(self, y: Tensor) -> Denoiser:
        denoiser = self.denoiser
        assert denoiser is not None
        network = denoiser.spec.kind == "learned"

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            made = torch.empty_like(x)
            level = sigma.to(x)[:, None] if network else sigma

            def write(top: int, left: int, part: Tensor) -> None:
                made[:, :, top : top + part.shape[2], left : left + part.shape[3]] = part

            run_tiled(
                lambda w: denoiser.restore_window(w, level),
                lambda t, b, le, r: x[:, :, t:b, le:r],
                write,
                height=x.shape[-2],
                width=x.shape[-1],
                radius=denoiser.spec.radius,
                multiple=denoiser.spec.multiple,
                tile=denoiser.tile,
                exact=lambda w: denoiser.restore_window(w, level, exact=True),
            )
            # A denoiser follows values out of [0, 1]; where nothing is measured they would run away, step by step.
            return made.clamp(0, 1)

        return denoise


def load_inverse(
    name: str,
    known: Known,
    *,
    device: torch.device,
    values: dict[str, Value],
    load: Callable[[str], Restorer],
) -> InverseRestorer:
    """A solver of the table with its values checked.

    Args:
        load: how a denoiser is found by its name.

    Raises:
        UsageError: a value it does not take, or a denoiser that is none.
    """
    method = SOLVERS[name]
    check_values(name, values, method.takes)
    for key, value in values.items():
        if key != "sigma":
            method.options[key].check(name, key, value)
    denoiser = None
    if method.denoises:
        denoiser = load(str(values.get("denoiser", "denoise")))
        if denoiser.spec.task != "denoise" or "sigma" not in denoiser.spec.takes:
            raise UsageError(
                f"{name}: expected a denoiser that takes sigma, got {denoiser.name}",
                hint="denoise, bm3d, nlm, tv ... do",
            )
    whole = {k: int(v) for k, v in values.items() if k in method.options and method.options[k].whole}
    return InverseRestorer(name, method, known, denoiser=denoiser, device=device, values={**values, **whole})
