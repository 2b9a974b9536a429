"""Other people's generators: read as numbers, never run."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from restore.errors import WeightsError
from restore.models.generator_files import load_generator
from restore.models.stylegan2 import StyleGAN2
from restore.models.tensor_pickle import read_tensor_pickle
from restore.models.weights import save_weights

CONFIG: dict[str, Any] = {
    "resolution": 32,
    "channels": 3,
    "z_dim": 6,
    "w_dim": 6,
    "mapping_layers": 2,
    "channel_base": 128,
    "channel_max": 8,
}
KERNEL = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


@pytest.fixture
def net() -> StyleGAN2:
    torch.manual_seed(0)
    made = StyleGAN2(**CONFIG)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.2 * torch.randn_like(p))
        made.w_mean.normal_()
    return made.eval().requires_grad_(False)


def same(a: StyleGAN2, b: StyleGAN2) -> bool:
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))
    return torch.allclose(a(z, truncation=0.7), b(z, truncation=0.7), atol=1e-5)


def rosinality(net: StyleGAN2) -> dict[str, Tensor]:
    """The same generator under the names and shapes of rosinality's checkpoints."""
    state, made = net.state_dict(), {}
    parts = {
        "conv.weight": "conv.weight",
        "conv.affine.weight": "conv.modulation.weight",
        "conv.affine.bias": "conv.modulation.bias",
        "noise_strength": "noise.weight",
        "bias": "activate.bias",
    }
    for key, value in state.items():
        head, _, rest = key.partition(".")
        if head == "mapper":
            number, part = rest.split(".")
            made[f"style.{int(number) + 1}.{part}"] = value
        elif head == "constant":
            made["input.input"] = value
        elif head.startswith("noise"):
            made[f"noises.noise_{head[5:]}"] = value
        elif head in ("layers", "to_rgb"):
            number, _, part = rest.partition(".")
            names = (
                ("conv1", f"convs.{int(number) - 1}")
                if head == "layers"
                else ("to_rgb1", f"to_rgbs.{int(number) - 1}")
            )
            place = names[0] if number == "0" else names[1]
            part = part if head == "to_rgb" and part == "bias" else parts[part]
            shaped = value[None] if part == "conv.weight" else value
            shaped = value.view(1, -1, 1, 1) if place.startswith("to_rgb") and part == "bias" else shaped
            made[f"{place}.{part}"] = value.view(1) if part == "noise.weight" else shaped
    made["convs.0.conv.blur.kernel"] = KERNEL * 4
    made["to_rgbs.0.upsample.kernel"] = KERNEL * 4
    return made


def ada_tree(net: StyleGAN2) -> dict[str, Any]:
    """Its tensors as nested networks under the names of stylegan2-ada-pytorch."""
    flat = {"mapping.w_avg": net.w_mean, "synthesis.b4.const": net.constant[0]}
    for key, value in net.state_dict().items():
        head, _, rest = key.partition(".")
        number, _, part = rest.partition(".")
        part = part.replace("conv.affine", "affine").replace("conv.weight", "weight")
        if head == "mapper":
            flat[f"mapping.fc{number}.{part}"] = value
        elif head == "to_rgb":
            flat[f"synthesis.b{4 << int(number)}.torgb.{part}"] = value
        elif head == "layers":
            i = int(number)
            place = f"synthesis.b{4 << (i + 1) // 2}.conv{1 - i % 2}"
            flat[f"{place}.{part}"] = value
            flat[f"{place}.noise_const"] = getattr(net, f"noise{i}")[0, 0]
            flat[f"{place}.resample_filter"] = KERNEL
    return flat


class Stored:
    """Pickles as the original's persistent networks do."""

    def __init__(self, state: dict[str, Any], rebuild: Any) -> None:
        self.state, self.rebuild = state, rebuild

    def __reduce__(self) -> tuple[Any, ...]:
        meta = {"type": "class", "version": 6, "module_src": "raise SystemExit('executed')"}
        return self.rebuild, ({**meta, "class_name": "Generator", "state": self.state},)


