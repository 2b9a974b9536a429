"""The one table of architectures and the one table of shipped weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from restore.errors import ConfigError, WeightsError, unknown
from restore.models.budget import building
from restore.models.curve import CurveNet
from restore.models.deconv_cnn import DeconvCNN
from restore.models.deconvolve import DeconvolveNet
from restore.models.degradation_classifier import DegradationClassifier
from restore.models.dncnn import DnCNN
from restore.models.enlighten import EnlightenGenerator
from restore.models.ffdnet import FFDNet
from restore.models.finder import Finder
from restore.models.heal import HealNet
from restore.models.inpaint import FillNet
from restore.models.medium import MediumNet
from restore.models.mlp import PatchMLP
from restore.models.nafnet import NAFNet
from restore.models.noise_level import NoiseLevel
from restore.models.pyramid import PyramidGenerator
from restore.models.resunet import ResUNet
from restore.models.retouch import RetouchNet
from restore.models.safetensors_file import Header
from restore.models.sr import SRNet
from restore.models.srcnn import SRCNN
from restore.models.stylegan2 import StyleGAN2
from restore.models.stylegan2_discriminator import StyleGAN2Discriminator
from restore.models.treatment_gain import TreatmentGain
from restore.models.vdsr import VDSR
from restore.models.wavemix import WaveMix
from restore.models.weights import first_line, load_into, read_description, read_weights
from restore.models.worth import Worth

ZOO = Path(__file__).parent / "zoo"
# A configuration in a weight file: above the widest network that is published, far below what hurts.
_MOST_NUMBER = 1 << 20
_MOST_ITEMS = 256

ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "resunet": ResUNet,
    "sr": SRNet,
    "medium": MediumNet,
    "retouch": RetouchNet,
    "deconvolve": DeconvolveNet,
    "heal": HealNet,
    "finder": Finder,
    "fill": FillNet,
    "noise-level": NoiseLevel,
    "enlighten": EnlightenGenerator,
    "stylegan2": StyleGAN2,
    "stylegan2-discriminator": StyleGAN2Discriminator,
    "worth": Worth,
    "degradation-classifier": DegradationClassifier,
    "treatment-gain": TreatmentGain,
    "curve": CurveNet,
    "pyramid": PyramidGenerator,
    "mlp": PatchMLP,
    "deconv-cnn": DeconvCNN,
    "srcnn": SRCNN,
    "vdsr": VDSR,
    "dncnn": DnCNN,
    "ffdnet": FFDNet,
    "nafnet": NAFNet,
    "wavemix": WaveMix,
}


@dataclass(frozen=True)
class Shipped:
    """One folder of the zoo: recipe, weights and card; ``shared``: the folder whose recipe and weights these are."""

    task: str
    sha256: str
    description: str
    shared: str = ""


SHIPPED: dict[str, Shipped] = {
    "denoise": Shipped(
        "denoise",
        "2fb9ed09249a58f8472656d31489939235887141beb8d933b3df6e5b822ae525",
        "colour and grey noise of any strength, found out or given (sigma)",
    ),
    "dejpeg": Shipped(
        "dejpeg",
        "58cee5647169a63114029852de2836f6908a321eb182963b73f274998942719b",
        "blocks, rings and false colours of JPEG, of any quality, coded once or twice",
    ),
    "lowlight": Shipped(
        "lowlight",
        "c7f8d7a819c39c69d0670220f5a0da2ac75f204b7f4a693a8d46800f207ca9ff",
        "photographs taken in the dark: brightness, colour and noise",
    ),
    "sr-x2": Shipped(
        "upscale",
        "fe185335b0d10357ce54ab18a361c441638761eab5b9bd325ba76a95936695ac",
        "twice as large, of clean pictures",
    ),
    "dehaze": Shipped(
        "dehaze",
        "37a83497e096a3d9bf6fc09590131c88f7b44b37d3b3e741ad9514b5138cd109",
        "haze, fog and dust in the air",
    ),
    "sr-x4": Shipped(
        "upscale",
        "c8ca77e14fcfdc5d2e26ccb758f7ee89b6d9205cd8b0086660410e5c018a7943",
        "four times as large, of clean pictures",
    ),
    "derain": Shipped(
        "derain",
        "b7867bf6e6a2c214d761737f5a980dab04fa561173fb5f10aa3c8fd0b4ad0a9a",
        "streaks of rain, and the veil that distant drops make",
        shared="weather",
    ),
    "denoise-raw": Shipped(
        "denoise",
        "335de8f99c2f0c8eb4640751540711cb53fed74829a9144c7825436b724f90d1",
        "noise of a camera, coloured and correlated by its development",
    ),
    "desnow": Shipped(
        "desnow",
        "b7867bf6e6a2c214d761737f5a980dab04fa561173fb5f10aa3c8fd0b4ad0a9a",
        "falling snow, near and far",
        shared="weather",
    ),
    "inpaint": Shipped(
        "inpaint",
        "e5ef04701ab863c453db4351ce35439652f77f2d4695caa4d1a70ee8f238132f",
        "holes, filled where a mask says so",
    ),
    "underwater": Shipped(
        "underwater",
        "9ba378aaead4015d0dd1e6463eb67bc596d676c22efcd0dd1265c8e694b5bcd1",
        "colours and contrast that water took away",
    ),
    "deblur": Shipped(
        "deblur",
        "0afd0eacdaae55d1f83efd8d51eb2e336d62930d9dd409f07dd38598ef15f927",
        "camera shake and defocus; nobody says how much or where to",
    ),
    "sr-real": Shipped(
        "upscale",
        "07b21812bf8320c5aa587993d98dc7d400e2eb918835d3ae47fded23a885e69a",
        "four times as large, of pictures that are also blurred, noisy and coded",
    ),
    "raindrop": Shipped(
        "raindrop",
        "7242c8669cf9890d4b09534d7b3e69b5cc950096e677ac1d4d37c49bce76277d",
        "drops on the lens or the window: found, then filled",
    ),
    "enlighten": Shipped(
        "enlighten",
        "0296ecc35e0bd86f8aeb01ea1b5e4a4d289051834cef387f25dc3d0d90e7cbb8",
        "dark pictures made light, learnt without pairs",
    ),
    "deblurgan": Shipped(
        "deblur",
        "d938a1dfa5df5ab777c05b4e77b6f64368cf1fe8dbc79cfb7315772f003a1e67",
        "small shakes and defocus, learnt against critics; deblur is the better one",
    ),
    "zero-dce": Shipped(
        "enlighten",
        "b1d89f74517659a20e02fb4627c52120afd20c7777d428856b45475edeb3eed0",
        "dark pictures made light by curves, learnt without any reference",
    ),
    "sr-x3": Shipped(
        "upscale",
        "ed43a2b608233845d3578ae4f7537fd3b7780a6b7d0eac39b435625540a3239b",
        "three times as large, of clean pictures",
    ),
    "noise-level": Shipped(
        "estimate",
        "723c9fb468d1a70232ca728ca147b366d004174f0a60106e9d52b64c324f80b8",
        "how strong the noise of a picture is; asked by restorers that need to know",
    ),
    "worth": Shipped(
        "estimate",
        "3f3896ee8e3616379ee67d98eacce00aa88ca50e584e2bcef30318016dfe6a23",
        "whether what was found on a photograph is worth filling; asked by oldphoto",
    ),
    "degradation-classifier": Shipped(
        "estimate",
        "bb873d8472ab02c6b13c3184265c6649638340c4303e2064814c94f88d3bf8d8",
        "which degradations a picture shows; asked by auto and diagnose",
    ),
    "treatment-gain": Shipped(
        "estimate",
        "fbf0afc1e110dab2c5d14081e87017462160e4008763c71ddc715e7d03204384",
        "what each treatment would bring a picture; asked by auto",
    ),
    "marks": Shipped(
        "estimate",
        "e5e38beb26a7ab03b4d38aa4377476afe86bcb5df06f2d8ee2bff3ae34df38f1",
        "where scratches, dust and folds lie on a photograph; asked by oldphoto and auto",
    ),
}


def build(architecture: str, config: Mapping[str, Any]) -> nn.Module:
    """A network with fresh weights.

    Raises:
        UsageError: an unknown architecture.
        ConfigError: a configuration it does not take.
    """
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, ARCHITECTURES)
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    try:
        return ARCHITECTURES[architecture](**plain)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"architecture {architecture!r}: {error}") from error


def build_for(path: Path, description: Mapping[str, Any], header: Header) -> nn.Module:
    """The network that a weight file asks for, no larger than its weights.

    Raises:
        WeightsError: an unknown architecture, a configuration that it does not take, or one of a network that the
            tensors of the file cannot fill.
    """
    architecture, config = description["architecture"], description.get("config", {})
    if architecture not in ARCHITECTURES:
        raise WeightsError(f"{path}: {unknown('architecture', architecture[:40], ARCHITECTURES)}")
    if not _sane(config):
        raise WeightsError(
            f"{path} is refused: expected a configuration of up to {_MOST_ITEMS} numbers, each below {_MOST_NUMBER:,}",
            hint="the file is damaged, or made to use up memory",
        )
    try:
        with building(len(header.shapes), header.elements, where=str(path)):
            return build(architecture, config)
    except WeightsError:
        raise
    except Exception as error:  # whatever a constructor makes of numbers that nobody has tried
        raise WeightsError(
            f"{path}: {architecture} does not take the configuration in its header ({first_line(error)})",
            hint="the file is damaged, or made by another version",
        ) from error


def _sane(config: Any, depth: int = 5) -> bool:
    """Whether a configuration is made of a few moderate numbers, words and lists of them."""
    if isinstance(config, dict | list):
        items = config.values() if isinstance(config, dict) else config
        return depth > 0 and len(config) <= _MOST_ITEMS and all(_sane(item, depth - 1) for item in items)
    if isinstance(config, int | float):
        return abs(config) < _MOST_NUMBER  # not true of NaN
    return config is None or (isinstance(config, str) and len(config) < 200)


def load_file(path: Path, *, sha256: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The network in a weight file, in eval mode, and the file's header.

    Raises:
        WeightsError: see :func:`restore.models.weights.read_weights`, and a network that does not fit the weights.
    """
    net = build_for(path, *read_description(path))
    state, header = read_weights(path, sha256=sha256)
    load_into(net, state, where=str(path))
    return net.eval().requires_grad_(False), header


def load_shipped(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """The network shipped under ``name``, checked against its SHA-256.

    Raises:
        UsageError: an unknown name.
        WeightsError: missing or damaged weights.
    """
    if name not in SHIPPED:
        raise unknown("shipped model", name, SHIPPED)
    path = weights_path(name)
    if not path.exists():
        raise WeightsError(
            f"the weights of {name!r} are not installed ({path})", hint="reinstall restore-kit"
        )
    net, header = load_file(path, sha256=SHIPPED[name].sha256)
    return net, {**header, "task": SHIPPED[name].task}  # a shared network does several tasks


def weights_path(name: str) -> Path:
    """Where the shipped weights of ``name`` lie."""
    return ZOO / _folder(name) / "weights.safetensors"


def recipe_path(name: str) -> Path:
    """Where the recipe of ``name`` lies, trained or not."""
    return ZOO / _folder(Path(name).name) / "recipe.toml"


def _folder(name: str) -> str:
    return (SHIPPED[name].shared if name in SHIPPED else "") or name
