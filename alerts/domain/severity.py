"""How bad it is."""

from enum import StrEnum


class Severity(StrEnum):
    """From "for the record" to "act now"."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """Order of the severities: 0 for DEBUG, 4 for CRITICAL."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


def at_least(severity: Severity) -> tuple[Severity, ...]:
    """Return `severity` and everything worse."""
    return tuple(other for other in Severity if other.rank >= severity.rank)
