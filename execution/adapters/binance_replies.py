"""What Binance's replies to changing requests mean: one class of outcome for each order."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from binance.exceptions import BinanceAPIException
from requests import exceptions as http
from urllib3.exceptions import MaxRetryError, NewConnectionError

from execution.adapters.binance_reports import amended_report, order_report
from execution.domain.outcome import Outcome, classify_refusal, reaction_to
from execution.domain.request import ReplaceRequest
from execution.ports import VenueReply

_MESSAGE_LENGTH = 200
# One half failed, or both did: only the body tells which.
_HALVES = frozenset({-2021, -2022})


def accepted(reply: Any) -> VenueReply:
    if isinstance(reply, list):
        views = [view for item in reply for view in item.get("orderReports", [item])]
        return VenueReply(outcome=Outcome.ACCEPTED, reports=tuple(map(order_report, views)))
    reports = tuple(order_report(view) for view in reply.get("orderReports", [reply]))
    list_id = reports[0].venue_list_id if reports else None
    return VenueReply(
        outcome=Outcome.ACCEPTED,
        reports=reports,
        venue_list_id=list_id,
        evidence={"venue_order_ids": [report.venue_order_id for report in reports]},
    )


def refused(error: BinanceAPIException) -> VenueReply:
    code = error.code if isinstance(error.code, int) else 0
    message = str(error.message or "")[:_MESSAGE_LENGTH]
    return VenueReply(
        outcome=classify_refusal(http_status=error.status_code, code=code, message=message),
        code=code,
        message=message,
        reaction=reaction_to(http_status=error.status_code, code=code),
        retry_after=_retry_after(error),
        evidence={"http_status": error.status_code, "code": code, "message": message},
    )


def _retry_after(error: BinanceAPIException) -> timedelta | None:
    text = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() else None


def lost(error: Exception) -> VenueReply:
    """Return the class of a request without a usable reply; only the socket can prove NOT_SENT."""
    outcome = Outcome.NOT_SENT if _never_connected(error) else Outcome.UNKNOWN
    return VenueReply(
        outcome=outcome,
        message=type(error).__name__,
        # The text of an HTTP error may hold the signed URL; its type says enough.
        evidence={"error": type(error).__name__},
    )


def _never_connected(error: Exception) -> bool:
    if isinstance(error, http.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, http.ConnectionError) and error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def only_about(client_order_ids: Collection[str], reply: VenueReply) -> VenueReply:
    """Take a reply that speaks of somebody else's order for no reply at all."""
    if reply.outcome is not Outcome.ACCEPTED:
        return reply
    told_of = {report.client_order_id for report in reply.reports}
    if told_of == {*client_order_ids}:
        return reply
    return VenueReply(
        outcome=Outcome.UNKNOWN,
        message="the reply tells of another order",
        evidence={"error": "OTHER_ORDER", "told_of": sorted(told_of)},
    )


def amended(reply: Mapping[str, Any]) -> VenueReply:
    """Return what became of an amendment."""
    report = amended_report(reply)
    return VenueReply(
        outcome=Outcome.ACCEPTED,
        reports=(report,),
        evidence={"venue_order_id": report.venue_order_id, "quantity": str(report.quantity)},
    )


def both_halves(told: Mapping[str, Any]) -> VenueReply:
    """Return what a cancel-replace tells of its two halves, each with a class of its own."""
    order = _half(told, "newOrderResult", "newOrderResponse")
    return replace(order, cancel=_half(told, "cancelResult", "cancelResponse"))


def halves_of(error: BinanceAPIException) -> VenueReply:
    """Return the halves of a cancel-replace that was not wholly done.

    Filters and limits are looked at before either half: a refusal without a body of its own means
    that neither was tried. One that says that a half failed and not which leaves both in doubt.
    """
    whole = refused(error)
    try:
        data = error.response.json().get("data")
    except (ValueError, AttributeError):
        data = None
    if isinstance(data, Mapping):
        told = both_halves(data)
        return replace(told, evidence={**whole.evidence, **told.evidence})
    if whole.code in _HALVES:
        whole = replace(whole, outcome=Outcome.UNKNOWN)
    return replace(whole, cancel=whole)


def _half(told: Mapping[str, Any], result: str, response: str) -> VenueReply:
    view = told.get(response) or {}
    if told.get(result) == "SUCCESS":
        return accepted(view)
    if told.get(result) == "NOT_ATTEMPTED":
        evidence = {"result": "NOT_ATTEMPTED"}
        return VenueReply(
            outcome=Outcome.REJECTED, message="the other order was not cancelled", evidence=evidence
        )
    code, message = int(view.get("code", 0)), str(view.get("msg", ""))[:_MESSAGE_LENGTH]
    return VenueReply(
        outcome=classify_refusal(http_status=400, code=code, message=message),
        code=code,
        message=message,
        reaction=reaction_to(http_status=400, code=code),
        evidence={"code": code, "message": message},
    )


def only_about_both(request: ReplaceRequest, reply: VenueReply) -> VenueReply:
    """Take each half that speaks of somebody else's order for no reply; a lost one lost both."""
    cancel = reply.cancel or replace(reply, reports=())
    return replace(
        only_about({request.order.client_order_id}, reply),
        cancel=only_about({request.canceled_client_order_id}, cancel),
    )
