from datetime import UTC, datetime, timedelta

import pytest

from alerts.adapters.apprise_transport import AppriseTransport
from alerts.models import Alert, Channel, Delivery
from alerts.ports import SendFailed
from alerts.services.channels import sealed, target_of
from alerts.services.delivery import CLAIM_TIMEOUT, deliver_due

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeTransport:
    def __init__(self, *errors):
        self.sent = []
        self.errors = list(errors)

    def send(self, message):
        if self.errors and (error := self.errors.pop(0)):
            raise error
        self.sent.append(message)


def make_channel(**changes):
    target = changes.pop("target", "https://example.com/hook/abc")
    arguments = {"name": "desk", "kind": "WEBHOOK", "sealed_target": sealed(target)}
    return Channel.objects.create(**{**arguments, **changes})


def make_alert(number=0, severity="ERROR", **changes):
    return Alert.objects.create(
        **{
            "code": "DEMO",
            "severity": severity,
            "message": "Something happened.",
            "context": {"order_id": 7},
            "dedupe_key": f"k{number}",
            "window": 1,
            "timestamp": NOW,
            "last_at": NOW,
            **changes,
        }
    )


def states():
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))


def test_it_sends_each_alert_once_to_each_channel():
    make_channel()
    make_channel(name="phone")
    make_alert()
    transport = FakeTransport()

    first = deliver_due(transport=transport, now=NOW)
    second = deliver_due(transport=transport, now=NOW)

    assert (first, second) == (2, 0)
    assert len(transport.sent) == 2
    assert "order_id: 7" in transport.sent[0].body
    assert transport.sent[0].title == "[ERROR] DEMO"


def test_it_leaves_out_what_is_not_bad_enough():
    make_channel(min_severity="ERROR")
    make_alert(1, "WARNING")
    make_alert(2, "CRITICAL")
    transport = FakeTransport()

    deliver_due(transport=transport, now=NOW)

    assert [message.severity for message in transport.sent] == ["CRITICAL"]


def test_it_leaves_out_channels_that_are_off_and_old_alerts():
    old = make_alert()
    make_channel(after_alert_id=old.pk)
    make_channel(name="off", is_enabled=False)
    transport = FakeTransport()

    deliver_due(transport=transport, now=NOW)

    assert transport.sent == []


def test_it_tries_again_later_and_then_succeeds():
    make_channel()
    make_alert()
    transport = FakeTransport(SendFailed("no answer"))

    deliver_due(transport=transport, now=NOW)
    too_early = deliver_due(transport=transport, now=NOW + timedelta(seconds=14))
    later = deliver_due(transport=transport, now=NOW + timedelta(seconds=15))

    delivery = Delivery.objects.get()
    assert (too_early, later) == (0, 1)
    assert (delivery.state, delivery.attempts) == ("SENT", 2)


def test_it_gives_up_after_five_attempts():
    make_channel()
    make_alert()
    transport = FakeTransport(*[SendFailed("no answer")] * 9)
    now = NOW
    for _ in range(8):
        deliver_due(transport=transport, now=now)
        now += timedelta(minutes=11)

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("FAILED", 5)
    assert delivery.last_error == "no answer"


def test_it_gives_up_at_once_when_trying_again_cannot_help():
    make_channel()
    make_alert()

    deliver_due(transport=FakeTransport(SendFailed("gone", is_final=True)), now=NOW)

    assert states() == ["FAILED"]


def test_the_hourly_limit_suppresses_all_but_the_critical():
    make_channel(max_per_hour=2)
    for number in range(4):
        make_alert(number)
    make_alert(9, "CRITICAL")
    transport = FakeTransport()

    deliver_due(transport=transport, now=NOW)
    make_alert(10)
    deliver_due(transport=transport, now=NOW + timedelta(minutes=61))

    assert states() == ["SENT", "SENT", "SUPPRESSED", "SUPPRESSED", "SENT", "SENT"]


@pytest.mark.faults
def test_a_delivery_whose_sender_died_is_not_sent_again():
    make_channel()
    make_alert()

    class Dies:
        def send(self, message):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due(transport=Dies(), now=NOW)
    transport = FakeTransport()
    deliver_due(transport=transport, now=NOW + CLAIM_TIMEOUT + timedelta(seconds=1))

    assert transport.sent == []
    assert states() == ["UNKNOWN"]


