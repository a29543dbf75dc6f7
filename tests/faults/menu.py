"""What can go wrong, for whoever composes faults at random."""

CRASHES = (
    *("intent.committed", "claim.before_commit", "claim.committed", "send.permitted"),
    *("send.replied", "fills.before_commit", "fills.committed", "protect.before_claim"),
    *("cancel.committed", "cancel.replied", "reconcile.before_conclude"),
)
PLACES = (
    ("POST", "/api/v3/order"),
    ("POST", "/api/v3/orderList/oco"),
    ("POST", "/api/v3/orderList/otoco"),
    ("DELETE", "/api/v3/order"),
    ("DELETE", "/api/v3/orderList"),
    ("GET", "/api/v3/order"),
    ("GET", "/api/v3/openOrders"),
    ("GET", "/api/v3/myTrades"),
    ("GET", "/api/v3/account"),
)
REPLIES = (
    ("accept_then_drop_reply", {}),
    ("drop_before_accept", {}),
    ("truncate_reply", {}),
    ("delay", {"ms": 2200}),
    ("not_found_for", {"ms": 1500}),
    ("http", {"status": 503, "accepted": True}),
    ("http", {"status": 503, "accepted": False}),
    ("http", {"status": 429, "code": -1003, "msg": "slow down", "retry_after": 1}),
    ("http", {"status": 504, "code": -1007, "msg": "unknown", "accepted": True}),
    ("http", {"status": 400, "code": -1021, "msg": "outside of the window"}),
    ("http", {"status": 400, "code": -2010, "msg": "Duplicate order sent.", "accepted": True}),
)
