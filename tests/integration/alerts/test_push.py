import os
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from alerts import push
from core import broadcast
from core.background import BackgroundQueue

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def ticker(price="1.50", symbol="BTCUSDT"):
    return push.Ticker(
        type="ticker", at=NOW, symbol=symbol, price=Decimal(price), bid=None, ask=None
    )


def sent():
    assert broadcast.flush()
    return async_to_sync(push.read_since)(async_to_sync(first_seq)() - 1)


async def first_seq():
    import redis.asyncio
    from django.conf import settings

    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
        entries = await client.xrange(f"{settings.REDIS_PREFIX}live:stream", count=1)
    return int(entries[0][0].split(b"-")[0])


@pytest.mark.django_db(transaction=True)
def test_it_sends_after_the_commit_only(redis_url):
    before = async_to_sync(push.latest_seq)()
    with transaction.atomic():
        push.publish(ticker())
        broadcast.flush()
        meanwhile = async_to_sync(push.latest_seq)()

    assert meanwhile == before
    assert [message["seq"] for message in sent()] == [before + 1]


@pytest.mark.django_db(transaction=True)
def test_it_sends_nothing_of_a_transaction_rolled_back(redis_url):
    before = async_to_sync(push.latest_seq)()
    with transaction.atomic():
        push.publish(ticker())
        transaction.set_rollback(True)
    broadcast.flush()

    assert async_to_sync(push.latest_seq)() == before


@pytest.mark.django_db(transaction=True)
async def test_a_group_gets_one_message_per_call_with_running_numbers(redis_url):
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(push.LIVE_GROUP, channel)

    push.publish(ticker("1.50"), ticker("2"))
    push.publish(ticker("3"))
    first = await layer.receive(channel)
    second = await layer.receive(channel)

    assert first["type"] == "live.messages"
    one, two = first["messages"]
    (three,) = second["messages"]
    assert [two["seq"], three["seq"]] == [one["seq"] + 1, one["seq"] + 2]
    assert one == {
        "type": "ticker",
        "version": 1,
        "at": "2026-03-01T00:00:00Z",
        "symbol": "BTCUSDT",
        "price": "1.5",
        "bid": None,
        "ask": None,
        "seq": one["seq"],
    }


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_missed_some_gets_them_in_order(redis_url):
    for price in range(1, 6):
        push.publish(ticker(str(price)))
    assert broadcast.flush()
    latest = await push.latest_seq()

    missed = await push.read_since(latest - 3)

    assert [message["price"] for message in missed] == ["3", "4", "5"]
    assert [message["seq"] for message in missed] == [latest - 2, latest - 1, latest]
    assert await push.read_since(latest) == []


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_missed_too_much_is_told_so(redis_url, monkeypatch):
    monkeypatch.setattr(broadcast, "HISTORY_LENGTH", 10)
    for _ in range(40):
        push.publish(*[ticker() for _ in range(10)])
    assert broadcast.flush(5)
    latest = await push.latest_seq()

    assert await push.read_since(latest - 399) is None
    assert await push.read_since(latest + 5) is None
    assert len(await push.read_since(latest - 5)) == 5


@pytest.mark.django_db(transaction=True)
def test_numbers_stay_above_the_old_ones_when_redis_loses_everything(redis_url):
    import redis

    push.publish(ticker())
    broadcast.flush()
    before = async_to_sync(push.latest_seq)()
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()

    push.publish(ticker())
    broadcast.flush()

    assert async_to_sync(push.latest_seq)() > before
    assert async_to_sync(push.read_since)(before) is None


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_it_neither_raises_nor_waits_without_redis(redis_url, settings, caplog, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    lonely = BackgroundQueue("lonely", broadcast._Sender())
    monkeypatch.setattr(broadcast, "_queue", lonely)

    for _ in range(5):
        push.publish(ticker())

    assert lonely.flush(10)
    assert lonely.dropped == 5
    assert caplog.text.count("lonely.dropped") == 1


def test_it_drops_instead_of_waiting_when_the_queue_is_full():
    gate = threading.Event()
    slow = BackgroundQueue("slow", lambda _: gate.wait(5), maxsize=2)

    for number in range(10):
        slow.put(number)
    gate.set()

    assert slow.flush(5)
    assert slow.dropped >= 7


def test_a_forked_child_sends_by_itself():
    got, was = os.pipe()
    queue = BackgroundQueue("forked", lambda text: os.write(was, text))
    queue.put(b"p")
    assert queue.flush(5)

    child = os.fork()
    if child == 0:
        queue.put(b"c")
        queue.flush(5)
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(got, 2) == b"pc"


def test_an_item_that_fails_does_not_end_the_thread():
    got = []

    def handle(item):
        if item == "bad":
            raise RuntimeError("no")
        got.append(item)

    queue = BackgroundQueue("odd", handle)
    for item in ("a", "bad", "b"):
        queue.put(item)

    assert queue.flush(5)
    assert got == ["a", "b"]


def test_it_never_raises_for_a_value_json_cannot_hold(caplog):
    push.publish({**ticker(), "symbol": object()})

    assert "push.unserializable" in caplog.text
