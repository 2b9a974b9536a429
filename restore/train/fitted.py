"""A looker without learned features: its statistics are computed once, so that fitting takes minutes.

``python -m restore.train.fitted models/zoo/looker/recipe.toml --data PHOTOS --out runs/looker-fitted --samples 9600``
draws the same samples as ``restore train`` would, keeps their statistics in ``--out`` (a stopped run goes on), fits
the perceptron, scores it on the pictures held out, and writes ``best.safetensors``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restore.data.library import Library
from restore.errors import UsageError
from restore.files import atomic_file
from restore.models.looker import Looker
from restore.models.registry import build
from restore.models.weights import save_weights
from restore.train.command import fit_parser, report_scores
from restore.train.config import Config
from restore.train.findings import findings_maker, findings_step, findings_validation
from restore.train.recipe import load_recipe
from restore.train.record import header
from restore.train.sources import open_photographs

_DEVICE = torch.device("cpu")
_SHARD = 20  # batches per file of kept statistics


def fit_statistics(
    config: Config,
    data: Path,
    out: Path,
    *,
    samples: int,
    epochs: int = 120,
    report: Callable[[str], None] = print,
) -> dict[str, float]:
    """Fits ``config``'s looker at width 0 and writes ``out/best.safetensors``; returns the held-out scores.

    Raises:
        UsageError: a recipe of another step or architecture, or of a width above 0.
    """
    net = build(config.architecture, config.arch)
    if config.step != "findings" or not isinstance(net, Looker) or net.width:
        raise UsageError("expected a looker's recipe of width 0", hint="--set arch.width=0")
    out.mkdir(parents=True, exist_ok=True)
    library = open_photographs(config, data, hold_out=config.hold_out, report=report)
    statistics, severities = kept_samples(config, net, library, out, samples=samples, report=report)
    fit_head(config, net, statistics, severities, epochs=epochs, report=report)
    scores = findings_validation(config, library.held_out, _DEVICE, "fp32")(net)
    report("  ".join(f"{k} {v:.1f}" for k, v in scores.items()))
    made = {**header(config, epochs, scores), "samples": len(statistics), "fitted": "statistics alone"}
    digest = save_weights(out / "best.safetensors", net.state_dict(), made, dtype=torch.float32)
    report(f"{out / 'best.safetensors'}  {digest[:12]}")
    return scores


def kept_samples(
    config: Config, net: Looker, library: Library, out: Path, *, samples: int, report: Callable[[str], None]
) -> tuple[Tensor, Tensor]:
    """Statistics ``N x S`` and severities ``N x F``; what ``out`` already holds is not made again."""
    make = findings_maker(config, library.train, _DEVICE)
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    shards = -(-samples // (config.batch * _SHARD))
    for shard in range(shards):
        path = out / f"samples-{shard:03d}.npz"
        if not path.exists():
            rows, targets = [], []
            for step in range(shard * _SHARD, (shard + 1) * _SHARD):
                batch = make(step)
                with torch.inference_mode():
                    rows.append(net.statistics(batch["degraded"]).numpy())
                targets.append(batch["severities"].numpy())
            with atomic_file(path) as file:
                np.savez(file, statistics=np.concatenate(rows), severities=np.concatenate(targets))
            report(f"samples {(shard + 1) * _SHARD * config.batch} of {shards * _SHARD * config.batch}")
        with np.load(path) as kept:
            parts.append((kept["statistics"], kept["severities"]))
    both = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    statistics, severities = (torch.from_numpy(a).float() for a in both)
    return statistics, severities


def fit_head(
    config: Config,
    net: Looker,
    statistics: Tensor,
    severities: Tensor,
    *,
    epochs: int,
    report: Callable[[str], None],
    batch: int = 256,
) -> None:
    """Sets the scale of the statistics and fits the perceptron by AdamW with a cosine to zero."""
    torch.manual_seed(config.seed)
    with torch.no_grad():
        net.centre.copy_(statistics.median(0).values)
        net.scale.copy_(1 / statistics.std(0).clamp(min=1e-3))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith("head"))
    optimizer = torch.optim.AdamW(net.head.parameters(), lr=2e-3, weight_decay=3e-2)
    per_epoch = -(-len(statistics) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * per_epoch)
    loss_of = findings_step(config)
    g = torch.Generator().manual_seed(config.seed)
    for epoch in range(epochs):
        total = 0.0
        for index in torch.randperm(len(statistics), generator=g).split(batch):
            x = net.scaled(statistics[index])
            # Statistics of other pictures differ a little: without this the perceptron learns these by heart.
            x = x + 0.15 * torch.randn(x.shape, generator=g)
            loss = loss_of(net.head, {"degraded": x, "severities": severities[index]}, 0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(index)
        if (epoch + 1) % 20 == 0:
            report(f"epoch {epoch + 1}/{epochs}  loss {total / len(statistics):.4f}")
    net.eval().requires_grad_(False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 done, 2 wrong use."""
    parser = fit_parser("restore.train.fitted", __doc__, out="where samples and weights are kept")
    parser.add_argument("--samples", type=int, default=9600)
    parser.add_argument("--epochs", type=int, default=120)
    given = parser.parse_args(arguments)

    def fit() -> dict[str, float]:
        config = load_recipe(Config, given.recipe, ["arch.width=0", *given.set])
        return fit_statistics(config, given.data, given.out, samples=given.samples, epochs=given.epochs)

    return report_scores(fit)


if __name__ == "__main__":
    sys.exit(main())
