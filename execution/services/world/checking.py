"""The whole world at once: every invariant, with what was found."""

from collections.abc import Callable, Collection, Mapping, Sequence

from core.clock import Clock
from execution.domain.invariants import Answer, Finding, Invariant, WorldReport
from execution.domain.truth import VenueTruth
from execution.models import Account
from execution.services.world import limits, money, orders, safety
from execution.services.world.rows import Beside, World

Check = Callable[[World], Answer]

CHECKS: Mapping[Invariant, Check] = {
    Invariant.I1: orders.check_one_order_per_leg,
    Invariant.I2: orders.check_same_orders,
    Invariant.I3: orders.check_same_trades,
    Invariant.I4: money.check_balances,
    Invariant.I5: money.check_positions,
    Invariant.I6: orders.check_fills_of_orders,
    Invariant.I7: money.check_profit,
    Invariant.I8: money.check_reservations,
    Invariant.I9: safety.check_kill,
    Invariant.I10: orders.check_requests,
    Invariant.I11: limits.check_limits,
    Invariant.I12: safety.check_protection,
    Invariant.I13: safety.check_records,
    Invariant.I14: safety.check_data,
    Invariant.I15: safety.check_secrets,
    Invariant.I16: safety.check_replay,
}
_PAUSE_S = 1.0
NOTHING_BESIDE = Beside()


def check_world(
    *,
    account_id: int,
    read_truth: Callable[[], VenueTruth] | None,
    clock: Clock,
    pause: Callable[[float], None],
    looks: int = 1,
    only: Collection[Invariant] = tuple(Invariant),
    secrets: Sequence[str] = (),
    beside: Beside = NOTHING_BESIDE,
) -> WorldReport:
    """Check every invariant on an account's books, beside the exchange's where it can be read.

    While trading goes on, the two sides are never read at the same moment. So what is found is
    looked at again, `looks` times in all, and only what is found every time is reported.

    Args:
        account_id: Whose books.
        read_truth: Reads the exchange's side; None checks our books alone.
        clock: Market time.
        pause: Waits wall seconds between two looks.
        looks: At most how often to look; a look without findings is the last.
        only: Which invariants.
        secrets: Texts that must not be found anywhere.
        beside: Log files, and the newest recorded session.

    Raises:
        ExchangeError: The exchange could not answer; nothing is concluded.
    """
    answers: dict[Invariant, Answer] = {}
    standing: dict[Invariant, frozenset[Finding]] = {}
    for look in range(max(looks, 1)):
        if look:
            pause(_PAUSE_S)
        world = World(
            account=Account.objects.get(pk=account_id),
            now=clock.now(),
            clock=clock,
            truth=read_truth() if read_truth is not None else None,
            secrets=secrets,
            beside=beside,
        )
        answers = {
            invariant: check(world) for invariant, check in CHECKS.items() if invariant in only
        }
        standing = {
            invariant: _still(standing.get(invariant), answer.findings)
            for invariant, answer in answers.items()
        }
        if not any(standing.values()):
            break
    return WorldReport(
        answers={
            invariant: Answer(
                compared=answer.compared,
                findings=tuple(sorted(standing[invariant])),
                not_checked=answer.not_checked,
            )
            for invariant, answer in answers.items()
        }
    )


def _still(before: frozenset[Finding] | None, found: Sequence[Finding]) -> frozenset[Finding]:
    """Return what was found before too; the figures may have moved on, the subject has not."""
    if before is None:
        return frozenset(found)
    subjects = {finding.subject for finding in before}
    return frozenset(finding for finding in found if finding.subject in subjects)
