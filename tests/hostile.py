"""Files made to hang, to exhaust memory, or to run code."""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Runs:
    """A pickle that makes a file when it is opened carelessly."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.sign}",))


def safetensors(header: Any, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(kind: str, shape: list[Any], *place: int) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": list(place)}


def ours(config: Any, state: dict[str, torch.Tensor], **more: Any) -> bytes:
    """A weight file as ``restore train`` writes them, with a header of one's own."""
    from safetensors.torch import save

    about = {
        "schema": 1,
        "architecture": "resunet",
        "config": config,
        "task": "denoise",
        "conditions": ["sigma"],
    }
    return save(state, metadata={"restore": json.dumps({**about, **more})})


def headers(folder: Path) -> list[Path]:
    """Safetensors files whose header lies, of somebody's and of ours."""
    made: dict[str, bytes] = {
        "length": safetensors(b"{}", length=(1 << 63) - 1),
        "large": safetensors(b'{"__metadata__":{"a":"' + b"x" * 20_000_000 + b'"}}'),
        "deep": safetensors(b"[" * 100_000),
        "deep-inside": safetensors({"__metadata__": {"restore": "[" * 100_000}}),
        "list": safetensors([1, 2]),
        "twice": safetensors(
            b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            b'"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            b"1",
        ),
        "overlap": safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, b"123"),
        "gap": safetensors({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 2, 3)}, b"123"),
        "beyond": safetensors({"a": tensor("U8", [9], 0, 9)}, b"123"),
        "huge": safetensors({"a": tensor("F32", [1 << 40], 0, 4)}, b"1234"),
        "overflow": safetensors({"a": tensor("F32", [1 << 32, 1 << 32, 4], 0, 0)}),
        "negative": safetensors({"a": tensor("F32", [-1, -1], 0, 4)}, b"1234"),
        "fraction": safetensors({"a": tensor("F32", [1.0], 0, 4)}, b"1234"),
        "kind": safetensors({"a": tensor("F8_E5M2", [4], 0, 4)}, b"1234"),
        "kind-list": safetensors({"a": {**tensor("F32", [1], 0, 4), "dtype": ["F32"]}}, b"1234"),
        "metadata": safetensors({"__metadata__": {"restore": 5}}),
        "nothing": b"",
    }
    return _written(folder, ".safetensors", made)


def configurations(folder: Path, config: dict[str, Any], state: dict[str, torch.Tensor]) -> list[Path]:
    """Weight files of ours with good tensors and a header that does not belong to them, or the other way round."""
    spoilt = {key: value.clone() for key, value in state.items()}
    next(iter(spoilt.values())).view(-1)[0] = float("nan")
    made = {
        "good": ours(config, state),
        "wide": ours({**config, "widths": [20_000] * 3}, state),
        "channels": ours({**config, "widths": [10**9] * 3}, state),
        "long": ours({**config, "blocks": [1_000_000] * 3}, state),
        "infinite": ours({**config, "blocks": [float("inf")] * 3}, state),
        "negative": ours({**config, "widths": [-1, -2, -3]}, state),
        "zero": ours({**config, "widths": [0, 0, 0]}, state),
        "words": ours({key: "x" for key in config}, state),
        "none": ours(dict.fromkeys(config), state),
        "unknown": ours({**config, "evil": 1}, state),
        "config-list": ours([1, 2, 3], state),
        "config-none": ours(None, state),
        "arch-list": ours(config, state, architecture=["resunet"]),
        "arch": ours(config, state, architecture="nothing"),
        "task": ours(config, state, task="<img src=x onerror=alert(1)>"),
        "task-list": ours(config, state, task=["denoise"]),
        "conditions": ours(config, state, conditions=5),
        "more-conditions": ours(config, state, conditions=["sigma", "quality"]),
        "schema": ours(config, state, schema=[1]),
        "nan": ours(config, spoilt),
        "infinity": ours(config, {key: torch.full_like(value, float("inf")) for key, value in state.items()}),
    }
    return _written(folder, ".safetensors", made)


