from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from rest_framework.test import APIClient

from core.models import AuditRecord
from mlmodels.models import (
    DriftMetric,
    GateResult,
    MLSettings,
    ModelVersion,
    Prediction,
    RetrainEvent,
    RollingMetric,
)
from tests.integration.mlmodels.conftest import NOW, add_instrument, moment
from tests.integration.mlmodels.test_inference import predict
from tests.integration.mlmodels.test_promotion import add_version, states, up

# Only a deployment collects static files.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


@pytest.fixture
def client(db):
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("ann", password="secret"))
    return client


@pytest.fixture(autouse=True)
def _our_addresses():
    with override_settings(ROOT_URLCONF="tests.integration.mlmodels.addresses"):
        yield


def test_it_lists_versions_newest_first_with_filters(client):
    first, second = add_version(), add_version("1d")
    up(first)

    everything = client.get("/models").json()["results"]
    hourly = client.get("/models", {"timeframe": "1h", "state": "CHAMPION"}).json()["results"]

    assert [row["id"] for row in everything] == [second.pk, first.pk]
    assert [row["id"] for row in hourly] == [first.pk]
    assert hourly[0]["verdict"] == "SKILLED"
    assert hourly[0]["trigger"] == "manual"


def test_it_promotes_and_rolls_back_with_a_reason(client):
    first, second = add_version(), add_version()
    up(first)

    promoted = client.post(f"/models/{second.pk}/promote", {"reason": "newer"}, format="json")
    rolled = client.post(f"/models/{second.pk}/rollback", {"reason": "worse"}, format="json")

    assert (promoted.status_code, promoted.json()["state"]) == (200, "CHAMPION")
    assert (rolled.status_code, rolled.json()["id"]) == (200, first.pk)
    assert states() == ["CHAMPION", "REJECTED"]
    written = AuditRecord.objects.order_by("sequence").values_list("actor", "reason")
    assert list(written)[1:] == [("ann", "newer"), ("ann", "worse")]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/models/999/promote", {"reason": "x"}, 404),
        ("/models/{only}/promote", {"reason": "again"}, 409),
        ("/models/{only}/rollback", {"reason": "x"}, 409),
        ("/models/{only}/promote", {}, 400),
        ("/models/{only}/promote", {"reason": "x", "force": True}, 400),
        ("/models/99999999999999999999999/promote", {"reason": "x"}, 404),
    ],
)
def test_it_answers_bad_orders_with_a_reason(client, path, body, status):
    only = add_version()
    up(only)

    answer = client.post(path.format(only=only.pk), body, format="json")

    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message", "context"}
    assert states() == ["CHAMPION"]


def test_it_lists_predictions_by_page_and_filter(client, market, train, cache, windows):
    train(market)
    for bars_before in (3, 2, 1):
        predict(market, windows=windows, models=cache, close_time=moment(bars_before))

    page = client.get("/predictions", {"limit": 4}).json()
    rest = client.get("/predictions", {"limit": 500, "cursor": page["cursor"]}).json()
    some = client.get(
        "/predictions", {"symbol": "AAAUSDT", "since": moment(2).isoformat(), "state": "OK"}
    ).json()["results"]
    resolved = client.get("/predictions", {"is_resolved": "true"}).json()["results"]

    assert (len(page["results"]), len(rest["results"])) == (4, 5)
    assert rest["next"] is None
    assert [row["symbol"] for row in some] == ["AAAUSDT"] * 2
    assert some[0]["realized_return"] is None
    assert resolved == []


@pytest.mark.parametrize(
    "query", [{"model_version": "x"}, {"since": "yesterday"}, {"limit": "0"}, {"cursor": "??"}]
)
def test_it_refuses_filters_that_mean_nothing(client, query):
    assert client.get("/predictions", query).status_code == 400


def test_it_shows_nothing_to_strangers(db):
    assert APIClient().get("/predictions").status_code in (401, 403)
    assert APIClient().post("/models/1/promote", {"reason": "x"}).status_code in (401, 403)


@pytest.fixture
def operator(client):
    browser = Client()
    browser.force_login(User.objects.get(username="ann"))
    return browser


def run_action(operator, name, version, reason):
    return operator.post(
        reverse("admin:mlmodels_modelversion_changelist"),
        {"action": name, "_selected_action": [version.pk], "reason": reason},
        follow=True,
    )


