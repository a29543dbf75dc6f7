"""The strategies of one backtest and what each was told.

``model+ema_rsi`` is two strategies on one account, the first asked first. One kind may come twice
under names of its own, ``ema_rsi:slow+ema_rsi:quick``. A parameter is for every strategy that
knows it, or for one: ``slow.fast=24``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from core.errors import InvalidInput
from execution.domain.decision import ConfidenceMode

MODEL, EMA_RSI, MOMENTUM = "model", "ema_rsi", "momentum"
MAX_STRATEGIES = 5
MODES = tuple(ConfidenceMode)

# What each kind can be told, and what it does when it is told nothing.
PARAMETERS: dict[str, dict[str, float]] = {
    MODEL: {
        "base_position_size": 1000.0,
        # Which chance of a net gain is enough: the number of one of `MODES`, or its name.
        "confidence_mode": 0,
        "min_confidence": 0.6,
        "confidence_margin": 0.02,
        "min_edge_bps": 5.0,
        "cost_bps": 22.0,
        "cooldown_bars": 1,
        "max_holding_bars": 24,
        "scale_in_parts": 1,
        "scale_in_step_bps": 100.0,
        "scale_out_parts": 1,
        "scale_out_step_bps": 200.0,
        # 0: a plain stop; else a stop that follows, with a target beside it or (0) without.
        "trailing_delta_bps": 0,
        "trailing_target": 1,
        "horizon_bars": 12,
        "retrain_bars": 720,
        "retrain_error_threshold": 0.02,
        "train_bars": 8760,
    },
    EMA_RSI: {"base_position_size": 1000.0, "fast": 12, "slow": 48, "rsi": 14, "ceiling": 75.0},
    MOMENTUM: {"base_position_size": 1000.0, "bars": 24},
}
# All strategies with a model have the same models.
OF_THE_MODELS = ("horizon_bars", "retrain_bars", "retrain_error_threshold", "train_bars")
_WHOLE = {
    *("cooldown_bars", "max_holding_bars", "horizon_bars", "retrain_bars", "train_bars"),
    *("fast", "slow", "rsi", "bars"),
    *("scale_in_parts", "scale_out_parts", "trailing_delta_bps", "trailing_target"),
}
_LEAST = {
    "scale_in_step_bps": -1e4,
    "cooldown_bars": 0,
    "min_edge_bps": -1e6,
    "min_confidence": 0.01,
    "confidence_margin": 0.0,
    "cost_bps": 0.0,
    "trailing_delta_bps": 0,
    "trailing_target": 0,
}
_MOST = {
    "trailing_target": 1,
    "trailing_delta_bps": 5000,
    "min_confidence": 0.99,
    "confidence_margin": 0.45,
    "ceiling": 100.0,
    "fast": 10_000,
    "slow": 10_000,
    "rsi": 10_000,
}
_NAME = re.compile(r"[a-z0-9_]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One strategy: its name in the report, its kind, and its parameters, defaults filled in."""

    name: str
    kind: str
    parameters: Mapping[str, float]


def read_parts(strategy: str, given: Mapping[str, Any]) -> tuple[Part, ...]:
    """Return the strategies that a text names, each with its parameters.

    Raises:
        InvalidInput: names the field, the value and what it should be.
    """
    kinds = _read_kinds(strategy)
    told: dict[str, dict[str, float]] = {name: dict(PARAMETERS[kinds[name]]) for name in kinds}
    for key, value in sorted(given.items(), key=lambda item: "." in item[0]):
        owner, dot, parameter = key.rpartition(".")
        if dot and owner not in kinds:
            refuse(key, value, f"of one of the strategies {', '.join(kinds)}")
        names = [owner] if dot else [name for name in kinds if parameter in told[name]]
        if not names or parameter not in told[names[0]]:
            known = dict.fromkeys(word for name in names or kinds for word in told[name])
            refuse(key, value, f"absent: {'+'.join(names or kinds)} takes {', '.join(known)}")
        for name in names:
            told[name][parameter] = _check(key, parameter, value)
    parts = tuple(Part(name=name, kind=kinds[name], parameters=told[name]) for name in kinds)
    _check_models(parts)
    return parts


def flatten(parts: tuple[Part, ...]) -> dict[str, float]:
    """Return all parameters as ``read_parts`` takes them."""
    if len(parts) == 1:
        return dict(parts[0].parameters)
    return {
        f"{part.name}.{name}": value for part in parts for name, value in part.parameters.items()
    }


def read_decimal(name: str, value: Any) -> Decimal:
    """Return a finite decimal."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        refuse(name, value, "a number")
    if not number.is_finite():
        refuse(name, value, "a finite number")
    return number


def refuse(name: str, value: Any, expected: str) -> NoReturn:
    """Raise what a user reads: the field, the value, and what it should be."""
    raise InvalidInput(
        f"{name} must be {expected}, was {value!r}"[:400],
        field=name,
        value=str(value)[:100],
        expected=expected,
    )


def _read_kinds(strategy: str) -> dict[str, str]:
    words = strategy.split("+")
    if len(words) > MAX_STRATEGIES:
        refuse("strategy", strategy, f"{MAX_STRATEGIES} strategies at most")
    kinds: dict[str, str] = {}
    for word in words:
        kind, colon, label = word.strip().partition(":")
        name = label if colon else kind
        if kind not in PARAMETERS:
            known = ", ".join(PARAMETERS)
            refuse("strategy", strategy, f"one of {known}, or several: model+ema_rsi")
        if not _NAME.fullmatch(name):
            refuse("strategy", strategy, f"of names such as {kind}:slow")
        if name in kinds:
            refuse("strategy", strategy, f"of different names: {kind}:one+{kind}:two")
        kinds[name] = kind
    return kinds


def _check(key: str, name: str, value: Any) -> float:
    if name == "confidence_mode":
        return _read_mode(key, value)
    number = float(read_decimal(key, value))
    least, most = _LEAST.get(name, 1e-9), _MOST.get(name, 1e9)
    if name in _WHOLE and (not number.is_integer() or number < (0 if least == 0 else 1)):
        refuse(key, value, "a whole number of 1 or more" if least else "a whole number")
    if not least <= number <= most:
        refuse(key, value, f"from {least:g} to {most:g}")
    return int(number) if name in _WHOLE else number


def _read_mode(key: str, value: Any) -> int:
    """Return the number of a mode that is given by its name, or by that number."""
    for number, mode in enumerate(MODES):
        if str(value) in (mode.value, str(number), f"{number}.0"):
            return number
    refuse(key, value, f"one of {', '.join(MODES)}")


def _check_models(parts: tuple[Part, ...]) -> None:
    models = [part for part in parts if part.kind == MODEL]
    for part in models[1:]:
        for name in OF_THE_MODELS:
            if part.parameters[name] != models[0].parameters[name]:
                refuse(
                    f"{part.name}.{name}",
                    part.parameters[name],
                    f"that of {models[0].name}, {models[0].parameters[name]:g}: strategies on one "
                    "account share their models",
                )