def test_a_target_sealed_under_another_key_fails_with_the_reason(settings):
    make_channel()
    make_alert()
    settings.SECRET_KEY = "another" * 10

    deliver_due(transport=FakeTransport(), now=NOW)

    assert "SECRET_KEY was changed" in Delivery.objects.get().last_error


def test_a_former_secret_key_still_opens(settings):
    channel = make_channel()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10

    assert target_of(channel) == "https://example.com/hook/abc"


def test_the_database_holds_no_address():
    make_channel()

    assert "example.com" not in str(list(Channel.objects.values()))


SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
TELEGRAM = "tgram://123456789:abcdefg_hijklmnop/12315544"
DISCORD = "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"


@pytest.mark.parametrize(
    ("kind", "target", "plugin", "attribute", "path", "secret"),
    [
        ("SLACK", SLACK, "slack.NotifySlack", "webhook_url", "/services", "TIiajkdnlazk"),
        ("TELEGRAM", TELEGRAM, "telegram.NotifyTelegram", "notify_url", "/bot", "abcdefg_hij"),
        ("DISCORD", DISCORD, "discord.NotifyDiscord", "notify_url", "/hooks", "JHMHI8qBe7bk"),
    ],
)
def test_it_reaches_the_service(
    inbox, monkeypatch, caplog, kind, target, plugin, attribute, path, secret
):
    monkeypatch.setattr(f"apprise.plugins.{plugin}.{attribute}", inbox.url + path)
    make_channel(kind=kind, target=target)
    make_alert()
    caplog.set_level("DEBUG")

    sent = deliver_due(transport=AppriseTransport(), now=NOW)

    assert sent == 1
    (request_path, body) = inbox.requests[-1]
    assert secret in request_path
    assert "Something happened." in str(body)
    assert secret not in caplog.text


def test_it_tries_again_when_the_service_refuses(inbox, monkeypatch):
    monkeypatch.setattr("apprise.plugins.slack.NotifySlack.webhook_url", f"{inbox.url}/services")
    inbox.status = 500
    make_channel(kind="SLACK", target=SLACK)
    make_alert()

    deliver_due(transport=AppriseTransport(), now=NOW)

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("PENDING", 1)
    assert "TIiajkdnlazk" not in delivery.last_error


def test_it_sends_mail(mail_server):
    port = mail_server.server_address[1]
    target = f"mailto://127.0.0.1:{port}?from=bot@example.com&to=ann@example.com&mode=insecure"
    make_channel(kind="EMAIL", target=target)
    make_alert()

    sent = deliver_due(transport=AppriseTransport(), now=NOW)

    assert sent == 1
    assert "ann@example.com" in mail_server.mails[0]
    assert "[ERROR] DEMO" in mail_server.mails[0]


def test_it_posts_json_to_a_webhook(inbox):
    make_channel(target=f"{inbox.url}/hook")
    make_alert()

    sent = deliver_due(transport=AppriseTransport(), now=NOW)

    assert sent == 1
    assert inbox.requests[0][1]["severity"] == "ERROR"


@pytest.mark.parametrize("status", [302, 403, 404])
def test_it_follows_no_redirect_and_does_not_insist(inbox, status):
    inbox.status = status
    make_channel(target=f"{inbox.url}/hook")
    make_alert()

    deliver_due(transport=AppriseTransport(), now=NOW)

    assert states() == ["FAILED"]
    assert len(inbox.requests) == 1


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://169.254.169.254/latest",
        "http://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://[fd00::1]/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "https://user@127.0.0.1/",
        "https://",
        "https://[",
        "",
    ],
)
def test_it_sends_nothing_into_our_own_network(settings, target):
    settings.ALERTS_ALLOW_LOOPBACK = False
    make_channel(target=target or " ")
    make_alert()

    deliver_due(transport=AppriseTransport(), now=NOW)

    delivery = Delivery.objects.get()
    assert delivery.state == "FAILED"
    assert delivery.attempts == 1


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("SLACK", "json://127.0.0.1/x"),
        ("TELEGRAM", "https://example.com"),
        ("DISCORD", "discord://"),
        ("EMAIL", "file:///etc/passwd"),
        ("EMAIL", "mailto://10.0.0.1?from=a@b.de&to=c@d.de"),
    ],
)
def test_it_takes_only_addresses_of_the_kind(kind, target):
    make_channel(kind=kind, target=target)
    make_alert()

    deliver_due(transport=AppriseTransport(), now=NOW)

    assert states() == ["FAILED"]
