"""Generators out of files: ours (``.safetensors``), rosinality's ``.pt``, stylegan2-ada-pytorch's ``.pkl``.

Both foreign formats hold the published architecture under other names. Nothing in a file is executed; what does not
fit is refused with the reason. The published networks were trained by others under their own licences.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restore.errors import UsageError, WeightsError
from restore.models.budget import building
from restore.models.registry import Shipped, load_file, weights_path
from restore.models.safetensors_file import check_finite
from restore.models.stylegan2 import BASE, StyleGAN2
from restore.models.stylegan2_layers import TAPS
from restore.models.tensor_pickle import Record, read_tensor_pickle
from restore.models.torch_file import read_torch_file
from restore.models.weights import first_line, load_into

# Codes averaged where a file does not hold their mean.
MEAN_CODES = 100_000
# Parameters of the published mappers, twice as many as of eight layers of 512.
_USUAL_MAPPER = 4_200_000

# Generators of the zoo; not among the registry's shipped models, which restore pictures.
GENERATORS: dict[str, Shipped] = {
    "fashion": Shipped(
        "generate",
        "3bf3bb38339c0840b127b31c98707aec33c23b2944e7e9e3aa0f5cf5338bdad0",
        "clothes at 32 x 32, grey; for inversion",
    ),
}

State = dict[str, Tensor]


def load_generator(path: Path) -> tuple[StyleGAN2, dict[str, Any]]:
    """The generator in a file, in eval mode, frozen; and a header that says where it is from.

    Raises:
        WeightsError: missing, damaged, of another kind, conditional, or with layers that are not StyleGAN2's.
    """
    ending = path.suffix.lower()
    if ending in (".pt", ".pth", ".pkl"):
        source, kind = (
            (_from_ada, "stylegan2-ada-pytorch") if ending == ".pkl" else (_from_rosinality, "rosinality")
        )
        try:
            return _finish(source(path), path, kind)
        except (
            RuntimeError,
            ValueError,
            IndexError,
            TypeError,
        ) as error:  # tensors of shapes that fit nowhere
            raise WeightsError(
                f"{path}: its tensors are not those of StyleGAN2 ({first_line(error)})",
                hint="is it complete?",
            ) from error
    net, header = load_file(path)
    if not isinstance(net, StyleGAN2):
        raise WeightsError(f"{path} holds {header.get('architecture')!r}, expected a generator (stylegan2)")
    return net, header


def shipped_generator(name: str = "fashion") -> tuple[StyleGAN2, dict[str, Any]]:
    """A generator that comes with the package, checked against its SHA-256.

    Raises:
        UsageError: this version comes without it.
        WeightsError: damaged weights.
    """
    if name not in GENERATORS:
        raise UsageError(
            f"no generator {name!r} is shipped with this version",
            hint=f"--generator FILE; `restore train {name} --data PICTURES --out RUN` makes one",
        )
    net, header = load_file(weights_path(name), sha256=GENERATORS[name].sha256)
    assert isinstance(net, StyleGAN2)
    return net, header


def _finish(state: State, path: Path, kind: str) -> tuple[StyleGAN2, dict[str, Any]]:
    config = _configuration(state, path)
    with building(len(state), sum(t.numel() for t in state.values()), where=str(path)):
        net = StyleGAN2(**config)
    known = "w_mean" in state
    check_finite(state, where=str(path))
    load_into(net, {**({} if known else {"w_mean": net.w_mean}), **state}, where=str(path))
    net = net.eval().requires_grad_(False)
    if not known:
        net.w_mean.copy_(_mean_code(net))
    return net, {"name": path.stem, "architecture": "stylegan2", "config": config, "format": kind}


def _from_rosinality(path: Path) -> State:
    content = read_torch_file(path)
    if not isinstance(content, dict) or not isinstance(content.get("g_ema"), dict):
        raise WeightsError(
            f"{path}: expected an entry g_ema", hint="a checkpoint of rosinality/stylegan2-pytorch"
        )
    source = {k: v for k, v in content["g_ema"].items() if isinstance(k, str) and isinstance(v, Tensor)}
    state: State = {}
    for name, value in source.items():
        if name.endswith(".kernel"):
            _check_filter(value, path)
            continue
        new = _rosinality_name(name)
        if new is None:
            raise WeightsError(f"{path}: unknown entry {name!r} in g_ema")
        state[new] = _shaped(new, value.float())
    if isinstance(content.get("latent_avg"), Tensor):
        state["w_mean"] = content["latent_avg"].float().reshape(-1)
    return state


def _rosinality_name(name: str) -> str | None:
    rules = (
        (r"style\.(\d+)\.(weight|bias)", lambda m: f"mapper.{int(m[1]) - 1}.{m[2]}"),
        (r"input\.input", lambda m: "constant"),
        (r"noises\.noise_(\d+)", lambda m: f"noise{m[1]}"),
        (r"conv1\.(.+)", lambda m: _layer("layers.0", m[1])),
        (r"convs\.(\d+)\.(.+)", lambda m: _layer(f"layers.{int(m[1]) + 1}", m[2])),
        (r"to_rgb1\.(.+)", lambda m: _layer("to_rgb.0", m[1])),
        (r"to_rgbs\.(\d+)\.(.+)", lambda m: _layer(f"to_rgb.{int(m[1]) + 1}", m[2])),
    )
    for pattern, rename in rules:
        match = re.fullmatch(pattern, name)
        if match:
            return rename(match)
    return None


_PARTS = {
    "conv.weight": "conv.weight",
    "conv.modulation.weight": "conv.affine.weight",
    "conv.modulation.bias": "conv.affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
    # ADA
    "weight": "conv.weight",
    "affine.weight": "conv.affine.weight",
    "affine.bias": "conv.affine.bias",
    "noise_strength": "noise_strength",
}


def _layer(place: str, part: str) -> str | None:
    return f"{place}.{_PARTS[part]}" if part in _PARTS else None


def _from_ada(path: Path) -> State:
    content = read_tensor_pickle(path)
    record = content.get("G_ema") if isinstance(content, dict) else None
    if not isinstance(record, Record):
        raise WeightsError(
            f"{path}: expected a stored network G_ema",
            hint="a network of stylegan2-ada-pytorch; TensorFlow pickles are another format",
        )
    try:
        source = record.tensors()
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} is not read: {error}") from error
    if "mapping.embed.weight" in source:
        raise WeightsError(
            f"{path} is conditional (its codes depend on a class)", hint="unconditional ones only"
        )
    state: State = {}
    for name, value in source.items():
        if name.endswith("resample_filter"):
            _check_filter(value, path)
            continue
        new = _ada_name(name)
        if new is None:
            raise WeightsError(f"{path}: unknown entry {name!r}", hint="expected the skip architecture")
        state[new] = _shaped(new, value)
    return state


def _ada_name(name: str) -> str | None:
    if name == "mapping.w_avg":
        return "w_mean"
    if name == "synthesis.b4.const":
        return "constant"
    match = re.fullmatch(r"mapping\.fc(\d+)\.(weight|bias)", name)
    if match:
        return f"mapper.{match[1]}.{match[2]}"
    match = re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.+)", name)
    if match is None:
        return None
    level = int(match[1]).bit_length() - BASE.bit_length()
    if match[2] == "torgb":
        return _layer(f"to_rgb.{level}", match[3])
    layer = 2 * level - (match[2] == "conv0")
    return f"noise{layer}" if match[3] == "noise_const" else _layer(f"layers.{layer}", match[3])


def _shaped(name: str, value: Tensor) -> Tensor:
    """Both formats write some tensors with other axes of length one."""
    if name == "constant":
        return value.reshape(1, *value.shape[-3:])
    if re.fullmatch(r"noise\d+", name):
        return value.reshape(1, 1, *value.shape[-2:])
    if name.endswith("noise_strength"):
        return value.reshape(())
    if name.endswith("conv.weight"):
        return value.reshape(value.shape[-4:])
    return value.reshape(-1) if name.endswith("bias") else value


def _configuration(state: Mapping[str, Tensor], path: Path) -> dict[str, Any]:
    """What the shapes say."""
    try:
        levels = 1 + _last(state, "to_rgb")
        depth = 1 + _last(state, "mapper")
        wide = {BASE << i: len(state[f"layers.{2 * i}.bias"]) for i in range(levels)}
        first = state["mapper.0.weight"]
        channels = len(state["to_rgb.0.bias"])
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{path}: an entry of the generator is missing ({error})") from error
    side, most = BASE << (levels - 1), max(wide.values())
    config = {
        "resolution": side,
        "channels": channels,
        "z_dim": first.shape[1],
        "w_dim": first.shape[0],
        "mapping_layers": depth,
        "channel_base": wide[side] * side,
        "channel_max": most,
    }
    if channels not in (1, 3) or any(n != min(wide[side] * side // s, most) for s, n in wide.items()):
        raise WeightsError(f"{path}: channels {wide} at the sides are not those of StyleGAN2")
    return config


def _last(state: Mapping[str, Tensor], group: str) -> int:
    """The largest number behind ``group`` in a name, where there are as many names.

    Raises:
        ValueError: no such name, or numbers that names are missing below.
    """
    found = {int(name.split(".")[1]) for name in state if name.startswith(f"{group}.")}
    if max(found) >= len(found):
        raise ValueError(f"{group}.{max(found)} among {len(found)}")
    return max(found)


def _check_filter(kernel: Tensor, path: Path) -> None:
    taps = torch.tensor(TAPS)
    expected = torch.outer(taps, taps) / taps.sum() ** 2
    if kernel.shape != expected.shape or not torch.allclose(kernel / kernel.sum(), expected, atol=1e-5):
        raise WeightsError(f"{path}: its low-pass filter is not {TAPS}")


@torch.inference_mode()
def _mean_code(net: StyleGAN2) -> Tensor:
    g = torch.Generator().manual_seed(0)
    total = torch.zeros(net.w_dim, dtype=torch.float64)
    # Fewer of a network that is much larger than those that were published: the mean is a start, not a result.
    most = sum(p.numel() for p in net.mapper.parameters())
    count = min(MEAN_CODES, max(1000, MEAN_CODES * _USUAL_MAPPER // most // 1000 * 1000))
    for _ in range(count // 1000):
        total += net.mapping(torch.randn(1000, net.z_dim, generator=g)).double().sum(0)
    return (total / count).float()
