"""Which features, of which code: what a model was trained on, and is asked for again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlmodels.domain.expansion import default_names
from mlmodels.domain.indicators.registry import Sees
from mlmodels.domain.indicators.terms import Term, parse_term

# Raise with every change of what all features share; a single formula has its own version.
CODE_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """Columns over candles of one length.

    Attributes:
        interval_ms: Of the candles.
        names: The columns; none given: the default set.
        references: Symbols that the market features are means over, in this order.
        code_version: Of the code that all features share.
        versions: Of each formula, by feature; filled in.
        warmup: Closed candles that a row needs; filled in.
    """

    interval_ms: int
    names: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    code_version: int = CODE_VERSION
    versions: tuple[tuple[str, int], ...] = ()
    warmup: int = 0

    def __post_init__(self) -> None:
        if self.interval_ms <= 0:
            raise ValueError(f"interval_ms must be above 0, was {self.interval_ms}")
        if not self.names:
            given = default_names(
                interval_ms=self.interval_ms, has_references=bool(self.references)
            )
            object.__setattr__(self, "names", given)
        if len(set(self.names)) != len(self.names):
            raise ValueError("a feature is named twice")
        if not self.warmup:
            object.__setattr__(self, "warmup", max(term.warmup for term in self.terms))
        if not self.versions:
            object.__setattr__(self, "versions", self._current_versions())

    @property
    def terms(self) -> tuple[Term, ...]:
        """The columns, read.

        Raises:
            ValueError: A name means nothing to this program.
        """
        return tuple(parse_term(name, self.interval_ms) for name in self.names)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols whose candles are needed besides the symbol's own."""
        named = [term.symbol for term in self.terms if term.symbol]
        return tuple(dict.fromkeys((*self.references, *named)))

    @property
    def series(self) -> tuple[str, ...]:
        """Keys of the external series that are needed."""
        return tuple(term.series for term in self.terms if term.series)

    def to_json(self) -> dict[str, Any]:
        return {
            "interval_ms": self.interval_ms,
            "names": list(self.names),
            "references": list(self.references),
            "code_version": self.code_version,
            "versions": dict(self.versions),
            "warmup": self.warmup,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FeatureSpec":
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError: It is of another form, from before features were registered.
        """
        return cls(
            **{
                **data,
                "names": tuple(data["names"]),
                "references": tuple(data["references"]),
                "versions": tuple(sorted(data["versions"].items())),
            }
        )

    @property
    def spec_hash(self) -> str:
        """Sha256 of the canonical JSON: equal hashes mean equal features."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_current(self) -> bool:
        """Whether this program computes these very features."""
        if self.code_version != CODE_VERSION:
            return False
        try:
            warmup = max(term.warmup for term in self.terms)
            return self.warmup == warmup and self.versions == self._current_versions()
        except ValueError:
            return False

    def _current_versions(self) -> tuple[tuple[str, int], ...]:
        used = {term.feature.name: term.feature.version for term in self.terms if term.feature}
        return tuple(sorted(used.items()))

    def needs_market(self) -> bool:
        """Whether a column compares the symbol with the references."""
        return any(term.feature and term.feature.sees is Sees.MARKET for term in self.terms)
