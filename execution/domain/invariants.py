"""What must be true of our books and the exchange's at any time, whatever went wrong before."""

from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """The catalogue. The value is what holds."""

    I1 = "a decision's leg has at most one live or filled order at the exchange"
    I2 = "orders here and at the exchange are the same, in the same state"
    I3 = "each trade at the exchange is booked exactly once, and no other"
    I4 = "every balance equals the exchange's, and the sum of its ledger entries"
    I5 = "every position is what its fills make"
    I6 = "an order is filled by its fills, never beyond its quantity; final is final"
    I7 = "money in and out of fills equals the profit; FIFO and average cost agree when flat"
    I8 = "only live orders reserve money, and never less than they may cost"
    I9 = "nothing entered after a kill; after its confirmation nothing rests"
    I10 = "each request was approved, written ahead with its digest, and sent once"
    I11 = "no more positions and open orders at any moment than the limits of then allowed"
    I12 = "every open position is under a stop at the exchange, or being closed"
    I13 = "the audit chain holds; every state change has an actor and a cause"
    I14 = "no gap in the candles; no decision on data from after it"
    I15 = "no secret is written down anywhere"
    I16 = "a recorded session replayed gives the same decisions and books"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that is not as it must be.

    Attributes:
        subject: What it is about, such as ``order:7``: the same in every look.
        problem: What is wrong, with both values.
    """

    subject: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one invariant's check found.

    Attributes:
        compared: How many things were looked at.
        not_checked: Why it could not be checked at all; empty when it was.
    """

    compared: int
    findings: tuple[Finding, ...] = ()
    not_checked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldReport:
    """The answers of all invariants."""

    answers: dict[Invariant, Answer]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def findings(self) -> tuple[tuple[Invariant, Finding], ...]:
        """Every finding with its invariant, in the catalogue's order."""
        return tuple(
            (invariant, finding)
            for invariant, answer in self.answers.items()
            for finding in answer.findings
        )
