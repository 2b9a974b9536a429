"""Engines: whatever computes a network, the picture is the same; what is missing is said, and torch goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import restore
from restore.bench.tables import engines
from restore.engines import Choice, EngineWarning, build_engine, installed
from restore.engines import choose as engine_for
from restore.engines.choice import NEEDS
from restore.errors import UsageError
from restore.models.registry import load_shipped
from restore.models.resunet import ResUNet
from restore.models.sr import SRNet
from restore.tools.export import export

CPU = torch.device("cpu")


def choose(
    engine: str,
    precision: str,
    *,
    device: torch.device = CPU,
    splits: bool = True,
    safe: tuple[str, ...] = ("fp32", "bf16"),
) -> Choice:
    return engine_for(engine, precision, device=device, safe=safe, splits=splits)


@pytest.fixture
def net() -> ResUNet:
    torch.manual_seed(0)
    net = ResUNet(widths=(8, 12), blocks=(1, 1)).eval()
    with torch.no_grad():
        net.tail.weight.mul_(30)  # an answer that differs from the picture
    return net


def pictures() -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return [torch.rand(b, 3, h, w, generator=g) for b, h, w in ((1, 64, 72), (2, 33, 50), (1, 1, 5))]


@pytest.mark.parametrize("name", ["onnxruntime", "compile"])
def test_every_engine_gives_what_torch_gives(
    name: str, net: ResUNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The C++ compiler takes a minute: here only what stands around it; its differences are in the speed table.
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: module)
    engine = build_engine(net, Choice(name, "fp32"), device=CPU, conditions=1, check=True)
    assert engine.__qualname__ != build_engine(net, Choice("torch", "fp32"), device=CPU).__qualname__
    for x in pictures():
        sigma = torch.linspace(0, 0.3, len(x))[:, None]
        with torch.no_grad():
            expected = net(x, sigma)
            made = engine(x, sigma)
        assert (expected - x).abs().max() > 0.02
        assert made.shape == x.shape and (made - expected).abs().max() < 1e-4


def test_a_picture_that_grows_keeps_its_enlargement_in_torch() -> None:
    torch.manual_seed(0)
    net = SRNet(scale=2, width=8, blocks=1).eval()
    with torch.no_grad():
        net.tail.weight.mul_(30)
    engine = build_engine(net, Choice("onnxruntime", "fp32"), device=CPU, scale=2)
    for x in pictures():
        with torch.no_grad():
            expected, made, plain = net(x), engine(x, None), net.base(x)
        assert made.shape == expected.shape == (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        assert (made - expected).abs().max() < 1e-4 < (plain - expected).abs().max()


@pytest.mark.parametrize(
    ("name", "degradation"), [("denoise:sigma=25", "noise:sigma=25"), ("raindrop", "raindrop")]
)
def test_shipped_networks_are_equal_in_windows(name: str, degradation: str, photo: np.ndarray) -> None:
    damaged, _ = restore.degrade(photo.astype(np.float32) / 255, degradation)
    options = {"device": "cpu", "precision": "fp32"}
    plain = restore.load(name, engine="torch", **options)(damaged)
    other = restore.load(name, engine="onnxruntime", tile=128, **options)
    assert other.spec.engine == "onnxruntime" and np.abs(other(damaged) - plain).max() < 1e-3
    assert other.fingerprint != restore.load(name, engine="torch", **options).fingerprint


def test_gradients_go_through_torch() -> None:
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    module = restore.load(
        "denoise", engine="onnxruntime", precision="fp32", device="cpu", sigma=25
    ).as_module()
    module(x).sum().backward()
    assert x.grad is not None and bool(x.grad.abs().sum() > 0)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Pretends a machine: which packages it has, and whether its processor computes in bf16."""

    def pretend(has: str, bf16: bool) -> None:
        monkeypatch.setattr("restore.engines.choice.installed", lambda e: not NEEDS[e] or e in has.split())
        monkeypatch.setattr("restore.runtime.cpu_has_bf16", lambda: bf16)

    return pretend


@pytest.mark.parametrize(
    ("has", "bf16", "precision", "expected"),
    [
        ("openvino onnxruntime", True, "auto", ("openvino", "bf16")),
        ("onnxruntime", True, "auto", ("torch", "bf16")),
        ("openvino onnxruntime", False, "auto", ("openvino", "fp32")),
        ("onnxruntime", False, "auto", ("onnxruntime", "fp32")),
        ("", False, "auto", ("torch", "fp32")),
        ("onnxruntime", True, "fp32", ("onnxruntime", "fp32")),
        ("onnxruntime", True, "bf16", ("torch", "bf16")),
    ],
)
def test_auto_is_the_fastest_one_there(machine, has, bf16, precision, expected) -> None:
    machine(has, bf16)
    assert choose("auto", precision) == Choice(*expected)


