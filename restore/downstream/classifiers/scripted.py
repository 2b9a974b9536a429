"""Classifiers out of TorchScript files, which are programs: read first, and allowed to compute but not to act.

TorchScript has no imports, but its functions include some that write files (``torch.save``, ``torch.from_file``) or
talk to other processes. Its source stands in the archive as text, so what a program may call is checked before torch
compiles it; what it allocates while it is read and when it is first asked is counted.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from restore.errors import RestoreError, WeightsError
from restore.files.bounded import open_regular
from restore.models.budget import building
from restore.models.pickle_scan import scan_pickle
from restore.models.torch_file import check_archive, count_parts, read_part
from restore.models.weights import first_line

MOST_BYTES = 4 << 30
_MOST_PARTS = 100_000
# Of one picture's way through a classifier, or of what it keeps: about a gigabyte of float32.
_MOST_ELEMENTS = 100_000_000
_HINT = "torch.jit.trace it, export it to ONNX, or name the function that makes the network: module:function"
# Whatever files, processes, addresses or the terminal are reached by; `while` has no end that could be known.
_FORBIDDEN = re.compile(
    r"\b(save|from_file|load_tensor|while|print|_print|rpc_\w+|fork|data_ptr|set_data|set_"
    r"|resize_storage_bytes_|_resize_\w+|_set_device|set_stream)\b"
)
_LIBRARIES = (
    "quantized",
    "_quantized",
    "quantization",
    "torchvision",
    "aten",
    "prim",
    "mkldnn_prepacked",
    "prepacked",
)
_ITEM = {"Double": 8, "Long": 8, "ComplexFloat": 8, "ComplexDouble": 16, "Float": 4, "Int": 4, "QInt32": 4,
         "Half": 2, "BFloat16": 2, "Short": 2, "Char": 1, "Byte": 1, "Bool": 1, "QInt8": 1, "QUInt8": 1}  # fmt: skip


def load_scripted(path: Path) -> nn.Module:
    """The program of a TorchScript file, in eval mode on the CPU.

    Raises:
        WeightsError: no TorchScript, damaged, or a program that does more than compute.
    """
    try:
        with open_regular(path, most=MOST_BYTES, error=WeightsError, what="the classifier") as file:
            if file.read(4) != b"PK\x03\x04" or count_parts(file) > _MOST_PARTS:
                raise pickle.UnpicklingError("it is no archive of TorchScript")
            with zipfile.ZipFile(file) as archive:
                _look_over(archive)
        with building(_MOST_PARTS, _MOST_ELEMENTS, where=str(path)):
            net = torch.jit.load(str(path), map_location="cpu")
        net.eval()
    except RestoreError:
        raise
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} is refused: {first_line(error)}", hint=_HINT) from None
    except Exception as error:  # zip files, pickles and a compiler, each with errors of its own
        raise WeightsError(
            f"{path} cannot be read: {first_line(error)}",
            hint="expected TorchScript (.pt); a checkpoint needs its code: module:function",
        ) from None
    return Program(net, path)


class Program(nn.Module):
    """A program in front of its first picture: that one is counted, the others are not held up.

    What it is made of is not registered: it is fixed already, and its layers cannot be seen.
    """

    def __init__(self, net: Any, path: Path) -> None:
        super().__init__()
        self._net, self._path, self._tried = [net], path, False

    def forward(self, x: Tensor) -> Tensor:
        if self._tried:
            return self._net[0](x)
        try:
            with building(_MOST_PARTS, _MOST_ELEMENTS + 1000 * x.numel(), where=str(self._path)):
                y = self._net[0](x)
        except RestoreError:
            raise
        except Exception as error:  # its own, in the words of the interpreter
            lines = [line for line in str(error).splitlines() if line.strip()]
            raise WeightsError(
                f"{self._path} does not take pictures of {tuple(x.shape)}: {lines[-1][:200] if lines else error!r}"
            ) from None
        if not isinstance(y, Tensor) or y.ndim != 2 or len(y) != len(x):
            raise WeightsError(f"{self._path}: expected logits (pictures x classes), got {_shape(y)}")
        self._tried = True
        return y


def _shape(y: Any) -> str:
    return str(tuple(y.shape)) if isinstance(y, Tensor) else type(y).__name__


def _look_over(archive: zipfile.ZipFile) -> None:
    """Raises UnpicklingError where a program could do more than compute, or its parts are not what they say."""
    check_archive(archive, packed=lambda name: "/code/" in name)
    names = archive.namelist()
    if not any(name.endswith("/constants.pkl") for name in names):
        raise pickle.UnpicklingError("it holds no program of TorchScript; a checkpoint needs its code")
    for name in names:
        if name.endswith(".py"):
            _check_source(read_part(archive, name).decode("utf-8"))
        elif name.endswith("pkl"):
            data = read_part(archive, name)
            scan_pickle(io.BytesIO(data), names=False)
            if name.endswith(
                ("/data.pkl", "/constants.pkl")
            ):  # of traced inputs torch stores the shapes alone
                _Claims(io.BytesIO(data), archive, name.removesuffix(".pkl")).load()


def _check_source(text: str) -> None:
    if found := _FORBIDDEN.search(text):
        raise pickle.UnpicklingError(f"its program says {found[0]!r}, and a classifier only computes")
    for library in re.findall(r"(?<![.\w])ops\b\W*(\w*)", text):
        if library not in _LIBRARIES:
            raise pickle.UnpicklingError(f"its program calls the library {library!r}")
    # A name that is put together of escapes would not be seen above.
    if re.search(r"(?<![.\w])(torch|ops)\b\s*[^.\s]", text):
        raise pickle.UnpicklingError("its program takes functions by other means than their names")


class _Claims(pickle.Unpickler):
    """Reads a pickle without making anything of it, and compares what tensors claim with the parts they lie in."""

    def __init__(self, file: io.BytesIO, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        return type(name, (_Inert,), {"__module__": module})

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or type(pid[4]) is not int:
            raise pickle.UnpicklingError("it refers to something that is no tensor")
        size = _ITEM.get(getattr(pid[1], "__name__", "").removesuffix("Storage"), 16)
        try:
            held = self._archive.getinfo(f"{self._folder}/{pid[2]}").file_size
        except KeyError:
            raise pickle.UnpicklingError(f"its tensor {str(pid[2])[:40]} is missing") from None
        if not 0 <= pid[4] * size <= held:
            raise pickle.UnpicklingError(f"a tensor claims {pid[4]:,} elements and has {held:,} bytes")
        return _Inert()


class _Inert:
    """Stands for anything in a pickle; takes everything and does nothing."""

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, value: Any) -> None: ...

    def extend(self, values: Any) -> None: ...
