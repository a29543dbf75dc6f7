"""A search through the database: shared, resumed, in the ledger, and honest about luck."""

from io import StringIO

import optuna
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.urls import reverse
from rest_framework.test import APIClient

from core.errors import InvalidInput
from core.processes import own_identity
from mlmodels import tasks
from mlmodels.adapters.factory import get_changed_trainers
from mlmodels.models import Search, SearchEntry, Trial
from mlmodels.services import searching
from mlmodels.services.search_orders import (
    STALLED_AFTER,
    SearchOrder,
    list_stalled,
    start_search,
)
from mlmodels.services.searching import load_study, run_trial
from tests.integration.mlmodels.conftest import H1, NOW, add_market

# Only a deployment collects static files.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


@pytest.fixture(autouse=True)
def _our_addresses():
    with override_settings(ROOT_URLCONF="tests.integration.mlmodels.addresses"):
        yield


@pytest.fixture
def pool(db):
    """One symbol with a planted signal that pays its costs."""
    return [add_market("AAAUSDT", seed=1, ic=0.5, bars=3200)]


def order(pool, **changes):
    return SearchOrder(
        **{
            "timeframe": H1,
            "instrument_ids": [row.pk for row in pool],
            "trials": 3,
            "recipes": ("logistic",),
            "horizons": (6,),
            "cost_bps": 2.0,
            **changes,
        }
    )


def begin(pool, **changes):
    return start_search(order=order(pool, **changes), actor="ann", now=NOW)


def step(search):
    return run_trial(search_id=search.pk, make_trainers=get_changed_trainers, now=NOW)


def test_it_judges_reports_and_keeps_every_trial_in_the_ledger(pool):
    search = begin(pool)

    going = [step(search) for _ in range(4)]

    search.refresh_from_db()
    assert (going, search.status) == ([True, True, True, False], "DONE")
    trials = Trial.objects.filter(search=search).order_by("search_number")
    assert [trial.search_number for trial in trials] == [0, 1, 2]
    assert all(len(trial.blocks) == 12 for trial in trials)
    report = search.report
    best = max(trials, key=lambda trial: trial.score)
    assert report["best"]["number"] == best.search_number
    assert report["ledger"] == 3
    assert 0.0 <= report["overfitting"]["probability"] <= 1.0
    assert 0.0 <= report["deflated_sharpe"] <= 1.0
    # what was planted is there in the quarter that no trial saw
    assert report["held_out"]["ic_t"] > 2.33
    assert report["held_out"]["rows"] > 500
    assert step(search) is False


def test_another_worker_goes_on_where_one_was_killed(pool, monkeypatch):
    search = begin(pool, trials=2)

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(searching, "fit_choice", die)
        with pytest.raises(KeyboardInterrupt):
            step(search)
    open_trial = load_study(search).get_trials()[0]
    assert open_trial.state is optuna.trial.TrialState.RUNNING
    # As if the process had ended.
    number = open_trial._trial_id
    gone = own_identity().rpartition(":")[0] + ":1.00"
    storage = load_study(search)._storage
    storage.set_trial_user_attr(number, "worker", gone)

    while step(search):
        pass

    search.refresh_from_db()
    known = load_study(search).get_trials()
    assert search.status == "DONE"
    assert [one.state.name for one in known] == ["FAIL", "COMPLETE", "COMPLETE"]
    # what was lost is tried again, to the figure
    assert known[1].params == known[0].params
    assert Trial.objects.filter(search=search).count() == 2


def test_two_workers_that_find_the_same_lost_trial_queue_it_once(pool, monkeypatch):
    search = begin(pool, trials=2)
    study = load_study(search)
    lost = study.ask()
    lost.suggest_float("figure", 0.0, 1.0)
    lost.set_user_attr("worker", own_identity().rpartition(":")[0] + ":1.00")
    first, second = load_study(search), load_study(search)
    seen = first.get_trials(deepcopy=False)
    monkeypatch.setattr(second, "get_trials", lambda **_: seen)

    for one in (first, second):
        searching._bury_lost(one)

    assert [one.state.name for one in load_study(search).get_trials()] == ["FAIL", "WAITING"]


