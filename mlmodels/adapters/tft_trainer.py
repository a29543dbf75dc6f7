"""The Temporal Fusion Transformer: fitted by torch, served by numpy.

Torch is the extra `tft` and is imported by a fit alone; a version that was fitted elsewhere is
loaded and served without it.
"""

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from core.errors import NeedsOperator
from mlmodels.adapters.plain_trainer import PlainTrainer
from mlmodels.adapters.tft_model import FusionModel
from mlmodels.domain.ensemble import standardize
from mlmodels.domain.fusion import LEVELS, Layout, draw, forward
from mlmodels.ports import ArtifactError, FitRows

WEIGHTS, HEAD = "tft.safetensors", "tft.json"
# Smaller batches and steps leave some seeds at the saddle where a product of two bars is not seen.
PARAMETERS: dict[str, Any] = {
    "steps": 1200,
    "batch": 512,
    "learning_rate": 0.006,
    "dropout": 0.1,
    "weight_decay": 0.01,
}
# What it reads: a day of a few columns, bar by bar.
COLUMNS: dict[str, Any] = {
    "has_defaults": False,
    "features": [
        "return_1",
        "range_1",
        "place_1",
        "taker_1",
        "volume_ratio_6",
        "volatility_24",
        "ema_gap_24",
        "rsi_14",
    ],
    "include_shifted_candles": 23,
}
_MOST = 6.0  # outcomes in sigmas are cut here: one crash must not be the whole gradient


class TorchMissing(NeedsOperator):
    """The extra that a fit needs is not installed."""

    code = "MODEL_TORCH_MISSING"


class TFTTrainer(PlainTrainer):
    """Fits by quantile loss; never serves before it has shown that it is better."""

    name = "tft"
    DEFAULTS = PARAMETERS
    must_challenge = True
    columns = COLUMNS

    def libraries(self) -> dict[str, str]:
        found = {name: version(name) for name in ("safetensors", "numpy")}
        try:
            return {**found, "torch": version("torch")}
        except PackageNotFoundError:
            return found

    def fit(self, rows: FitRows, *, seed: int) -> FusionModel:
        """Fit.

        Raises:
            TorchMissing: The extra `tft` is not installed.
        """
        torch = _load_torch()
        layout = Layout.of(rows.names)
        mean, scale = standardize(rows.features)
        begun = draw(layout, np.random.Generator(np.random.PCG64(seed)))
        blank = FusionModel(layout=layout, mean=mean, scale=scale, weights=begun)
        threads = torch.get_num_threads()
        # One thread: the order of its sums, and so every bit, is then the same again.
        torch.set_num_threads(1)
        try:
            weights = self._descend(torch, rows, blank, seed=seed)
        finally:
            torch.set_num_threads(threads)
        return FusionModel(layout=layout, mean=mean, scale=scale, weights=weights)

    def _descend(
        self, torch: Any, rows: FitRows, blank: FusionModel, *, seed: int
    ) -> dict[str, Any]:
        figures = self.parameters
        luck = torch.Generator().manual_seed(seed)
        sequence, static = (
            torch.from_numpy(part.astype(np.float32)) for part in blank.inputs(rows.features)
        )
        outcome = torch.from_numpy(np.clip(rows.outcome, -_MOST, _MOST).astype(np.float32))
        weight = torch.from_numpy(rows.weight.astype(np.float32))
        levels = torch.tensor(LEVELS)
        p = {
            name: torch.from_numpy(array.copy()).requires_grad_()
            for name, array in blank.weights.items()
        }
        optimizer = torch.optim.AdamW(
            list(p.values()), lr=figures["learning_rate"], weight_decay=figures["weight_decay"]
        )
        plan = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=figures["learning_rate"], total_steps=figures["steps"]
        )
        kept = 1.0 - figures["dropout"]

        def drop(x: Any) -> Any:
            return x * (torch.rand(x.shape, generator=luck) < kept) / kept

        for _ in range(figures["steps"]):
            chosen = torch.randint(len(outcome), (figures["batch"],), generator=luck)
            found, _seen = forward(p, sequence[chosen], static[chosen], xp=torch, drop=drop)
            miss = outcome[chosen][:, None] - found
            loss = torch.maximum(levels * miss, (levels - 1.0) * miss).sum(dim=1)
            optimizer.zero_grad()
            (loss * weight[chosen]).mean().backward()
            torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)
            optimizer.step()
            plan.step()
        return {name: tensor.detach().numpy().copy() for name, tensor in p.items()}

    def load(self, files: Mapping[str, bytes]) -> FusionModel:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            head = json.loads(files[HEAD])
            return FusionModel.from_json(head, weights=load(files[WEIGHTS]))
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise ArtifactError("the transformer cannot be read", file=WEIGHTS) from error


def _load_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise TorchMissing(
            "the tft recipe is fitted by torch, which is not installed: install the extra with "
            "`.venv/bin/python -m pip install -r requirements/tft.in` on the machine that trains",
            extra="tft",
        ) from error
    return torch
