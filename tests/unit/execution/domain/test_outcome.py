"""The table of reply classes, row by row."""

import pytest

from execution.domain.outcome import Outcome, Reaction, classify_refusal, reaction_to

ROWS = [
    (400, -1013, "Filter failure: LOT_SIZE", Outcome.REJECTED),
    (400, -1014, "Unsupported order combination.", Outcome.REJECTED),
    (429, -1015, "Too many new orders", Outcome.REJECTED),
    (400, -1021, "Timestamp for this request is outside of the recvWindow.", Outcome.REJECTED),
    (400, -1022, "Signature for this request is not valid.", Outcome.REJECTED),
    (400, -1100, "Illegal characters", Outcome.REJECTED),
    (400, -1111, "too much precision", Outcome.REJECTED),
    (400, -1199, "composition", Outcome.REJECTED),
    (401, -2014, "API-key format invalid.", Outcome.REJECTED),
    (401, -2015, "Invalid API-key, IP, or permissions for action.", Outcome.REJECTED),
    (400, -2010, "Account has insufficient balance for requested action.", Outcome.REJECTED),
    (400, -2010, "Duplicate order sent.", Outcome.DUPLICATE),
    (400, -2011, "Unknown order sent.", Outcome.REJECTED),
    (403, 0, "<html>WAF", Outcome.REJECTED),
    (429, -1003, "Too much request weight used", Outcome.REJECTED),
    (418, -1003, "Way too much request weight used; IP banned", Outcome.REJECTED),
    (503, 0, "<html>", Outcome.UNKNOWN),
    (499, -2010, "Account has insufficient balance", Outcome.REJECTED),
    (500, -2010, "Account has insufficient balance", Outcome.UNKNOWN),
    (400, -2010, "DUPLICATE order sent.", Outcome.DUPLICATE),
    (400, -2011, "Duplicate", Outcome.REJECTED),
    (401, 0, "", Outcome.REJECTED),
    (429, 0, "", Outcome.REJECTED),
    (418, 0, "", Outcome.REJECTED),
    (400, -1099, "not authorized", Outcome.UNKNOWN),
    (400, -1200, "", Outcome.UNKNOWN),
    (500, -1000, "An unknown error occurred", Outcome.UNKNOWN),
    (400, -1000, "An unknown error occurred", Outcome.UNKNOWN),
    (500, -1001, "Internal error", Outcome.UNKNOWN),
    (400, -1006, "unexpected response", Outcome.UNKNOWN),
    (504, -1007, "Send status unknown", Outcome.UNKNOWN),
    (400, -1007, "Send status unknown", Outcome.UNKNOWN),
    (503, -1008, "overloaded", Outcome.UNKNOWN),
    (400, -1016, "shutting down", Outcome.UNKNOWN),
    # a 5XX is never a failure, even with a body that reads like a refusal
    (502, -2010, "Account has insufficient balance", Outcome.UNKNOWN),
    # what no document names is not taken for a refusal
    (400, 0, "", Outcome.UNKNOWN),
    (404, 0, "<html>", Outcome.UNKNOWN),
    (409, -9999, "new", Outcome.UNKNOWN),
]


@pytest.mark.parametrize(("http_status", "code", "message", "expected"), ROWS)
def test_it_classes_a_reply(http_status, code, message, expected):
    outcome = classify_refusal(http_status=http_status, code=code, message=message)

    assert outcome is expected


@pytest.mark.parametrize(
    ("http_status", "code", "expected"),
    [
        (429, -1003, Reaction.BACK_OFF),
        (418, -1003, Reaction.BACK_OFF),
        (403, 0, Reaction.BACK_OFF),
        (418, 0, Reaction.BACK_OFF),
        (429, 0, Reaction.BACK_OFF),
        (402, 0, None),
        (419, 0, None),
        (400, -1003, Reaction.BACK_OFF),
        (400, -1015, Reaction.BACK_OFF),
        (401, -2014, Reaction.HALT),
        (400, -1021, Reaction.RESYNC_CLOCK),
        (401, -2015, Reaction.HALT),
        (400, -1013, Reaction.REFRESH_RULES),
        (400, -2010, None),
    ],
)
def test_it_knows_what_else_a_reply_asks_for(http_status, code, expected):
    assert reaction_to(http_status=http_status, code=code) is expected