def pickles(folder: Path, sign: Path) -> list[Path]:
    """Checkpoints of torch that claim, repeat, nest or run."""
    long, shared = torch.zeros(1).expand(1 << 16, 1 << 14), torch.zeros(64, 64, 3, 3)
    first = {
        "body.0.weight": torch.zeros(64, 3, 3, 3),
        "body.0.bias": torch.zeros(64),
        "body.1.weight": torch.zeros(64),
    }
    many = {f"body.{2 * i}.weight": shared for i in range(1, 3000)}
    doubled: dict[str, Any] = {"x": torch.zeros(1)}
    for _ in range(60):
        doubled = {"a": doubled, "b": doubled}
    cyclic: dict[str, Any] = {"x": torch.zeros(1)}
    cyclic["again"] = cyclic
    contents = {
        "stride0": {"params": {"conv_first.weight": long}},
        "shared": {"params": first | many},
        "layers": {"params": first | {"body.40000000.weight": torch.zeros(48, 64, 3, 3)}},
        "digits": {"params": first | {f"body.{'9' * 5000}.weight": torch.zeros(1)}},
        "doubled": doubled,
        "cyclic": cyclic,
        "keys": {1: torch.zeros(1), (1, 2): torch.zeros(1)},
        "runs": {"params": Runs(sign)},
        "bytes": {"params": bytearray(100)},
        "meta": {"params": {"a": torch.zeros(3, device="meta")}},
        "sparse": {"params": {"a": torch.eye(3).to_sparse()}},
    }
    made = []
    for name, content in contents.items():
        for legacy in (False, True):
            path = folder / f"{name}{'-legacy' * legacy}.pth"
            torch.save(content, path, _use_new_zipfile_serialization=not legacy)
            made.append(path)
    head = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    texts = {
        "plain-runs": pickle.dumps({"a": Runs(sign)}, protocol=2),
        "plain-runs-4": pickle.dumps({"a": Runs(sign)}, protocol=4),
        "memo": head + b"\x80\x02Nr" + struct.pack("<I", 1 << 30) + b".",
        "hash": head + b"\x80\x02}" + _doubling(60) + b"Ns.",
        "deep": head + b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".",
        "length": head + b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
        "bytearray": head + b"\x80\x02c__builtin__\nbytearray\n(J\xff\xff\xff\x7ftR.",
        "extension": head + b"\x80\x02\x82\x01.",
        "nothing": b"",
    }
    return made + _written(folder, ".pth", texts)


def _doubling(times: int) -> bytes:
    """A tuple that holds itself twice, so often: a few bytes whose hash takes for ever."""
    return b")" + b"".join(b"2\x86" for _ in range(times))


def archives(folder: Path, sign: Path) -> list[Path]:
    """Zip files that are larger inside, or hold more than tensors."""
    source = folder / "source.tmp"
    torch.save({"params": {"a.weight": torch.zeros(1 << 22)}}, source)
    made = []
    for name, packing in (("packed", zipfile.ZIP_DEFLATED), ("twice", zipfile.ZIP_STORED)):
        made.append(folder / f"{name}.pth")
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(made[-1], "w", packing) as new:
            for entry in old.namelist() * (2 if name == "twice" else 1):
                new.writestr(entry, old.read(entry))
    source.unlink()
    script = folder / "script.pth"
    torch.jit.script(torch.nn.Conv2d(3, 3, 3)).save(str(script))
    many = folder / "parts.pth"
    with zipfile.ZipFile(many, "w") as new:
        for i in range(2000):
            new.writestr(f"archive/data/{i}", b"")
        new.writestr("archive/data.pkl", pickle.dumps({"a": Runs(sign)}, protocol=2))
    return [*made, script, many]


def places(folder: Path, ending: str) -> list[Path]:
    """What is no file: a pipe, a device, a socket, a folder, links to them and to themselves."""
    made = {name: folder / f"{name}{ending}" for name in ("pipe", "zero", "loop", "folder", "socket", "gone")}
    os.mkfifo(made["pipe"])
    made["zero"].symlink_to("/dev/zero")
    made["loop"].symlink_to(made["loop"].name)
    made["folder"].mkdir()
    place = os.open(folder, os.O_RDONLY)
    try:  # a socket's whole path may be no longer than some hundred bytes
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(f"/proc/self/fd/{place}/socket{ending}")
    finally:
        os.close(place)
    return list(made.values())


