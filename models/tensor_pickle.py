"""Tensors out of a pickle without running anything: what is not on a short list is refused.

Written for ``.pkl`` files of stylegan2-ada-pytorch, where every network is stored as a call that makes its reader
compile source text from the file. Here that call gives an inert record of the class's name and its state; the text
is dropped unread. ``torch.load(weights_only=True)`` knows no such list that fits these files.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.errors import WeightsError
from restore.files.bounded import read_regular
from restore.models.pickle_scan import scan_pickle
from restore.models.weights import first_line

MOST_BYTES = 4 << 30
_DEEPEST = 20
_FAILURES = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,  # RecursionError too
    EOFError,
    MemoryError,
    OverflowError,
)


class Record:
    """A network that was stored: the name of its class, and its state. Nothing of it can be called."""

    __slots__ = ("class_name", "state")

    def __init__(self, class_name: str, state: Mapping[str, Any]) -> None:
        self.class_name, self.state = class_name, state

    def tensors(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and buffers of this network and those inside it, by dotted names.

        Raises:
            pickle.UnpicklingError: networks that hold themselves, or too many inside each other.
        """
        return self._tensors(prefix, set())

    def _tensors(self, prefix: str, seen: set[int]) -> dict[str, Tensor]:
        # A network that stands in two places, as no generator has any, could be doubled without end.
        if id(self) in seen or prefix.count(".") > _DEEPEST:
            raise pickle.UnpicklingError("its networks hold themselves")
        seen.add(id(self))
        found: dict[str, Tensor] = {}
        for kind in ("_parameters", "_buffers"):
            for name, value in _table(self.state, kind).items():
                if isinstance(value, Tensor):
                    found[prefix + name] = value.detach().float()
        for name, inner in _table(self.state, "_modules").items():
            if isinstance(inner, Record):
                found |= inner._tensors(f"{prefix}{name}.", seen)
        return found


class _Call:
    """One thing a pickle may call. It has no attributes that a pickle could change."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __setattr__(self, name: str, value: object) -> None:
        raise pickle.UnpicklingError("a pickle may not change what it calls")

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)


def read_tensor_pickle(path: Path) -> Any:
    """The content of a pickle made of plain values, tensors and :class:`Record`.

    Raises:
        WeightsError: anything else in it, naming what was asked for; a damaged or oversized file.
    """
    data = read_regular(path, most=MOST_BYTES, error=WeightsError, what="weights")
    try:
        scan_pickle(io.BytesIO(data), names=False)
        return _Reader(io.BytesIO(data), most=2 * len(data)).load()
    except _FAILURES as error:
        raise WeightsError(
            f"{path} is not read: {first_line(error)}",
            hint="only tensors and plain values are taken from such files",
        ) from error


class _Reader(pickle.Unpickler):
    """Args:
    most: bytes that all tensors may take together: each is a copy, and several may be made of one storage.
    """

    def __init__(self, file: io.BytesIO, *, most: int) -> None:
        super().__init__(file)
        self._left = most
        self._tensor = _Call(self._counted)

    def _counted(self, *args: Any) -> Tensor:
        made = _tensor(*args)
        self._left -= made.numel() * made.element_size()
        if self._left < 0:
            raise pickle.UnpicklingError("its tensors claim more than the file holds")
        return made.clone()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        found = _ALLOWED.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside itself")


def _record(meta: Any) -> Record:
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise pickle.UnpicklingError("a stored network has no state")
    return Record(str(meta.get("class_name")), meta["state"])


def _storage(data: Any) -> Any:
    # The original runs an unrestricted load on these bytes, which are a pickle again.
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("a storage is not made of bytes")
    file = io.BytesIO(data)
    if data[:2] == b"PK":  # its parts could be packed, and hold any size
        raise pickle.UnpicklingError("a storage is not written as one")
    for _ in range(5):
        scan_pickle(file)
    loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(loaded, torch.UntypedStorage | torch.TypedStorage):
        raise pickle.UnpicklingError("expected a storage")
    return loaded


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(storage, torch.TypedStorage):
        raise pickle.UnpicklingError("expected a storage with a type")
    numbers = [offset, *size, *stride]
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise pickle.UnpicklingError("a tensor's shape is not made of whole numbers")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    empty = torch.empty(0, dtype=storage.dtype)
    plain = storage._untyped_storage
    # torch would quietly enlarge the storage instead.
    if 0 not in size and (last + 1) * empty.element_size() > plain.nbytes():
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    return empty.set_(plain, offset, tuple(size), tuple(stride))


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise pickle.UnpicklingError("a parameter is no tensor")
    return data


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    # How protocol 2 writes bytes.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes are written in an unknown way")
    return text.encode("latin1")


def _table(state: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = state.get(key)
    return found if isinstance(found, dict) else {}


_ALLOWED: dict[tuple[str, str], Any] = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _Call(_record),
    ("dnnlib.util", "EasyDict"): dict,
    ("collections", "OrderedDict"): dict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    ("torch._utils", "_rebuild_parameter"): _Call(_parameter),
    ("torch.storage", "_load_from_bytes"): _Call(_storage),
    ("_codecs", "encode"): _Call(_encode),
}
