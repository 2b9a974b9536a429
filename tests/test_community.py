"""Anybody's weights: recognised, run in windows, and refused in words when they are hostile or broken."""

from __future__ import annotations

import builtins
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.NAFNet import NAFNet

import restore
from restore.bench import run_bench
from restore.errors import UsageError, WeightsError
from restore.models.community import load_community, read_state
from restore.tiling import window_side
from restore.tools.run import restorer_name


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as Real-ESRGAN's: x2, the weights below ``params_ema``."""
    torch.manual_seed(0)
    net = Compact(num_feat=8, num_conv=3, upscale=2)
    path = tmp_path_factory.mktemp("weights") / "compact.pth"
    torch.save({"params_ema": net.state_dict()}, path)
    return path


def save_net(path: Path, net: torch.nn.Module) -> Path:
    if path.suffix == ".safetensors":
        save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path)
    return path


def test_equals_spandrel_and_itself_in_windows(compact: Path, photo_tensor: torch.Tensor) -> None:
    x = photo_tensor[..., :150, :190]
    theirs = ModelLoader().load_from_file(compact)(x)
    net = restore.load(str(compact), device="cpu")
    assert (net.spec.scale, net.spec.kind, net.spec.precision, net.spec.radius) == (2, "community", "fp32", 5)
    whole = net(x)
    assert torch.allclose(whole.clamp(0, 1), theirs, atol=1e-5)
    assert torch.allclose(restore.load(str(compact), device="cpu", tile=48)(x), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "net", "scale"),
    [
        (
            "nafnet.safetensors",
            NAFNet(width=8, enc_blk_nums=[1, 1], middle_blk_num=1, dec_blk_nums=[1, 1]),
            1,
        ),
        ("rrdb.pt", ESRGAN(num_filters=8, num_blocks=1, scale=4), 4),
        ("grey.ckpt", DnCNN(in_nc=1, out_nc=1, nc=8, nb=17, act_mode="R"), 1),
    ],
)
def test_any_architecture_any_size_any_kind_of_picture(
    tmp_path: Path, photo: np.ndarray, name: str, net: torch.nn.Module, scale: int
) -> None:
    restorer = restore.load(str(save_net(tmp_path / name, net)), device="cpu", tile=32)
    for part in (photo[:45, :70], photo[:33, :1], photo[:40, :40, 0]):
        out = restorer(np.ascontiguousarray(part))
        assert out.shape == (part.shape[0] * scale, part.shape[1] * scale, *part.shape[2:])
        assert out.dtype == np.uint8


def test_windows_keep_what_the_architecture_asks_for(tmp_path: Path) -> None:
    _, face = load_community(
        save_net(tmp_path / "n.pth", NAFNet(width=8, enc_blk_nums=[1] * 4, dec_blk_nums=[1] * 4))
    )
    assert face.multiple == 64 and face.radius == 64 and face.tiling == "supported"
    assert window_side("supported", None) is None and window_side("supported", 256) == 256
    assert window_side("discouraged", 256) == 256
    for tiling, tile in (("discouraged", None), ("internal", None), ("internal", 256)):
        side = window_side(tiling, tile)
        assert side is not None and side > 10**6


def test_lets_gradients_pass(compact: Path) -> None:
    x = torch.rand(1, 3, 12, 12, requires_grad=True)
    restore.load(str(compact), device="cpu").as_module()(x).sum().backward()
    assert x.grad is not None and bool(x.grad.abs().sum() > 0)


class Runs:
    """A pickle that writes a file when it is opened carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("kind", ["zip", "plain", "legacy", "nested"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path: Path, kind: str) -> None:
    sign, path = tmp_path / "sign", tmp_path / "hostile.pth"
    if kind == "plain":
        path.write_bytes(pickle.dumps({"body.0.weight": Runs(sign)}))
    else:
        content = {"params": {"x": Runs(sign)}} if kind == "nested" else {"body.0.weight": Runs(sign)}
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(WeightsError, match="refused"):
        restore.load(str(path))
    assert not sign.exists()
    torch.load(path, weights_only=False) if kind != "plain" else pickle.loads(path.read_bytes())
    assert sign.exists()  # the same file does run when it is opened carelessly


def test_other_files_are_refused_in_words(tmp_path: Path, compact: Path) -> None:
    whole = compact.read_bytes()
    files: dict[str, Any] = {
        "cut.pth": whole[: len(whole) // 2],
        "noise.pth": bytes(range(256)) * 40,
        "empty.safetensors": b"",
        "empty.pth": b"",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    torch.save(torch.zeros(3), tmp_path / "list.pth")
    torch.save({"someones.weight": torch.zeros(3, 3)}, tmp_path / "unknown.pth")
    state = Compact(num_feat=8, num_conv=3, upscale=2).state_dict()
    torch.save({k: v for k, v in state.items() if k != "body.2.weight"}, tmp_path / "missing.pth")
    huge = {**state, "body.0.weight": torch.zeros(1).expand(60000, 3, 3, 3)}
    torch.save(huge, tmp_path / "huge.pth")
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 3, 3)), tmp_path / "program.pt")
    with zipfile.ZipFile(compact) as old, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry), zipfile.ZIP_DEFLATED)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(WeightsError) as caught:
            restore.load(str(path))
        assert path.name in str(caught.value), path
    with pytest.raises(WeightsError, match="claims"):
        read_state(tmp_path / "huge.pth")
    with pytest.raises(WeightsError, match="a program"):
        read_state(tmp_path / "program.pt")
    with pytest.raises(WeightsError, match=r"someones\.weight"):
        restore.load(str(tmp_path / "unknown.pth"))
    with pytest.raises(UsageError, match="no weight file"):
        restore.load(str(tmp_path / "gone.pth"))
    with pytest.raises(UsageError, match="takes no 'sigma'"):
        restore.load(str(compact), sigma=3)


def test_says_which_extra_is_missing(compact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "spandrel":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"restore-kit\[spandrel\]"):
        restore.load(str(compact))


def test_takes_part_in_a_bench(compact: Path, samples: Path) -> None:
    result = run_bench(
        samples / "cat.png", degradations=["downsample:scale=2"], models=[str(compact)], device="cpu"
    )
    assert {row["model"] for row in result.rows} == {"bicubic", str(compact)} and not result.failures


def test_command_line(tmp_path: Path, compact: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo[:40, :50]).save(tmp_path / "a.png")

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "restore", "run", str(tmp_path / "a.png"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    done = call("-o", tmp_path / "out", "--weights", compact)
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "out" / "a.png").size == (100, 80)
    hostile = tmp_path / "hostile.pth"
    torch.save({"body.0.weight": Runs(tmp_path / "sign")}, hostile)
    done = call("-o", tmp_path / "no", "--weights", hostile)
    assert done.returncode == 1 and "refused" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "sign").exists() and not (tmp_path / "no" / "a.png").exists()
    with pytest.raises(UsageError, match="either -m or --weights"):
        restorer_name("denoise", compact)