def test_it_moves_versions_in_the_admin_only_with_a_reason(operator):
    first, second = add_version(), add_version()
    up(first)

    without = run_action(operator, "promote_version", second, " ")
    assert states() == ["CHAMPION", "CANDIDATE"]
    done = run_action(operator, "promote_version", second, "looks better")
    undone = run_action(operator, "roll_back_version", second, "does not")

    assert "give a reason" in without.content.decode()
    assert "predicts 1h from now on" in done.content.decode()
    assert undone.status_code == 200
    assert states() == ["CHAMPION", "REJECTED"]
    assert list(AuditRecord.objects.order_by("-sequence").values_list("actor", "reason"))[:2] == [
        ("ann", "does not"),
        ("ann", "looks better"),
    ]


def test_it_shows_ledgers_but_lets_nobody_edit_them(operator):
    version = add_version()

    for name in ("modelversion", "trainingrun", "prediction"):
        assert operator.get(reverse(f"admin:mlmodels_{name}_changelist")).status_code == 200
        assert operator.get(reverse(f"admin:mlmodels_{name}_add")).status_code == 403
    path = reverse("admin:mlmodels_modelversion_change", args=[version.pk])
    assert operator.get(path).status_code == 200
    assert operator.post(path, {"verdict": "SKILLED"}).status_code == 403
    assert operator.post(path.replace("change", "delete")).status_code == 403
    assert ModelVersion.objects.count() == 1


def test_it_keeps_the_history_of_its_settings(operator):
    MLSettings.objects.create()
    path = reverse("admin:mlmodels_mlsettings_change", args=[1])

    answer = operator.post(
        path,
        {
            "retrain_interval_hours": 12,
            "retrain_error_threshold": 0.02,
            "horizon_bars": 12,
            "train_bars": 20_000,
            "label": "FORWARD",
            "label_width": 1,
            "label_take_profit": 0.05,
            "label_stop_loss": 0.02,
            "memory_limit_mb": 4096,
            "feature_parameters": "{}",
        },
    )

    assert answer.status_code == 302
    history = list(
        MLSettings.history.values_list("retrain_interval_hours", "history_user__username")
    )
    assert history == [(12, "ann"), (24, None)]
    refused = operator.post(path, {"feature_parameters": '{"features": ["rsy"]}'})
    assert "there is no feature &#x27;rsy&#x27;" in refused.content.decode()
    adding = SimpleNamespace(user=User.objects.get(username="ann"))
    assert not site._registry[MLSettings].has_add_permission(adding)


def test_it_shows_the_figures_of_a_version(operator):
    version = add_version()
    GateResult.objects.create(
        version=version, name="ic_t", number=1.5, needed="at least 2.33", is_passed=False
    )
    for hours, ic in ((1, 0.1), (2, -0.05)):
        RollingMetric.objects.create(
            version=version,
            regime="ALL",
            at=NOW + timedelta(hours=hours),
            rows=120,
            ic=ic,
            ic_t=ic * 20,
            brier_skill=ic / 10,
            coverage=0.9,
            mean_absolute_error=0.01,
            baseline_error=0.011,
        )
    DriftMetric.objects.create(version=version, feature="rsi_14", at=NOW, psi=0.6, threshold=0.3)
    RetrainEvent.objects.create(
        scope="1h", trigger="skill", outcome="STARTED", evidence={"page": 13}, created_at=NOW
    )

    instrument = add_instrument("AAAUSDT")
    for hours, unlike in enumerate((1.0, 1.2, 2.4)):
        Prediction.objects.create(
            model_version=version,
            instrument=instrument,
            timeframe="1h",
            timestamp=NOW + timedelta(hours=hours),
            close_time=NOW + timedelta(hours=hours),
            resolves_at=NOW + timedelta(hours=hours + 12),
            state="OK",
            **dict.fromkeys(("p_up", "expected_return", "lower", "upper", "sigma"), 0.5),
            horizon_bars=12,
            dissimilarity=unlike,
            created_at=NOW,
        )

    page = operator.get(reverse("admin:mlmodels_modelversion_health", args=[version.pk]))
    listed = operator.get(reverse("admin:mlmodels_modelversion_changelist")).content.decode()

    text = page.content.decode()
    assert page.status_code == 200
    assert "at least 2.33" in text
    assert text.count("<svg") >= 5
    assert "rsi_14" in text
    assert "1 of the newest 3 predictions lie beyond 2" in text
    assert "STARTED" in text
    assert f"/modelversion/{version.pk}/health/" in listed


def test_it_shows_figures_to_nobody_without_permission(client):
    version = add_version()
    clerk = User.objects.create_user("bob", password="secret", is_staff=True)
    browser = Client()
    browser.force_login(clerk)

    page = browser.get(reverse("admin:mlmodels_modelversion_health", args=[version.pk]))

    assert page.status_code == 403
