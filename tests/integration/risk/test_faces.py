"""The kill switch and the limits by REST, by command and in the admin."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import timezone

from core.tokens import issue_token
from risk.domain.trading_state import Level
from risk.models import RiskLimits, RiskMetrics, RiskVerdict, TradingStateChange
from risk.services.limits import save_limits
from risk.services.trading_state import raise_level, read_state

D = Decimal
PAGE = "/admin/risk/tradingstate/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_superuser("anna", password="irrelevant")


@pytest.fixture
def api(user: User) -> Client:
    _, secret = issue_token(
        user=user, name="test", now=timezone.now(), lifetime=timedelta(days=1), actor="test"
    )
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def page(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, url: str, **body):
    return client.post(url, body, content_type="application/json")


def halt(level: Level = Level.HALT) -> None:
    raise_level(level=level, reason="odd", actor="bert", now=timezone.now())


class TestRest:
    def test_it_wants_a_token(self, client) -> None:
        for url in ("limits", "state", "metrics", "verdicts"):
            assert client.get(f"/risk/{url}").status_code == 401
        assert post(client, "/risk/halt", reason="x").status_code == 401
        assert read_state().level is Level.ACTIVE

    def test_it_halts_and_rearms(self, api) -> None:
        halted = post(api, "/risk/halt", reason="odd prices")
        repeated = post(api, "/risk/halt", reason="odd prices")
        rearmed = post(api, "/risk/rearm", reason="explained")

        assert halted.json()["level"] == "HALT"
        assert repeated.json()["epoch"] == halted.json()["epoch"]
        assert rearmed.json()["level"] == "ACTIVE"
        assert [change["actor"] for change in rearmed.json()["changes"]] == ["anna", "anna"]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"reason": ""},
            {"reason": "  "},
            {"reason": "x", "level": "ACTIVE"},
            {"reason": "x", "level": "halt"},
            {"reason": "x", "epoch": 9},
        ],
        ids=str,
    )
    def test_it_refuses_an_odd_halt(self, api, body) -> None:
        answer = post(api, "/risk/halt", **body)

        assert answer.status_code == 400
        assert answer.json()["code"] == "INVALID_INPUT"
        assert read_state().level is Level.ACTIVE

    def test_it_changes_limits(self, api) -> None:
        answer = api.put(
            "/risk/limits",
            {"max_daily_loss": "500.5", "max_positions": 4, "reason": "calmer", "version": 1},
            content_type="application/json",
        )

        body = answer.json()
        assert answer.status_code == 200
        assert (body["max_daily_loss"], body["max_positions"], body["version"]) == ("500.5", 4, 2)
        assert body["max_order_notional"] is None
        assert api.get("/risk/limits").json() == body

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"stop_loss_fraction": "2"}, 400),
            ({"max_daily_loss": 0.5}, 400),
            ({"max_daily_loss": "NaN"}, 400),
            ({"max_positions": 0}, 400),
            ({"id": 2}, 400),
            ({"max_positions": 5, "version": 7}, 409),
        ],
        ids=str,
    )
    def test_it_refuses_odd_limits(self, api, body, status: int) -> None:
        answer = api.put("/risk/limits", {"reason": "x", **body}, content_type="application/json")

        assert answer.status_code == status, answer.json()
        assert RiskLimits.objects.get().version == 1

    def test_it_lists_equity_and_verdicts(self, api) -> None:
        RiskMetrics.objects.create(
            account_id=7,
            timestamp=timezone.now(),
            open_positions=1,
            drawdown_fraction=D("0.05"),
            **dict.fromkeys(
                (
                    "equity",
                    "cash",
                    "exposure",
                    "unrealized_pnl",
                    "realized_pnl",
                    "daily_pnl",
                    "high_water_mark",
                    "day_start_equity",
                ),
                D("100.25"),
            ),
        )
        RiskVerdict.objects.create(
            intent_key="k",
            account_id=7,
            instrument_id=1,
            symbol="BTCUSDT",
            approved=False,
            code="DATA_STALE",
            epoch=1,
            created_at=timezone.now(),
        )

        [metrics] = api.get("/risk/metrics").json()["results"]
        [verdict] = api.get("/risk/verdicts?approved=false").json()["results"]
        assert (metrics["equity"], metrics["open_positions"]) == ("100.25", 1)
        assert verdict["code"] == "DATA_STALE"
        assert api.get("/risk/verdicts?approved=true").json()["results"] == []
        assert api.get("/risk/state").json()["denials"][0]["code"] == "DATA_STALE"


class TestCommands:
    def test_it_halts_and_rearms(self) -> None:
        out = StringIO()

        call_command("halt", "--level", "CANCEL", "--reason", "odd", stdout=out)
        halted = read_state().level
        call_command("rearm", "--reason", "explained", stdout=out)

        assert halted is Level.CANCEL
        assert read_state().level is Level.ACTIVE
        assert "Kill switch is at CANCEL" in out.getvalue()
        assert all(change.actor.startswith("cli:") for change in TradingStateChange.objects.all())

    @pytest.mark.parametrize("command", ["halt", "rearm"])
    def test_it_wants_a_reason(self, command: str) -> None:
        with pytest.raises(CommandError):
            call_command(command)
        with pytest.raises(CommandError, match="reason"):
            call_command(command, "--reason", " ")

    @override_settings(REDIS_URL="redis://127.0.0.1:1/0")
    def test_it_halts_without_redis(self) -> None:
        call_command("halt", "--reason", "odd", stdout=StringIO())

        assert read_state().level is Level.HALT


class TestAdmin:
    def test_the_page_shows_level_limits_changes_and_denials(self, page) -> None:
        halt()

        html = page.get(PAGE).content.decode()

        assert 'id="kill-level"' in html
        assert "HALT" in html
        for form in ("halt-form", "rearm-form", "limits-form"):
            assert f'id="{form}"' in html
        assert "bert" in html

    def test_it_halts_only_when_confirmed_and_explained(self, page) -> None:
        url = f"{PAGE}halt/"

        assert page.post(url, {"level": "HALT", "reason": "odd"}).status_code == 400
        assert page.post(url, {"level": "HALT", "is_confirmed": "on"}).status_code == 400
        assert page.get(url).status_code == 405
        assert read_state().level is Level.ACTIVE

        answer = page.post(url, {"level": "HALT", "reason": "odd", "is_confirmed": "on"})
        assert (answer.status_code, answer.url) == (302, PAGE)
        assert read_state().level is Level.HALT

    def test_it_rearms_only_what_the_person_saw(self, page) -> None:
        halt()
        seen = read_state().epoch
        halt(Level.FLATTEN)
        form = {"reason": "ok", "is_confirmed": "on", "expected_epoch": seen}

        stale = page.post(f"{PAGE}rearm/", form, follow=True)
        assert "has changed since you looked" in stale.content.decode()
        assert read_state().level is Level.FLATTEN

        page.post(f"{PAGE}rearm/", {**form, "expected_epoch": read_state().epoch})
        assert read_state().level is Level.ACTIVE

    def test_it_saves_limits_and_names_what_is_wrong(self, page) -> None:
        form = self.limits_form(max_positions=4)

        wrong = page.post(f"{PAGE}limits/", {**form, "stop_loss_fraction": "2"})
        assert wrong.status_code == 400
        assert "must be above 0 to 0.5" in wrong.content.decode()
        assert RiskLimits.objects.get().max_positions == 10

        page.post(f"{PAGE}limits/", form)
        assert RiskLimits.objects.get().max_positions == 4

    def test_it_overwrites_nothing_with_a_stale_form(self, page) -> None:
        form = self.limits_form(max_positions=4)
        save_limits(changes={"max_positions": 6}, actor="bert", reason="x", now=timezone.now())

        answer = page.post(f"{PAGE}limits/", form, follow=True)

        assert "reload" in answer.content.decode()
        assert RiskLimits.objects.get().max_positions == 6

    def test_it_escapes_what_people_wrote(self, page) -> None:
        raise_level(level=Level.HALT, reason="<script>x</script>", actor="bert", now=timezone.now())

        assert "<script>x</script>" not in page.get(PAGE).content.decode()

    def test_a_viewer_sees_and_cannot_act(self) -> None:
        viewer = User.objects.create_user("vera", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_tradingstate"))
        client = Client()
        client.force_login(viewer)

        html = client.get(PAGE).content.decode()
        answer = client.post(f"{PAGE}halt/", {"level": "HALT", "reason": "x", "is_confirmed": "on"})
        assert 'id="halt-form"' not in html
        assert answer.status_code == 403
        assert read_state().level is Level.ACTIVE

    @pytest.mark.parametrize(
        "url",
        [
            "/admin/risk/risklimits/",
            "/admin/risk/risklimits/1/history/",
            "/admin/risk/tradingstatechange/",
            "/admin/risk/riskverdict/",
            "/admin/risk/riskmetrics/",
        ],
    )
    def test_the_ledgers_can_be_read(self, page, url: str) -> None:
        halt()

        assert page.get(url).status_code == 200

    def limits_form(self, **changes):
        row = RiskLimits.objects.get()
        names = [field.name for field in RiskLimits._meta.fields if field.editable]
        values = {
            name: "" if getattr(row, name) is None else str(getattr(row, name))
            for name in names
            if name != "id"
        }
        return {**values, "reason": "calmer", "expected_version": row.version, **changes}


class TestScopes:
    """One symbol is stopped by every face, and the rest goes on."""

    def test_by_the_api(self, api) -> None:
        halted = post(api, "/risk/halt", level="CANCEL", scope="symbol:btcusdt", reason="odd")
        odd = post(api, "/risk/halt", scope="pair:btcusdt", reason="odd")
        rearmed = post(api, "/risk/rearm", scope="symbol:BTCUSDT", reason="explained")

        assert halted.json()["level"] == "ACTIVE"
        assert halted.json()["scopes"] == [
            {"scope": "symbol:BTCUSDT", "level": "CANCEL", "epoch": 1}
        ]
        assert odd.status_code == 400
        assert "symbol:NAME" in odd.json()["message"]
        assert rearmed.json()["scopes"] == []

    def test_by_the_command(self) -> None:
        out = StringIO()

        call_command("halt", "--scope", "strategy:slow", "--reason", "odd", stdout=out)

        assert "Kill switch of strategy:slow is at HALT, epoch 1." in out.getvalue()
        assert read_state().level is Level.ACTIVE
        assert read_state(scopes=["strategy:slow"]).level is Level.HALT

    def test_by_the_page(self, page) -> None:
        form = {"level": "HALT", "reason": "odd", "is_confirmed": "on"}
        assert page.post(f"{PAGE}halt/", {**form, "scope": "what"}).status_code == 400

        page.post(f"{PAGE}halt/", {**form, "scope": "model:m"})

        html = page.get(PAGE).content.decode()
        assert 'id="scope-modelm"' in html
        assert "Re-arm model:m" in html
        page.post(
            f"{PAGE}rearm/",
            {"reason": "ok", "is_confirmed": "on", "expected_epoch": 1, "scope": "model:m"},
        )
        assert "Re-arm model:m" not in page.get(PAGE).content.decode()
