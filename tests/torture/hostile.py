"""Files that want memory, time or a shell: each is refused in words, within 5 s of the processor and 1 GiB.

PYTHONPATH=tests python -m torture.hostile
"""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

SECONDS, MEMORY = 5.0, 1 << 30
# A picture of 4 x 4 pixels behind 100 MB of zeros: reading it within the limits is as right as refusing it.
MAY_BE_TAKEN = ("zeros.png",)


class Shell:
    """Unpickled, it would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.mark}'",)


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _tiff(*entries: tuple[int, int, int, int], order: str = "<") -> bytes:
    """One directory and nothing else: (tag, type, count, value)."""
    body = b"".join(struct.pack(f"{order}HHII", *e) for e in entries)
    return b"II*\0" + struct.pack(f"{order}IH", 8, len(entries)) + body + bytes(4)


def _tensors(header: object, body: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def _stored(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    """Pictures whose headers say more than their bytes can hold."""
    claims = [(256, 4, 1, 19000), (257, 4, 1, 19000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
              (273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, 19000), (279, 4, 1, 4)]  # fmt: skip
    endless = _tiff((256, 4, 1, 64))
    return {
        "claims.png": _png(19000, 19000, zlib.compress(bytes(1000))),
        "zeros.png": _png(4, 4, zlib.compress(bytes(100 << 20), 1)),
        "no-data.png": _png(64, 64, b""),
        "claims.tif": _tiff(*claims) + bytes(100),
        "claims.bmp": b"BM"
        + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 19000, 19000, 1, 24, 0, 0, 0, 0, 0, 0),
        "claims.ppm": b"P6 19000 19000 255\n" + bytes(100),
        "claims.gif": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b";",
        "loop.tif": endless[:-4] + struct.pack("<I", 8),
        "empty.jpg": b"",
        "marker.jpg": b"\xff\xd8\xff",
    }


def weights(mark: Path) -> dict[str, bytes]:
    """Weight files that run, lie or never end."""
    ours = {"schema": 1, "architecture": "resunet"}

    def meta(config: object) -> bytes:
        about = {"__metadata__": {"restore": json.dumps({**ours, "config": config})}}
        return _tensors({**about, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4))

    cycle: list[Any] = []
    cycle.append(cycle)
    return {
        "shell.pth": pickle.dumps({"a": Shell(mark)}),
        "shell-zip.pth": _stored({"params": Shell(mark)}),
        "shell.safetensors": pickle.dumps(Shell(mark)),
        "cycle.pth": pickle.dumps(cycle),
        "huge-header.safetensors": _tensors(b"{}", size=2**63 - 1),
        "huge-shape.safetensors": _tensors(
            {"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}}, b"1234"
        ),
        "deep.safetensors": _tensors({"__metadata__": {"restore": "[" * 100_000 + "]" * 100_000}}),
        "layers.safetensors": meta({"widths": [8] * 20, "blocks": [40_000_000] * 20}),
        "list.safetensors": meta([1, 2]),
        "words.safetensors": meta({"widths": "many"}),
        "empty.pth": b"",
    }


def outcome(action: Callable[[], object]) -> str:
    """``refused: ...``, ``taken``, or what went wrong, of an action in a limited child."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        said = "crash"
        try:
            held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS) + 1))
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            from restore.errors import RestoreError

            try:
                action()
                said = "taken"
            except RestoreError as error:
                said = f"refused: {error.message}"
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
        finally:
            os.write(writes, said[:400].encode("utf-8", "replace"))
            os._exit(0)
    os.close(writes)
    _, status = os.waitpid(child, 0)
    said = os.read(reads, 1000).decode("utf-8", "replace")
    os.close(reads)
    return said or f"ended by signal {-os.waitstatus_to_exitcode(status)}"


def try_all(only: Sequence[str] = ()) -> dict[str, str]:
    """What became of each file; all should be refused.

    Args:
        only: names of some of them; none: all.
    """
    import restore.files.decode
    import restore.restorers  # noqa: F401  # before children are forked

    torch.set_num_threads(1)
    told: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder, mark = Path(name), Path(name) / "mark"
        images = pictures()
        for file, data in {**images, **weights(mark)}.items():
            if only and file not in only:
                continue
            path = folder / file
            path.write_bytes(data)
            is_picture = file in images
            told[file] = outcome(lambda p=path, q=is_picture: _open(p, q))  # type: ignore[misc]
            if mark.exists():
                told[file] = "ran code"
                mark.unlink()
    return told


def is_right(file: str, said: str) -> bool:
    """Whether that is what should become of it."""
    return said.startswith("refused") or (said == "taken" and file in MAY_BE_TAKEN)


def _open(path: Path, is_picture: bool) -> object:
    import restore
    from restore.files import read_picture

    return read_picture(path) if is_picture else restore.load(str(path), device="cpu")


def main() -> int:
    told = try_all()
    bad = {k: v for k, v in told.items() if not is_right(k, v)}
    for file, said in told.items():
        print(f"{file}: {said[:150]}")
    print(f"{len(told)} hostile files, {len(bad)} findings")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
