import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from markets.models import Instrument
from sentiment.adapters.factory import make_source, wanted_kinds
from sentiment.adapters.feeds import FearGreedSource, GdeltSource, RssSource
from sentiment.adapters.scripted import FileSource, GeneratedSource
from sentiment.models import Mention, SentimentScore, Source
from sentiment.ports import SourceUnavailable
from sentiment.selectors import list_sentiment
from sentiment.services.collection import collect
from sentiment.services.scoring import score_instruments

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>
<item><title>Bitcoin surges</title><guid>1</guid><link>https://x/1</link>
<pubDate>Sun, 01 Mar 2026 11:00:00 GMT</pubDate></item>
<item><title>No date</title><guid>2</guid></item>
<item><title>Ether plunges</title><guid>3</guid><link>javascript:alert(1)</link>
<pubDate>Sun, 01 Mar 2026 11:30:00 GMT</pubDate></item></channel></rss>"""
GDELT = {
    "articles": [
        {
            "url": "https://news.example/a",
            "title": "Bitcoin  rallies",
            "seendate": "20260301T110000Z",
            "domain": "news.example",
        },
        {"url": "https://news.example/b", "title": "odd", "seendate": "yesterday"},
    ]
}
FEAR = {"data": [{"value": "25", "timestamp": "1772323200", "value_classification": "Fear"}]}


class Server:
    def __init__(self):
        self.status, self.body, self.headers, self.seen = 200, b"", {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.seen.append((self.path, dict(self.headers)))
                is_known = self.headers.get("If-None-Match") == outer.headers.get("ETag", "none")
                self.send_response(304 if is_known else outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                body = b"" if is_known else outer.body
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/feed"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


def ask(source, **headers):
    return source.fetch(**{"etag": "", "last_modified": "", **headers})


def test_it_reads_a_feed_and_asks_only_for_what_is_new(server):
    server.body, server.headers = FEED.encode(), {"ETag": '"abc"'}

    first = ask(RssSource(server.url))
    second = ask(RssSource(server.url), etag=first.etag)

    assert [item.title for item in first.items] == ["Bitcoin surges", "Ether plunges"]
    assert first.items[0].published_at == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert first.items[1].link == ""
    assert second.items == ()
    assert second.etag == '"abc"'


def test_it_reads_gdelt(server):
    server.body = json.dumps(GDELT).encode()

    (item,) = ask(GdeltSource(server.url)).items

    assert (item.title, item.author) == ("Bitcoin rallies", "news.example")
    assert "mode=artlist" in server.seen[0][0]


def test_it_reads_fear_and_greed(server):
    server.body = json.dumps(FEAR).encode()

    (item,) = ask(FearGreedSource(server.url)).items

    assert item.score == -0.5


@pytest.mark.faults
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": []}', b"\xff", b'{"data": 3}'])
@pytest.mark.parametrize("adapter", [FearGreedSource, RssSource])
def test_it_survives_what_is_not_an_answer(server, adapter, body):
    server.body = body

    try:
        items = ask(adapter(server.url)).items
    except SourceUnavailable:
        items = ()

    assert items == ()


@pytest.mark.faults
def test_it_reports_errors_and_silence(server):
    server.status = 429
    with pytest.raises(SourceUnavailable, match="429"):
        ask(RssSource(server.url))
    with pytest.raises(SourceUnavailable, match="ConnectionError"):
        ask(RssSource("http://127.0.0.1:1/"))


@pytest.mark.faults
def test_it_stops_reading_what_is_too_large(server, monkeypatch):
    monkeypatch.setattr("sentiment.adapters.http.MAX_BYTES", 100_000)
    server.body = b"x" * 300_000

    with pytest.raises(SourceUnavailable, match="more than"):
        ask(RssSource(server.url))


def test_recorded_feeds_are_read(server, shared_data):
    files = sorted((shared_data / "payloads" / "rss").glob("*.xml"))
    if not files:
        pytest.skip("no recorded feeds on this machine")
    for file in files:
        server.body = file.read_bytes()

        items = ask(RssSource(server.url)).items

        assert len(items) == server.body.count(b"<item>")
        assert all(item.published_at.tzinfo for item in items)


def test_a_script_shows_nothing_of_the_future(tmp_path):
    script = tmp_path / "script.jsonl"
    rows = [
        {"id": 1, "at": "2026-03-01T11:00:00+00:00", "title": "Bitcoin surges"},
        {"id": 2, "at": "2026-03-01T13:00:00+00:00", "title": "Bitcoin plunges"},
    ]
    script.write_text("\n".join(json.dumps(row) for row in rows))

    assert [item.external_id for item in ask(FileSource(script, now=NOW)).items] == ["1"]
    script.write_text('{"id": 1}')
    with pytest.raises(SourceUnavailable, match="line 1"):
        ask(FileSource(script, now=NOW))


def test_made_up_texts_are_the_same_for_the_same_moment_and_say_what_they_are():
    one = ask(GeneratedSource(now=NOW)).items

    assert one == ask(GeneratedSource(now=NOW)).items
    assert all("scripted" in item.title for item in one)
    assert all(item.published_at <= NOW for item in one)


def test_the_demo_reads_no_real_news(settings):
    assert wanted_kinds() == {"SCRIPTED"}
    settings.TRADING_MODE = "testnet"
    assert "RSS" in wanted_kinds()


def make_instrument(symbol="BTCUSDT", base="BTC"):
    return Instrument.objects.create(
        symbol=symbol,
        base_asset=base,
        quote_asset="USDT",
        status="TRADING",
        tick_size="0.01",
        step_size="0.001",
        synced_at=NOW,
    )


def gather(now=NOW):
    # A test that commits ends with a flush, which takes the migration's sources too.
    Source.objects.get_or_create(name="Scripted (not real news)", kind="SCRIPTED")
    return collect(
        kinds={"SCRIPTED"},
        make_source=lambda source: make_source(kind=source.kind, address="", now=now),
        now=now,
    )


@pytest.mark.django_db
def test_it_keeps_each_text_once():
    first = gather()
    again = gather(NOW + timedelta(minutes=15))

    assert first > 0
    assert again == 0
    assert Mention.objects.filter(available_at=NOW).count() == Mention.objects.count()


@pytest.mark.django_db
def test_it_asks_no_source_more_often_than_agreed():
    gather()
    Mention.objects.all().delete()

    assert gather(NOW + timedelta(minutes=5)) == 0


@pytest.mark.faults
@pytest.mark.django_db
def test_a_source_that_fails_is_noted_and_does_not_stop_the_others(server):
    server.body = FEED.encode()
    Source.objects.all().delete()
    Source.objects.create(name="a", kind="RSS", address="http://127.0.0.1:1/")
    Source.objects.create(name="b", kind="RSS", address=server.url)

    new = collect(kinds={"RSS"}, make_source=lambda source: RssSource(source.address), now=NOW)

    assert new == 2
    assert Source.objects.get(name="a").last_error == "ConnectionError"
    assert Source.objects.get(name="b").last_error == ""


@pytest.mark.django_db
def test_it_scores_what_was_known_and_never_later():
    instrument = make_instrument()
    gather()
    made = score_instruments(base_assets={instrument.pk: "BTC"}, now=NOW)
    score_instruments(base_assets={instrument.pk: "BTC"}, now=NOW)

    at_once = list_sentiment(instrument_ids=[instrument.pk], as_of=NOW)
    before = list_sentiment(instrument_ids=[instrument.pk], as_of=NOW - timedelta(seconds=1))
    too_late = list_sentiment(instrument_ids=[instrument.pk], as_of=NOW + timedelta(days=2))

    assert made == 1
    assert SentimentScore.objects.count() == 1
    assert at_once[instrument.pk].available_at == NOW
    assert 0 < at_once[instrument.pk].confidence < 1
    assert "Scripted (not real news)" in SentimentScore.objects.get().detail
    assert before == {}
    assert too_late == {}


@pytest.mark.django_db
def test_the_newest_scores_cost_two_queries(django_assert_num_queries):
    pairs = [make_instrument("BTCUSDT", "BTC"), make_instrument("ETHUSDT", "ETH")]
    gather()
    assets = {instrument.pk: instrument.base_asset for instrument in pairs}
    for minutes in (0, 15, 30):
        score_instruments(base_assets=assets, now=NOW + timedelta(minutes=minutes))

    with django_assert_num_queries(2):
        views = list_sentiment(instrument_ids=list(assets), as_of=NOW + timedelta(minutes=20))

    assert {view.available_at for view in views.values()} == {NOW + timedelta(minutes=15)}
    assert set(views) == set(assets)


@pytest.mark.django_db
def test_the_api_shows_scores_of_a_symbol():
    instrument = make_instrument()
    gather()
    score_instruments(base_assets={instrument.pk: "BTC"}, now=NOW)
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("ann"))

    rows = client.get("/sentiment/btcusdt").json()["results"]
    missing = client.get("/sentiment/NOPE")

    assert rows[0]["available_at"] == "2026-03-01T12:00:00Z"
    assert missing.status_code == 404
