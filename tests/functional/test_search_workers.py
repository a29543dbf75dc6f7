"""A search on several real workers at once, one of which is killed in the middle of a trial."""

import sys
from collections import Counter

import pytest
from optuna.trial import TrialState

from mlmodels.models import Search, Trial
from mlmodels.services.search_orders import SearchOrder, start_search
from mlmodels.services.searching import load_study
from tests.conftest import environment_of_children
from tests.faults.conftest import wait_until
from tests.integration.mlmodels.conftest import H1, NOW, add_market

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("transactional_db")]
TRIALS = 8
WORKERS = ("one", "two", "three")


@pytest.fixture
def search():
    market = add_market("AAAUSDT", seed=1, ic=0.5, bars=3200)
    order = SearchOrder(
        timeframe=H1,
        instrument_ids=[market.pk],
        trials=TRIALS,
        recipes=("logistic",),
        horizons=(6,),
        cost_bps=2.0,
    )
    return start_search(order=order, actor="ann", now=NOW)


@pytest.fixture
def workers(redis_url, tmp_path, start_process):
    environment = environment_of_children(redis_url, tmp_path / "var")
    command = ["-m", "celery", "-A", "tradingsite", "worker", "-Q", "train", "--pool", "solo"]
    started = {
        name: start_process(
            name,
            [sys.executable, *command, "-n", f"{name}@%h", "-l", "INFO"],
            environment | {"COMPONENT": f"worker.{name}", "LOG_LEVEL": "INFO"},
        )
        for name in WORKERS
    }
    for worker in started.values():
        worker.wait_until(lambda: "ready" in worker.output(), timeout_s=90, waiting_for="ready")  # noqa: B023
    return started


@pytest.mark.timeout(300)
def test_several_workers_share_a_search_and_one_may_die(search, workers):
    from tradingsite.celery import app

    def trials():
        return load_study(search).get_trials(deepcopy=False)

    def at_work():
        return {
            one.user_attrs["worker"]
            for one in trials()
            if one.state is TrialState.RUNNING and "worker" in one.user_attrs
        }

    for _ in workers:
        app.send_task("mlmodels.search_step", kwargs={"search_id": search.pk}, queue="train")
    wait_until(lambda: len(at_work()) >= 2, what="two trials at the same moment")
    victim = min(at_work())
    pids = {str(worker.process.pid): worker for worker in workers.values()}
    worker = next(worker for pid, worker in pids.items() if f":{pid}:" in victim)
    worker.process.kill()

    wait_until(
        lambda: Search.objects.get(pk=search.pk).status == "DONE", what="the report", limit_s=200
    )

    ended = Counter(one.state for one in trials())
    assert ended[TrialState.COMPLETE] >= TRIALS
    assert ended[TrialState.RUNNING] == 0
    numbers = list(Trial.objects.filter(search=search).values_list("search_number", flat=True))
    assert len(numbers) == len(set(numbers)) == ended[TrialState.COMPLETE]
    assert len({one.user_attrs["worker"] for one in trials()}) >= 2
    assert Search.objects.get(pk=search.pk).report["trials"] == ended[TrialState.COMPLETE]
