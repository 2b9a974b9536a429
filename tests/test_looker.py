"""What is wrong with a picture: families, batches with several targets, the network that is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from restore.degradations import degradation
from restore.degradations.families import BRINGS, FAMILIES, family_of, physical_order
from restore.degradations.order import PLACES, place_of
from restore.errors import ConfigError, UsageError
from restore.models.registry import build
from restore.models.weights import read_weights, save_weights
from restore.train.config import Config
from restore.train.findings import dominant, draw_wrongs, findings_maker, findings_step
from restore.train.fitted import fit_statistics
from restore.train.recipe import make_recipe
from restore.train.run import start_network, train

TINY: dict[str, Any] = {
    "name": "tiny",
    "task": "estimate",
    "architecture": "looker",
    "arch": {"families": 3, "width": 4, "hidden": 8},
    "conditions": ["noise", "jpeg", "lowlight"],
    "step": "findings",
    "steps": 4,
    "batch": 4,
    "crop": 96,
    "clean_share": 0.2,
    "grey_share": 0.2,
    "precision": "fp32",
    "long_sides": [],
    "min_side": 112,
    "hold_out": 1,
    "validation_crop": 112,
    "validate_every": 2,
    "log_every": 2,
}


def tiny(**changes: object) -> Config:
    return make_recipe(Config, {**TINY, **changes})


def test_pictures_must_be_as_large_as_a_crop_and_what_it_moves_by() -> None:
    with pytest.raises(ConfigError, match="min_side: 111 is smaller than the crop or the field and 16"):
        tiny(min_side=111)


def test_every_family_is_in_the_simulator_and_in_physical_order() -> None:
    for family, specs in FAMILIES.items():
        for spec in specs:
            drawn = degradation(spec)
            assert drawn.keeps_size and family_of({"name": drawn.name}) == family
    assert set(BRINGS) | {f for others in BRINGS.values() for f in others} <= set(FAMILIES)
    order = [place_of(FAMILIES[f][0].partition(":")[0]) for f in physical_order(list(FAMILIES))]
    assert order == sorted(order, key=list(PLACES).index) and "other" not in order
    assert physical_order(["jpeg", "noise", "haze"]) == ["haze", "noise", "jpeg"]


def test_a_batch_depends_on_seed_and_step_alone(photo: np.ndarray) -> None:
    config = tiny(conditions=list(FAMILIES), batch=8)
    whole = findings_maker(config, [photo], torch.device("cpu"))
    first = whole(3)
    assert torch.equal(first["degraded"], whole(3)["degraded"])
    assert not torch.equal(first["degraded"], whole(4)["degraded"])
    halves = [findings_maker(config, [photo], torch.device("cpu"), part=(i, 2))(3) for i in (0, 1)]
    for key, value in first.items():
        assert torch.equal(torch.cat([h[key] for h in halves]).nan_to_num(-1), value.nan_to_num(-1))
    # As files are: whole steps of 8 bits.
    assert torch.equal((first["degraded"] * 255).round() / 255, first["degraded"])
    assert first["severities"].shape == (8, len(FAMILIES))
    assert float(first["severities"].nan_to_num().max()) <= 5


def test_unknown_targets_do_not_count() -> None:
    net = torch.nn.Identity()
    out = torch.tensor([[2.0, -3.0, 1.0, 4.0]])
    step = findings_step(tiny(conditions=["noise", "jpeg"]))
    known = step(net, {"degraded": out, "severities": torch.tensor([[3.0, 0.0]])}, 0)
    only_first = step(net, {"degraded": out, "severities": torch.tensor([[3.0, torch.nan]])}, 0)
    other = out.clone()
    other[0, 1], other[0, 3] = 9.0, 9.0
    assert step(net, {"degraded": other, "severities": torch.tensor([[3.0, torch.nan]])}, 0) == only_first
    assert known != only_first
    assert dominant(torch.tensor([[3.0, 1.0, 2.0, 5.0], [-1.0, -1.0, 4.0, 4.0]])).tolist() == [1, 2]


def test_finders_are_taken_over_and_not_trained(photo: np.ndarray, tmp_path: Path) -> None:
    shape = {"widths": [8, 8], "blocks": [1, 1], "finder": [4, 8, 8], "gated": True}
    healer = build("heal", shape)
    path = tmp_path / "healer.safetensors"
    save_weights(path, healer.state_dict(), {"architecture": "heal", "config": shape}, dtype=torch.float32)
    arch = {"families": 3, "width": 4, "hidden": 8, "finders": [{"widths": [4, 8, 8]}]}
    net = start_network(tiny(finders=[str(path)], arch=arch), None)
    x = torch.from_numpy(photo[:97, :131].copy()).permute(2, 0, 1)[None].float() / 255
    logits = net.finders[0](x)  # type: ignore[index, operator]
    assert torch.equal(logits, healer(x, parts="mask")) and not logits.requires_grad
    net.judge(net.fine(x), x).sum().backward()  # type: ignore[operator]
    assert all((p.grad is None) == n.startswith("finders") for n, p in net.named_parameters())
    # A network without them, grown, says what it said.
    plain = build("looker", {**arch, "finders": []})
    net.load_state_dict(net.grown_from(plain.state_dict()))  # type: ignore[operator]
    assert torch.allclose(net.eval()(x), plain.eval()(x), atol=1e-5)
    with pytest.raises(ConfigError, match="made otherwise"):
        start_network(tiny(finders=[str(path)], arch={**arch, "finders": [{"widths": [8, 8, 8]}]}), None)


def test_statistics_follow_what_was_done(photo_tensor: torch.Tensor) -> None:
    net = build("looker", {"families": 3, "width": 0})
    x = photo_tensor[..., 8:200, 8:200].contiguous()
    plain = net.statistics(x)  # type: ignore[operator]
    for spec in ("noise:severity=3", "jpeg:severity=4", "blur:severity=3", "haze:severity=3"):
        y, _ = degradation(spec)(x, generator=torch.Generator().manual_seed(0))
        assert float((net.statistics(y.clamp(0, 1)) - plain).abs().max()) > 0.15, spec  # type: ignore[operator]
    # One sample does not see its neighbours, and no size breaks it.
    both = net.statistics(torch.cat([x, y.clamp(0, 1)]))  # type: ignore[operator]
    assert torch.allclose(both[:1], plain, atol=1e-5)
    for size in ((96, 96), (97, 131), (300, 96)):
        assert net.statistics(torch.zeros(1, 3, *size)).isfinite().all()  # type: ignore[operator]


def test_trains_and_grows_out_of_a_fitted_one(samples: Path, tmp_path: Path) -> None:
    kinds: dict[str, Any] = {"conditions": ["noise", "lowlight"]}
    wide = {"families": 2, "width": 4, "hidden": 16}
    fitted = tiny(arch={**wide, "width": 0}, **kinds)
    quiet: Any = lambda text: None  # noqa: E731
    scores = fit_statistics(fitted, samples, tmp_path / "fit", samples=80, epochs=60, report=quiet)
    assert scores["score"] > 50  # of noise, lowlight and clean; a third is chance
    with pytest.raises(UsageError, match="width 0"):
        fit_statistics(tiny(), samples, tmp_path / "no", samples=8)

    train(
        tiny(arch=wide, steps=2, **kinds),
        samples,
        tmp_path / "whole",
        init=tmp_path / "fit" / "best.safetensors",
        report=quiet,
    )
    first = build("looker", wide)
    state, header = read_weights(tmp_path / "whole" / "best.safetensors")
    first.load_state_dict(state)
    assert header["conditions"] == kinds["conditions"] and header["recipe"]["step"] == "findings"
    grown = build("looker", wide)
    narrow = build("looker", dict(fitted.arch))
    narrow.load_state_dict(read_weights(tmp_path / "fit" / "best.safetensors")[0])
    grown.load_state_dict(grown.grown_from(narrow.state_dict()))  # type: ignore[operator]
    x = torch.rand(2, 3, 96, 96)
    assert torch.allclose(grown(x), narrow(x), atol=1e-5)


def test_what_a_picture_cannot_have_is_not_drawn_for_it() -> None:
    """A colour cast is none in a grey picture; everything else may happen to either."""
    families = ["underwater", "noise", "blur"]
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    drawn: dict[float, set[str]] = {}
    for grey in (0.0, 1.0):
        config = tiny(conditions=families, grey_share=grey, clean_share=0.0)
        drawn[grey] = set()
        for seed in range(25):
            y, severities = draw_wrongs(x, config, torch.Generator().manual_seed(seed))
            drawn[grey] |= {
                name for name, severity in severities.items() if severity > 0
            }  # NaN: comes with it
            assert severities and y.shape[1] == 3
    assert drawn == {0.0: set(families), 1.0: {"noise", "blur"}}