def ada_pickles(folder: Path, sign: Path) -> list[Path]:
    """Generators in pickles: networks that hold themselves, and tensors larger than their numbers."""
    start, record = b"\x80\x02", b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
    text = struct.Struct("<I")

    def word(value: bytes) -> bytes:
        return b"X" + text.pack(len(value)) + value

    cyclic = (
        start
        + b"}q\x010"
        + record
        + b"}("
        + word(b"class_name")
        + word(b"G")
        + word(b"state")
        + b"h\x01u\x85Rq\x020"
        b"h\x01" + word(b"_modules") + b"}" + word(b"a") + b"h\x02ss0}" + word(b"G_ema") + b"h\x02s."
    )
    storage = io.BytesIO()
    torch.save(torch.zeros(1).storage(), storage, _use_new_zipfile_serialization=False)
    data = storage.getvalue()
    wide = (
        b"\x80\x03" + record + b"}(" + word(b"class_name") + word(b"G") + word(b"state") + b"}" + word(b"_parameters")
        + b"}" + word(b"synthesis.b4.const") + b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n"
        + b"B" + text.pack(len(data)) + data + b"\x85RK\x00J" + struct.pack("<i", 1 << 14) + b"J"
        + struct.pack("<i", 1 << 15) + b"\x86K\x00K\x00\x86\x89}tRssu\x85Rq\x020}" + word(b"G_ema") + b"h\x02s."
    )  # fmt: skip
    made = {
        "cyclic": cyclic,
        "wide": wide,
        "memo": b"\x80\x02Nr" + text.pack(1 << 27) + b".",
        "length": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
        "deep": b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".",
        "hash": b"\x80\x02}" + _doubling(60) + b"Ns.",
        "runs": pickle.dumps({"G_ema": Runs(sign)}),
        "nothing": b"",
    }
    return _written(folder, ".pkl", made)


def generators(folder: Path) -> list[Path]:
    """Checkpoints of rosinality's whose names count more layers than there are."""
    first = {
        "style.1.weight": torch.zeros(8, 8), "style.1.bias": torch.zeros(8), "to_rgb1.bias": torch.zeros(1, 3, 1, 1),
        "conv1.activate.bias": torch.zeros(8), "input.input": torch.zeros(1, 8, 4, 4),
    }  # fmt: skip
    contents: dict[str, Any] = {
        "layers": {**first, "style.200000000.weight": torch.zeros(1)},
        "levels": {**first, "to_rgbs.100000000.bias": torch.zeros(1)},
        "wide": {**first, "style.1.weight": torch.zeros(1, 1).expand(30_000, 30_000)},
        "shape": {**first, "style.1.weight": torch.zeros(3)},
        "small": first,
        "numbers": {1: torch.zeros(1)},
        "empty": {},
    }
    made = []
    for name, content in contents.items():
        made.append(folder / f"{name}.pt")
        torch.save({"g_ema": content}, made[-1])
    return made


def arrays(folder: Path, sign: Path) -> list[Path]:
    """Files of numpy that are none, or whose header lies."""
    head = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    np.lib.format.write_array_header_1_0(head, shape)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", head.getvalue() + bytes(1 << 22))
    objects = io.BytesIO()
    np.save(objects, np.array([[Runs(sign)]], dtype=object), allow_pickle=True)
    words = io.BytesIO()
    np.save(words, np.array([["a"]]))
    made = {
        "huge": head.getvalue() + bytes(80),
        "packed": packed.getvalue(),
        "objects": objects.getvalue(),
        "words": words.getvalue(),
        "header": b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((",
        "nothing": b"",
    }
    return _written(folder, ".npy", made)


def _written(folder: Path, ending: str, made: dict[str, bytes]) -> list[Path]:
    paths = []
    for name, data in made.items():
        paths.append(folder / f"{name}{ending}")
        paths[-1].write_bytes(data)
    return paths


class _Saves(torch.nn.Module):
    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, self.place)  # TorchScript has it, and it writes where it is told to
        return x.mean((2, 3))


class _Maps(_Saves):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) + torch.from_file(self.place, True, 3)


