"""Degradations stay what they were: a benchmark of last year can be made again, and its numbers compared."""

from __future__ import annotations

import pytest
from frozen import frozen, parameters_of, pixels_of

from restore.degradations import names

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
    known = set(names())
    assert FROZEN.keys() <= known and len(FROZEN) >= 0.8 * len(known)


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
