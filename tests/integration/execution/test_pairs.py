"""The row of a pair goes where its two legs at the exchange go."""

from dataclasses import replace

from execution.domain.fill import VenueStatus
from execution.models import Order
from execution.services.fills import record_reports
from execution.services.orders import place_orders


def place(world, *symbols):
    decisions = [world.decide(symbol).pk for symbol in symbols or ("BTCUSDT",)]
    place_orders(decision_ids=decisions, broker=world.broker, clock=world.clock)


def book(world, *reports):
    return record_reports(account_id=world.account.pk, reports=reports, now=world.clock.now())


def test_the_row_of_a_pair_follows_its_legs(world):
    place(world)
    pair = Order.objects.get(leg="PROTECT")
    report = world.broker.trigger("STOP_LOSS", "BTCUSDT")
    partner = next(o for o in world.broker.orders.values() if o.status is VenueStatus.EXPIRED)

    book(world, report)
    pair.refresh_from_db()
    assert (pair.state, pair.ended_at) == ("NEW", None)
    book(world, partner)

    pair.refresh_from_db()
    stop = Order.objects.get(leg="STOP_LOSS")
    assert (pair.state, pair.reserved_quantity) == ("FILLED", 0)
    assert (pair.filled_quantity, pair.filled_quote) == (stop.filled_quantity, stop.filled_quote)
    assert pair.venue_list_id == report.venue_list_id is not None
    assert pair.ended_at == pair.updated_at


def test_a_pair_whose_legs_were_both_cancelled_is_cancelled(world):
    place(world)
    reply = world.broker.cancel_all("BTCUSDT")

    book(world, *reply.reports)

    assert Order.objects.get(leg="PROTECT").state == "CANCELED"
    world.unsound = "the position stands without a stop"


def test_pairs_that_move_are_found_beside_pairs_that_stay(world):
    place(world, "BTCUSDT", "ETHUSDT")
    stay, go = Order.objects.filter(leg="PROTECT").order_by("pk")
    open_now = world.broker.open_orders("BTCUSDT")
    canceled = world.broker.cancel_all("ETHUSDT").reports
    updated_at = stay.updated_at

    book(world, *open_now, *canceled)

    stay.refresh_from_db()
    go.refresh_from_db()
    assert (stay.state, stay.updated_at, go.state) == ("NEW", updated_at, "CANCELED")
    world.unsound = "a position stands without a stop"


def test_a_pair_that_was_never_sent_does_not_come_to_life_with_its_legs(world):
    place(world)
    pairs = Order.objects.filter(leg__in=["PROTECT", "TAKE_PROFIT", "STOP_LOSS"])
    pairs.update(state="LAPSED")
    world.unsound = "what lapsed is at the exchange"

    book(world, *world.broker.open_orders())

    assert set(pairs.values_list("state", flat=True)) == {"LAPSED"}


def test_a_pair_whose_number_nobody_told_ends_without_one(world):
    place(world)
    pairs = Order.objects.filter(leg__in=["PROTECT", "TAKE_PROFIT", "STOP_LOSS"])
    pairs.update(venue_list_id=None)
    canceled = world.broker.cancel_all("BTCUSDT").reports

    book(world, *(replace(report, venue_list_id=None) for report in canceled))

    assert set(pairs.values_list("state", "venue_list_id")) == {("CANCELED", None)}
    world.unsound = "the position stands without a stop"
