"""Collect texts and score them."""

from typing import Any

from celery import shared_task

from core.clock import get_clock
from markets.selectors import list_rules
from sentiment.adapters.factory import make_source, wanted_kinds
from sentiment.services.collection import collect as collect_texts
from sentiment.services.scoring import score_instruments


@shared_task(bind=True, name="sentiment.collect", queue="default", acks_late=True)
def collect(self: Any, **_: Any) -> None:
    """Ask the sources that are due."""
    now = get_clock().now()
    collect_texts(
        kinds=wanted_kinds(),
        make_source=lambda source: make_source(kind=source.kind, address=source.address, now=now),
        now=now,
    )


@shared_task(bind=True, name="sentiment.score", queue="default", acks_late=True)
def score(self: Any, **_: Any) -> None:
    """Score every instrument by what was heard."""
    base_assets = {rules.instrument_id: rules.base_asset for rules in list_rules().values()}
    score_instruments(base_assets=base_assets, now=get_clock().now())
