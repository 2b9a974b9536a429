"""The pictures of a judgement: one function per plot, each gives a PNG as a ``data:`` address."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from restore.errors import UsageError

COLOURS = {
    "none": "#888888", "restore": "#d1495b", "average": "#edae49", "baseline": "#66a182", "gate": "#2e4057",
    "clean": "#000000",
    "adapted": "#00798c",
}  # fmt: skip
LABELS = {"none": "never", "restore": "always", "baseline": "cheap filter"}
Figures = list[tuple[str, str]]


def plots(block: Mapping[str, Any]) -> Figures:
    """(caption, ``data:`` address) of every plot of one classifier and restorer.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError("matplotlib is not installed", hint="pip install 'restore-kit[judge]'") from error
    matplotlib.use("Agg")
    found = [
        ("Accuracy against severity", _severity(block)),
        ("Gain in PSNR against gain in accuracy, a point per cell", _quality(block)),
        ("Reliability over all cells: accuracy against confidence", _reliability(block)),
        ("Error among the most confident share that is answered", _risk(block)),
        (
            "Foreignness scores (energy), the threshold that keeps 95 % of clean familiar pictures",
            _scores(block),
        ),
    ]
    if "gate" in block:
        found.append(
            ("What the gate keeps of the gain against what it harms, by how careful it is", _curve(block))
        )
    if block.get("confusion"):
        found.append(
            ("Change of the confusion matrix by always restoring (answers, all cells)", _confusion(block))
        )
    return found


def _severity(block: Mapping[str, Any]) -> str:
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for cell in block["cells"]:
        kinds.setdefault(cell["corruption"], []).append(cell)
    columns = min(4, len(kinds))
    rows = -(-len(kinds) // columns)
    figure, axes = _figure(rows, columns, 2.6, 2.2)
    for axis, (kind, cells) in zip(axes, kinds.items(), strict=False):
        places = [c["severity"] if c["severity"] is not None else i + 1 for i, c in enumerate(cells)]
        axis.axhline(cells[0]["acc"]["clean"], color=COLOURS["clean"], lw=0.8, ls=":")
        for arm in ("none", "restore", "average", "baseline", "gate", "adapted"):
            if arm in cells[0]["acc"]:
                heights = [c["acc"][arm] for c in cells]
                axis.plot(places, heights, "o-", ms=3, lw=1.2, color=COLOURS[arm], label=LABELS.get(arm, arm))
        axis.set_title(kind, fontsize=8)
        axis.set_ylim(0, 1.02)
    for axis in axes[len(kinds) :]:
        axis.set_visible(False)
    axes[0].legend(fontsize=6)
    return _png(figure)


def _quality(block: Mapping[str, Any]) -> str:
    figure, (axis,) = _figure(1, 1, 4.4, 3.2)
    kinds: dict[str, list[tuple[float, float]]] = {}
    for cell in block["cells"]:
        psnr = cell["psnr"]
        if None not in psnr.values():
            kinds.setdefault(cell["corruption"], []).append((psnr["restore"] - psnr["none"], cell["d_acc"]))
    for kind, points in kinds.items():
        axis.plot(*zip(*points, strict=True), "o", ms=4, label=kind)
    axis.axhline(0, color="#aaa", lw=0.8)
    axis.axvline(0, color="#aaa", lw=0.8)
    axis.set_xlabel("gain in PSNR, dB")
    axis.set_ylabel("gain in accuracy")
    if 0 < len(kinds) <= 12:
        axis.legend(fontsize=6)
    return _png(figure)


def _reliability(block: Mapping[str, Any]) -> str:
    figure, (axis,) = _figure(1, 1, 3.4, 3.2)
    axis.plot([0, 1], [0, 1], color="#aaa", lw=0.8)
    for arm, found in block["confidence"].items():
        points = [(b["confidence"], b["accuracy"], b["n"]) for b in found["reliability"] if b["n"]]
        x, y, n = (list(v) for v in zip(*points, strict=True))
        # Two standard errors: what the number of pictures alone explains.
        wide = [2 * (max(c * (1 - c), 1e-9) / k) ** 0.5 for c, k in zip(x, n, strict=True)]
        axis.errorbar(
            x,
            y,
            yerr=wide,
            fmt="o-",
            ms=3,
            lw=1,
            elinewidth=0.6,
            color=COLOURS[arm],
            label=LABELS.get(arm, arm),
        )
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlabel("confidence")
    axis.set_ylabel("accuracy")
    axis.legend(fontsize=6)
    return _png(figure)


def _risk(block: Mapping[str, Any]) -> str:
    figure, (axis,) = _figure(1, 1, 3.4, 3.2)
    for arm, curve in block["risk_coverage"].items():
        axis.plot(curve["coverage"], curve["risk"], lw=1.2, color=COLOURS[arm], label=LABELS.get(arm, arm))
    axis.set_xlabel("coverage")
    axis.set_ylabel("risk")
    axis.legend(fontsize=6)
    return _png(figure)


def _scores(block: Mapping[str, Any]) -> str:
    found = block["ood"]["energy"]
    histograms = found["histograms"]
    edges = histograms["edges"]
    figure, (axis,) = _figure(1, 1, 4.8, 3.0)
    middle = [(a + b) / 2 for a, b in pairwise(edges)]
    grey, red = COLOURS["none"], COLOURS["restore"]
    shown = {
        "clean": ("familiar, clean", "-", COLOURS["clean"]),
        "none": ("familiar, degraded", "-", grey),
        "restore": ("familiar, restored", "-", red),
        "foreign": ("foreign, degraded", "--", grey),
        "foreign_restore": ("foreign, restored", "--", red),
    }
    for key, (label, style, colour) in shown.items():
        axis.plot(middle, histograms[key], style, lw=1.2, color=colour, label=label)
    axis.axvline(found["threshold"], color="#2e4057", lw=1)
    axis.set_yticks([])
    axis.legend(fontsize=6)
    return _png(figure)


def _curve(block: Mapping[str, Any]) -> str:
    figure, (axis,) = _figure(1, 1, 3.6, 3.0)
    curve = block["gate"]["curve"]
    axis.plot(
        [p["harm"] for p in curve],
        [p["gain"] for p in curve],
        "o-",
        ms=3,
        lw=1,
        color=COLOURS["gate"],
        label="gate",
    )
    for arm in ("restore", "average"):
        total = block["total"][arm]
        axis.plot(total["harm"], total["d_acc"], "s", color=COLOURS[arm], label=LABELS.get(arm, arm))
    axis.locator_params(axis="x", nbins=4)
    axis.set_xlabel("right answers turned wrong")
    axis.set_ylabel("gain in accuracy")
    axis.legend(fontsize=6)
    return _png(figure)


def _confusion(block: Mapping[str, Any]) -> str:
    import numpy as np

    none, restore = (np.array(block["confusion"][a]) for a in ("none", "restore"))
    change = restore - none
    top = max(1, int(abs(change).max()))
    figure, (axis,) = _figure(1, 1, 3.6, 3.2)
    axis.imshow(change, cmap="PiYG", vmin=-top, vmax=top)
    axis.set_xlabel("answer")
    axis.set_ylabel("label")
    for i in range(len(change)):
        for j in range(len(change)):
            if change[i, j]:
                axis.text(j, i, f"{change[i, j]:+d}", ha="center", va="center", fontsize=5)
    return _png(figure)


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, Sequence[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.tick_params(labelsize=7)
    return figure, list(axes)


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
