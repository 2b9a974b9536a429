"""What is known of how pictures came about: an operator, a noise, and what was laid over the picture.

The same for all (an operator, a point spread function), or one for each picture of a folder: records of
``restore degrade --params``, or masks.
"""

from __future__ import annotations

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from restore.degradations.operators import Operator, Shape, blur, masking
from restore.degradations.params import Params
from restore.degradations.recorded import (
    check_params,
    constant,
    from_params,
    noise_sigma,
    read_records,
    size_before,
)
from restore.errors import ImageError, RestoreError, UsageError
from restore.files import find_pictures, format_of, read_picture
from restore.files.psf import read_psf


@dataclass(frozen=True)
class Observation:
    """y = A x + offset + noise.

    Args:
        operator: A.
        sigma: of the noise in units of [0, 1]; None: not known.
        offset: what y shows of anything else than x (paint), broadcast to y; None: nothing.
    """

    operator: Operator
    sigma: float | None = None
    offset: Tensor | None = None

    def linear_part(self, y: Tensor) -> Tensor:
        """y without what does not come from x."""
        return y if self.offset is None else y - self.offset.to(y)


class Known(ABC):
    """What is known of each picture."""

    @abstractmethod
    def of(self, file: str, y: Tensor) -> Observation:
        """Of the picture ``file`` (its path below its folder, with ``/``), measured as ``y`` (``B x C x H x W``).

        Raises:
            ImageError: nothing is known of it, or of a picture of that size.
        """

    @abstractmethod
    def key(self, file: str) -> str:
        """Changes when what is known of that picture changes; empty where nothing is known of it."""


class Same(Known):
    """One operator, or one psf (then with mirrored borders), for every picture."""

    def __init__(self, what: Operator | Tensor) -> None:
        self.what = what

    def of(self, file: str, y: Tensor) -> Observation:
        if isinstance(self.what, Operator):
            return Observation(self.what)
        return Observation(blur(self.what, (y.shape[1], y.shape[2], y.shape[3])))

    def key(self, file: str) -> str:
        if isinstance(self.what, Operator):
            return self.what.name
        return _digest(self.what.double().numpy().tobytes() + repr(tuple(self.what.shape)).encode())


class Recorded(Known):
    """A record for each picture, by its path; or one record for all, under the empty path.

    A degraded picture may have got another format: then the same path with another suffix counts, if only one has it.
    """

    def __init__(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        self.records = records
        self.stems = _by_stem(records)

    def of(self, file: str, y: Tensor) -> Observation:
        record = self._record(file)
        if record is None:
            raise ImageError("no parameters are recorded for it")
        seen: Shape = (y.shape[1], y.shape[2], y.shape[3])
        try:
            return self._observation(record, y, seen)
        except RestoreError:
            raise
        except (
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            RuntimeError,
            ArithmeticError,
            AttributeError,
        ) as error:
            raise ImageError(
                f"what is recorded of it stands for no operator ({type(error).__name__}: {str(error)[:200]})",
                hint="use a params.jsonl as it was written",
            ) from error

    def _observation(self, record: Mapping[str, Any], y: Tensor, seen: Shape) -> Observation:
        params = Params.from_json([dict(record.get("params", record))])
        check_params(params)
        clean = (seen[0], *record["shape"][1:]) if "shape" in record else size_before(params, seen)
        operator = from_params(params, clean)
        if operator.output_shape != seen:
            raise ImageError(
                f"expected a picture of {operator.output_shape} (C, H, W) as recorded, got {tuple(seen)}"
            )
        laid = constant(params, clean)
        sigma = noise_sigma(params, brightness=float(y.mean().clamp(0, 1)))
        return Observation(operator, sigma, laid if bool(laid.any()) else None)

    def key(self, file: str) -> str:
        record = self._record(file)
        return "" if record is None else _digest(json.dumps(record, sort_keys=True).encode())

    def _record(self, file: str) -> Mapping[str, Any] | None:
        return self.records.get("") or _find(file, self.records, self.stems)


class Masks(Known):
    """A folder with a mask of the same name for each picture: white where pixels are missing."""

    def __init__(self, folder: Path) -> None:
        self.files = {p.as_posix(): folder / p for p in find_pictures(folder)}
        self.stems = _by_stem(self.files)
        if not self.files:
            raise UsageError(f"expected masks in {folder}, found no picture")

    def of(self, file: str, y: Tensor) -> Observation:
        path = _find(file, self.files, self.stems)
        if path is None:
            raise ImageError("there is no mask for it")
        pixels = read_picture(path).pixels
        top = 1.0 if pixels.dtype.kind == "f" else float(2 ** (8 * pixels.dtype.itemsize) - 1)
        missing = torch.from_numpy(pixels.astype("float32").mean(-1) / top > 0.5)
        if tuple(missing.shape) != tuple(y.shape[-2:]):
            raise ImageError(f"expected a mask of {tuple(y.shape[-2:])} pixels, got {tuple(missing.shape)}")
        keep = (~missing).float()[None, None]
        shape = (y.shape[1], y.shape[2], y.shape[3])
        # Whatever stands in the holes is not measured.
        return Observation(masking(keep, shape), None, y * (1 - keep.to(y)))

    def key(self, file: str) -> str:
        path = _find(file, self.files, self.stems)
        return "" if path is None else _digest(path.read_bytes())


def open_known(what: Any) -> Known:
    """What is known, from anything that says it.

    Args:
        what: an :class:`Operator`; a psf (a tensor with odd sides, a ``.npy`` or a picture); a record of
            ``restore.degrade``; a params file (JSON lines) of ``restore degrade``; a folder of masks.

    Raises:
        UsageError: none of these, or a file that cannot be used.
    """
    if isinstance(what, Known):
        return what
    if isinstance(what, Operator | Tensor):
        return Same(what)
    if isinstance(what, Mapping):
        return Recorded({"": what})
    if not isinstance(what, str | os.PathLike):
        raise UsageError(
            f"expected an operator, a psf, a record or a path, got {type(what).__name__}",
            hint="see restore.inverse.open_known",
        )
    path = Path(what)
    if path.is_dir():
        return Masks(path)
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="expected a params file, a psf, or a folder of masks")
    if path.suffix.lower() == ".npy" or format_of(path):
        return Same(read_psf(path))
    return Recorded(read_records(path))


def _by_stem(files: Mapping[str, Any]) -> dict[str, list[str]]:
    stems: dict[str, list[str]] = {}
    for file in files:
        stems.setdefault(PurePosixPath(file).with_suffix("").as_posix() if file else "", []).append(file)
    return stems


def _find(file: str, files: Mapping[str, Any], stems: Mapping[str, list[str]]) -> Any:
    if file in files:
        return files[file]
    alike = stems.get(PurePosixPath(file).with_suffix("").as_posix(), []) if file else []
    return files[alike[0]] if len(alike) == 1 else None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
