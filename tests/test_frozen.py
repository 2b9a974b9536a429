"""Degradations and networks stay what they were: last year's benchmarks and weights mean what they meant."""

from __future__ import annotations

import frozen_networks
import pytest
from frozen import every_name, frozen, parameters_of, pixels_of

from restore.models.registry import ARCHITECTURES

FROZEN = frozen()
# What another library encodes or draws may change a little with its version.
BY_LIBRARIES = (
    "jpeg",
    "jpg",
    "webp",
    "avif",
    "jp2",
    "video",
    "watermark",
    "codec",
    "share",
    "life",
    "real",
    "varied",
)


def test_nearly_everything_is_written_down() -> None:
    known = set(every_name())
    assert FROZEN.keys() <= known and len(FROZEN) >= 0.8 * len(known)
    assert frozen_networks.frozen().keys() <= ARCHITECTURES.keys()


@pytest.mark.parametrize("name", FROZEN)
def test_a_degradation_draws_and_makes_what_it_did(name: str) -> None:
    row = FROZEN[name]
    again = "meant? PYTHONPATH=tests python -m frozen"
    assert parameters_of(name) == row["parameters"], f"{name} draws other parameters; {again}"
    within = 4e-3 if any(part in name for part in BY_LIBRARIES) else 3e-4
    for severity, column in ((2, "mild"), (5, "strong")):
        before = [float(v) for v in row[column].split()]
        assert pixels_of(name, severity) == pytest.approx(before, abs=within), (
            f"{name}: other pixels; {again}"
        )


@pytest.mark.parametrize("name", frozen_networks.frozen())
def test_a_network_computes_what_it_did(name: str) -> None:
    before = frozen_networks.frozen()[name]
    assert any(before) and frozen_networks.numbers_of(name) == pytest.approx(before, rel=2e-3, abs=1e-4), (
        f"{name} answers otherwise than when its weights were trained; "
        "meant? PYTHONPATH=tests python -m frozen_networks"
    )