def test_the_same_seed_proposes_the_same(pool):
    first, second = begin(pool, trials=2), begin(pool, trials=2)
    for search in (first, second):
        step(search)
        step(search)

    proposed = [
        [one.params for one in load_study(search).get_trials()] for search in (first, second)
    ]
    assert proposed[0] == proposed[1]
    scores = [
        list(Trial.objects.filter(search=search).order_by("search_number").values_list("score"))
        for search in (first, second)
    ]
    assert scores[0] == scores[1]


def test_it_shares_one_journal_in_one_order(pool):
    search = begin(pool, trials=2)
    one, two = load_study(search), load_study(search)

    first, second = one.ask(), two.ask()
    one.tell(first, 1.0)
    two.tell(second, 2.0)

    assert [first.number, second.number] == [0, 1]
    assert [known.value for known in load_study(search).get_trials()] == [1.0, 2.0]
    numbers = list(SearchEntry.objects.filter(search=search).values_list("number", flat=True))
    assert sorted(numbers) == [*range(len(numbers))]


def test_a_choice_that_cannot_be_judged_counts_and_the_rest_goes_on(pool, monkeypatch):
    search = begin(pool, trials=2)

    def fail(*_, **__):
        raise InvalidInput("no such column")

    with monkeypatch.context() as patch:
        patch.setattr(searching, "fit_choice", fail)
        step(search)
    while step(search):
        pass

    search.refresh_from_db()
    assert (search.status, Trial.objects.filter(search=search).count()) == ("DONE", 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trials": 1}, "trials"),
        ({"horizons": ()}, "horizons"),
        ({"horizons": (0,)}, "horizons"),
        ({"recipes": ("oracle",)}, "recipes"),
        ({"cost_bps": -1.0}, "cost_bps"),
        ({"instrument_ids": []}, "symbols"),
    ],
)
def test_it_refuses_what_cannot_be_searched(pool, changes, field):
    with pytest.raises(InvalidInput) as caught:
        begin(pool, **changes)

    assert caught.value.context["field"] == field
    assert caught.value.context["fix"]


def test_it_is_sent_again_when_nobody_works_on_it(pool, monkeypatch):
    search = begin(pool)
    sent = []
    monkeypatch.setattr(tasks.search_step, "delay", lambda **given: sent.append(given))

    assert list_stalled(now=NOW) == []
    assert list_stalled(now=NOW + STALLED_AFTER) == [search.pk]
    assert list_stalled(now=NOW + STALLED_AFTER) == []
    tasks.search_step.apply(kwargs={"search_id": search.pk}, throw=True)
    assert sent == [{"search_id": search.pk}]


def test_the_command_shows_progress_and_the_verdict_first(pool):
    out = StringIO()

    call_command(
        "search",
        timeframe="1h",
        trials=2,
        recipe=["logistic"],
        horizon=[6],
        cost_bps=2.0,
        stdout=out,
    )

    said = out.getvalue()
    assert "probability of overfitting" in said
    assert "on rows that no trial saw" in said
    with pytest.raises(CommandError, match="must be from 2 to 2000"):
        call_command("search", timeframe="1h", trials=1)
    with pytest.raises(CommandError, match="there is no search 999"):
        call_command("search", resume=999)


def test_the_api_starts_lists_and_shows(pool, django_capture_on_commit_callbacks):
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("ann", password="secret"))
    body = {"timeframe": "1h", "trials": 2, "recipes": ["logistic"], "horizons": [6]}

    with django_capture_on_commit_callbacks() as sent:
        begun = client.post("/models/searches", body, format="json")
    bad = client.post("/models/searches", {**body, "trials": 0}, format="json")

    assert (begun.status_code, len(sent)) == (202, 1)
    assert (bad.status_code, bad.json()["context"]["field"]) == (400, "trials")
    search = Search.objects.get(pk=begun.json()["id"])
    while step(search):
        pass
    listed = client.get("/models/searches").json()["results"]
    shown = client.get(f"/models/searches/{search.pk}").json()
    assert [row["status"] for row in listed] == ["DONE"]
    assert [trial["search_number"] for trial in shown["trials"]] == [0, 1]
    assert client.get("/models/searches/999").status_code == 404

    page = APIClient()
    page.force_login(User.objects.get())
    text = page.get(reverse("admin:mlmodels_search_page", args=[search.pk])).content.decode()
    assert text.count("<svg") == 2
    assert "probability of overfitting" in text