def test_a_choice_keeps_the_network_safe(machine) -> None:
    machine("openvino onnxruntime", True)
    assert choose("auto", "auto", splits=False) == Choice("torch", "bf16")
    assert choose("auto", "auto", safe=("fp32",)) == Choice("openvino", "fp32")
    assert choose("onnxruntime", "auto") == Choice("onnxruntime", "fp32", asked=True)
    assert choose("openvino", "auto", splits=False) == Choice("openvino", "fp32", asked=True)
    for engine, precision, splits in (("onnxruntime", "bf16", True), ("openvino", "bf16", False)):
        with pytest.raises(UsageError, match="cannot compute"):
            choose(engine, precision, splits=splits)
    with pytest.raises(UsageError, match="did you mean openvino"):
        choose("openvno", "auto")
    with pytest.raises(UsageError, match="on the CPU"):
        choose("openvino", "fp32", device=torch.device("cuda"))


def test_a_missing_package_is_said_and_another_engine_computes(machine) -> None:
    machine("", False)
    with pytest.warns(EngineWarning, match=r"restore-kit\[openvino\]"):
        assert choose("openvino", "auto") == Choice("torch", "fp32")


class Bessel(nn.Module):
    """A network of an operation that ONNX does not have."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x)


class Fixed(nn.Module):
    """A network that cannot be followed: what it does depends on the size of the picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * float(x.shape[-1])


def test_an_engine_that_computes_something_else_is_not_used(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(EngineWarning, match="torch does: its answer at"):
        engine = build_engine(Fixed(), Choice("onnxruntime", "fp32", asked=True), device=CPU, check=True)
    x = torch.rand(1, 3, 8, 9)
    assert torch.equal(engine(x, None), x * 9)
    with pytest.warns(EngineWarning, match="cannot be written as ONNX"):
        engine = build_engine(Bessel(), Choice("onnxruntime", "fp32", asked=True), device=CPU)
    assert torch.equal(engine(x, None), torch.special.bessel_j0(x))
    assert capfd.readouterr().out == ""  # stdout is for results
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody asked for it: nothing to tell
        build_engine(Fixed(), Choice("onnxruntime", "fp32"), device=CPU, check=True)


def test_an_exported_file_computes_the_whole_network(tmp_path: Path, photo: np.ndarray) -> None:
    import onnxruntime

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "restore",
            "export",
            "denoise",
            "--to",
            "onnx",
            "-o",
            str(tmp_path / "d.onnx"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "equal to torch within" in done.stdout, done.stderr
    session = onnxruntime.InferenceSession(tmp_path / "d.onnx")
    about = json.loads(session.get_modelmeta().custom_metadata_map["restore"])
    assert (
        about["licence"] == "Apache-2.0" and about["conditions"] == ["sigma"] and len(about["sha256"]) == 64
    )
    x = np.ascontiguousarray(photo[:45, :61].transpose(2, 0, 1)[None], dtype=np.float32) / 255
    made = session.run(None, {"image": x, "conditions": np.full((1, 1), 25 / 255, np.float32)})[0]
    net, _ = load_shipped("denoise")  # the local mean is kept outside of the network
    with torch.no_grad():
        whole = net(torch.from_numpy(x), torch.full((1, 1), 25 / 255))
    assert np.abs(made - whole.numpy()).max() < 1e-4
    export("inpaint", out=tmp_path / "i.onnx")
    hole = np.zeros((1, 1, *x.shape[2:]), np.float32)
    hole[..., 10:20, 30:50] = 1
    filled = onnxruntime.InferenceSession(tmp_path / "i.onnx").run(
        None, {"image": np.concatenate([x, hole], 1)}
    )[0]
    asked = restore.load("inpaint", engine="torch", precision="fp32", device="cpu")
    assert np.abs(filled - asked(torch.from_numpy(x), mask=hole[0, 0] > 0).numpy()).max() < 1e-4
    with pytest.raises(UsageError, match="is no network"):
        export("identity", out=tmp_path / "b.onnx")
    with pytest.raises(UsageError, match="with every picture"):
        export("denoise:sigma=25", out=tmp_path / "b.onnx")


def test_the_speed_table_measures_and_compares(tmp_path: Path, samples: Path) -> None:
    saved = ["--json", str(tmp_path / "t.json"), "--markdown", str(tmp_path / "t.md")]
    quick = ["--rounds", "1", "--threads", "1", "--bar", "0.1"]
    code = engines.main(
        ["--data", str(samples / "cat.png"), "--engines", "torch,onnxruntime", *quick, *saved]
    )
    table = json.loads((tmp_path / "t.json").read_text())
    assert code == 0 and table["equal"] and table["environment"]["threads"] == 1
    rows = {(row["engine"], row["precision"]): row for row in table["rows"]}
    assert rows["torch", "fp32"]["difference"] == 0 and rows["torch", "fp32"]["faster"] == 1
    other = rows["onnxruntime", "fp32"]
    assert 0 < other["difference"] < 1e-3 and other["agreement"] > 90 and other["seconds_per_megapixel"] > 0
    assert "| onnxruntime" in (tmp_path / "t.md").read_text()


def test_command_line(tmp_path: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo[:48, :56]).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "restore", "run", str(tmp_path / "a.png"), "-m", "denoise:sigma=20"]
    options = ["-o", str(tmp_path / "out"), "--engine", "onnxruntime", "--precision", "fp32"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = restore.load("denoise:sigma=20", engine="torch", precision="fp32", device="cpu")(
        photo[:48, :56]
    )
    made = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    assert np.abs(made.astype(int) - expected.astype(int)).max() <= 1
    assert installed("onnxruntime")  # a part of the extra `dev`