class _Loops(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        i = 0
        while i >= 0:
            i = 0
        return x.mean((2, 3))


class _Fills(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) + torch.ones(50_000, 50_000).mean()


class _Logits(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def programs(folder: Path, sign: Path) -> list[Path]:
    """Classifiers in TorchScript that do more than compute, and one that only computes ("good")."""
    made = []
    nets = {"saves": _Saves(str(sign)), "maps": _Maps(str(sign)), "loops": _Loops(), "fills": _Fills()}
    for name, net in {**nets, "good": _Logits()}.items():
        made.append(folder / f"{name}.pt")
        torch.jit.script(net).save(str(made[-1]))
    bomb = folder / "packed.pt"
    with zipfile.ZipFile(made[-1]) as old, zipfile.ZipFile(bomb, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, old.read(entry))
        new.writestr("good/code/more.py", b" " * (300 << 20), zipfile.ZIP_DEFLATED, 1)
    memo = folder / "memo.pt"
    with zipfile.ZipFile(made[-1]) as old, zipfile.ZipFile(memo, "w") as new:
        for entry in old.infolist():
            lies = entry.filename.endswith("/data.pkl")
            new.writestr(
                entry, b"\x80\x02Nr" + struct.pack("<I", 1 << 30) + b"." if lies else old.read(entry)
            )
    return [*made, bomb, memo]


def exported(folder: Path, sign: Path) -> list[Path]:
    """Files of ``torch.export``, which torch opens with a reader that runs what it is told."""
    good = folder / "exported.pt2"
    torch.export.save(torch.export.export(_Logits(), (torch.rand(1, 3, 8, 8),)), str(good))
    evil = folder / "evil.pt2"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(evil, "w") as new:
        for entry in old.infolist():
            hit = "sample_inputs" in entry.filename
            new.writestr(entry, pickle.dumps(Runs(sign), protocol=2) if hit else old.read(entry))
    renamed = folder / "renamed.pt"
    renamed.write_bytes(evil.read_bytes())
    return [good, evil, renamed]


def graphs(folder: Path) -> list[Path]:
    """Classifiers in ONNX that fill memory, loop, or lie in other files, and one that only computes ("good")."""
    from onnx import TensorProto, helper, numpy_helper

    def graph(*nodes: Any, constants: tuple[Any, ...] = (), domains: tuple[str, ...] = ("",)) -> Any:
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, "h", "w"])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 3])
        first = [
            helper.make_node("GlobalAveragePool", ["x"], ["g"]),
            helper.make_node("Flatten", ["g"], ["f"]),
        ]
        made = helper.make_graph([*first, *nodes], "g", [x], [y], initializer=list(constants))
        opsets = [helper.make_opsetid(domain, 17) for domain in domains]
        return helper.make_model(made, opset_imports=opsets, ir_version=8)

    size = numpy_helper.from_array(np.array([1 << 34], np.int64), "n")
    one = numpy_helper.from_array(np.ones(3, np.float32), "one")
    fills = graph(
        helper.make_node("ConstantOfShape", ["n"], ["z"]), helper.make_node("ReduceSum", ["z"], ["r"], keepdims=0),
        helper.make_node("Add", ["f", "r"], ["y"]), constants=(size,),
    )  # fmt: skip
    outside = numpy_helper.from_array(np.ones(3, np.float32), "one")
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="/etc/passwd")
    i, go = (
        helper.make_tensor_value_info(n, kind, [])
        for n, kind in (("i", TensorProto.INT64), ("c", TensorProto.BOOL))
    )
    value = helper.make_tensor_value_info("v", TensorProto.FLOAT, None)
    after = helper.make_tensor_value_info("v2", TensorProto.FLOAT, None)
    kept = helper.make_tensor_value_info("c2", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Neg", ["v"], ["v2"])], "b",
        [i, go, value], [kept, after],
    )  # fmt: skip
    times = numpy_helper.from_array(np.array(1 << 62, np.int64), "n")
    made = {
        "good": graph(helper.make_node("Add", ["f", "one"], ["y"]), constants=(one,)),
        "fills": fills,
        "outside": graph(helper.make_node("Add", ["f", "one"], ["y"]), constants=(outside,)),
        "loops": graph(helper.make_node("Loop", ["n", "", "f"], ["y"], body=body), constants=(times,)),
        "foreign": graph(helper.make_node("Own", ["f"], ["y"], domain="own"), domains=("", "own")),
    }
    texts = {name: model.SerializeToString() for name, model in made.items()}
    return _written(
        folder, ".onnx", {**texts, "nothing": b"", "noise": bytes(range(256)) * 9, "nested": b"\x3a\x80" * 99}
    )