@pytest.fixture
def rebuild(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The function that such files name, findable while they are written."""

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
        raise AssertionError("nobody may call this")

    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
    _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_utils", package)
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", module)
    return _reconstruct_persistent_obj


def nested(flat: dict[str, Tensor], rebuild: Any) -> Stored:
    state: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": {}, "training": False}
    inner: dict[str, dict[str, Tensor]] = {}
    for name, value in flat.items():
        head, dot, rest = name.partition(".")
        if dot:
            inner.setdefault(head, {})[rest] = value
        elif head.endswith(("const", "avg", "filter")):
            state["_buffers"][head] = value.clone()
        else:
            state["_parameters"][head] = torch.nn.Parameter(value.clone())
    state["_modules"] = {k: nested(v, rebuild) for k, v in inner.items()}
    return Stored(state, rebuild)


def test_ours(net: StyleGAN2, tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    meta = {"architecture": "stylegan2", "config": CONFIG}
    save_weights(path, net.state_dict(), meta, dtype=torch.float32)
    assert same(load_generator(path)[0], net)
    save_weights(path, {}, {"architecture": "resunet", "config": {"widths": [8], "blocks": [1]}})
    with pytest.raises(WeightsError):
        load_generator(path)


@pytest.mark.parametrize("mean", [True, False])
def test_rosinality(net: StyleGAN2, tmp_path: Path, mean: bool) -> None:
    content = {"g_ema": rosinality(net), "args": argparse.Namespace(size=32)}
    if mean:
        content["latent_avg"] = net.w_mean
    torch.save(content, tmp_path / "g.pt")
    read, header = load_generator(tmp_path / "g.pt")
    assert header["config"] == CONFIG and header["format"] == "rosinality"
    if not mean:
        z = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(5))
        w = net.mapping(z)
        assert ((read.w_mean - w.mean(0)).abs() < 5 * w.std(0) / 100).all()
        net.w_mean.copy_(read.w_mean)
    assert same(read, net)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_ada(net: StyleGAN2, tmp_path: Path, rebuild: Any, protocol: int) -> None:
    content = {"G_ema": nested(ada_tree(net), rebuild), "training_set_kwargs": {"path": "x"}}
    (tmp_path / "g.pkl").write_bytes(pickle.dumps(content, protocol))
    read, header = load_generator(tmp_path / "g.pkl")
    assert header["config"] == CONFIG and same(read, net)


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def test_hostile_files_are_refused(net: StyleGAN2, tmp_path: Path, rebuild: Any) -> None:
    marker = tmp_path / "executed"
    inner = io.BytesIO()
    torch.save(Payload(marker), inner, _use_new_zipfile_serialization=False)

    class InStorage:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    class Reaching:
        """A tensor that claims more than its storage holds."""

        def __reduce__(self) -> tuple[Any, ...]:
            storage = torch.zeros(2).storage()
            return torch._utils._rebuild_tensor_v2, (storage, 0, (4096,), (1,), False, {})

    for name, content in {"plain": Payload(marker), "nested": InStorage(), "reaching": Reaching()}.items():
        for protocol in (0, 2, 4):
            path = tmp_path / f"{name}.pkl"
            path.write_bytes(pickle.dumps({"G_ema": content}, protocol))
            with pytest.raises(WeightsError):
                load_generator(path)
    torch.save({"g_ema": Payload(marker)}, tmp_path / "bad.pt")
    with pytest.raises(WeightsError):
        load_generator(tmp_path / "bad.pt")
    # Changing a callable by BUILD, and a reference outside the file.
    build = b"\x80\x02ctorch._utils\n_rebuild_parameter\n}X\x01\x00\x00\x00aK\x01sb."
    outside = b"\x80\x02X\x01\x00\x00\x00aQ."
    for data in (build, outside, b"", b"not a pickle", pickle.dumps([1] * 50)[:20]):
        (tmp_path / "raw.pkl").write_bytes(data)
        with pytest.raises(WeightsError):
            read_tensor_pickle(tmp_path / "raw.pkl")
    assert not marker.exists()


def test_generators_that_are_something_else(net: StyleGAN2, tmp_path: Path, rebuild: Any) -> None:
    def refused(flat: dict[str, Tensor], why: str) -> None:
        (tmp_path / "g.pkl").write_bytes(pickle.dumps({"G_ema": nested(flat, rebuild)}))
        with pytest.raises(WeightsError, match=why):
            load_generator(tmp_path / "g.pkl")

    flat = ada_tree(net)
    refused({**flat, "mapping.embed.weight": torch.zeros(6, 3)}, "conditional")
    refused({**flat, "synthesis.b8.skip.weight": torch.zeros(8, 8, 1, 1)}, "unknown entry")
    refused({k: v for k, v in flat.items() if "b8.conv1.weight" not in k}, "Missing key")
    refused({**flat, "synthesis.b8.conv0.resample_filter": torch.ones(4, 4)}, "low-pass filter")
    torch.save({"g": {}}, tmp_path / "g.pt")
    with pytest.raises(WeightsError, match="expected an entry g_ema"):
        load_generator(tmp_path / "g.pt")
    with pytest.raises(WeightsError, match="cannot read"):
        load_generator(tmp_path / "none.pkl")
