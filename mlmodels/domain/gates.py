"""What a model must show before it is believed, one answer per question."""

from dataclasses import dataclass

from mlmodels.domain.statistics import HacMean

# One-sided 1 %: of a hundred models without skill, one passes.
SKILL_T = 2.33
# How far off one of many questions may be by luck before it counts against a model: two-sided 1 %.
_DOUBT = 2.58
COVERAGE = (0.88, 0.92)
SLOPE = (0.8, 1.5)
MIN_EFFECTIVE_ROWS = 500
# Of a member's correlation, what the average may lose whatever the test says.
MEMBER_SLACK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question to a model.

    Attributes:
        name: What is asked.
        number: What was measured; None: it could not be.
        needed: What passes, in words.
        is_passed: The answer.
    """

    name: str
    number: float | None
    needed: str
    is_passed: bool


def ic_gate(ic: HacMean | None, *, needed_t: float) -> Gate:
    """Ask whether the forecast correlates with what happened beyond luck."""
    t = ic.t if ic else None
    return Gate(
        name="ic_t",
        number=t,
        needed=f"at least {needed_t:.2f}",
        is_passed=t is not None and t >= needed_t,
    )


def brier_gate(skill: float | None) -> Gate:
    """Ask whether its probabilities are better than always stating the base rate."""
    return Gate(
        name="brier_skill",
        number=skill,
        needed="above 0",
        is_passed=skill is not None and skill > 0,
    )


def baseline_gate(name: str, gain: HacMean | None) -> Gate:
    """Ask whether it beats a forecast that needs no model, on the same rows.

    None: one of the two does not vary, and what does not vary cannot be beaten or beat.
    """
    return Gate(
        name=f"beats_{name}",
        number=gain.mean if gain else None,
        needed="above 0",
        is_passed=gain is None or gain.mean > 0,
    )


def member_gate(name: str, gain: HacMean | None, *, alone: float | None) -> Gate:
    """Ask whether an ensemble is not worse than one of its members: beyond luck and by much.

    Averaging a straight line with trees costs a little of a signal that is straight. With many
    rows and a strong signal that little is beyond luck, and yet no reason to disbelieve a model
    that is nearly as good as its best member.

    Args:
        name: The member.
        gain: The ensemble's correlation less the member's, tested.
        alone: The member's own correlation.
    """
    t, lost = (gain.t, -gain.mean) if gain else (None, 0.0)
    is_much = alone is None or lost > MEMBER_SLACK * abs(alone)
    return Gate(
        name=f"not_worse_than_{name}",
        number=t,
        needed=f"t above -1.64, or less than {MEMBER_SLACK:.0%} of its correlation lost",
        is_passed=t is None or t > -1.64 or not is_much,
    )


def slope_gate(slope: HacMean | None) -> Gate:
    """Ask whether a stated 60 % happens in about 60 %.

    Boasting is what loses money: a stated 60 % may be 58 % (slope 0.8), not less. Modesty costs
    some trades only, so that the bound above is wider.
    """
    low, high = SLOPE
    slack = _DOUBT * slope.standard_error if slope else 0.0
    return Gate(
        name="calibration_slope",
        number=slope.mean if slope else None,
        needed=f"{low} to {high} within its 99 % interval",
        is_passed=slope is not None and slope.mean + slack >= low and slope.mean - slack <= high,
    )


def coverage_gate(covered: HacMean) -> Gate:
    """Ask whether the 90 % interval holds 88 to 92 % of the returns, as far as one can tell."""
    slack = _DOUBT * covered.standard_error
    low, high = COVERAGE
    return Gate(
        name="coverage",
        number=covered.mean,
        needed=f"{low:.0%} to {high:.0%} within its 99 % interval",
        is_passed=covered.mean + slack >= low and covered.mean - slack <= high,
    )


def effective_rows_gate(effective: float) -> Gate:
    """Ask whether there is history enough to learn from."""
    return Gate(
        name="effective_rows",
        number=effective,
        needed=f"at least {MIN_EFFECTIVE_ROWS}",
        is_passed=effective >= MIN_EFFECTIVE_ROWS,
    )
