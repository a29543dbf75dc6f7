"""A WebSocket API connection's session: who is logged on, and which accounts' events it hears."""

from collections.abc import Callable
from typing import Any

from simexchange.errors import ApiError
from simexchange.faces.gateway import Answer, Gateway, Signed, refusal
from simexchange.faces.signing import is_ed25519
from simexchange.faces.user_streams import Outbox, Subscription, UserStreams

WEIGHT = 2
MOST_SUBSCRIPTIONS, MOST_IDS = 1000, 65_535
"""At one time, and in a connection's life."""
Handler = Callable[[dict[str, str], Signed], Any]


class Session:
    """Answers `session.…` and `userDataStream.…`.

    Args:
        gateway: proves who signs.
        streams: where subscriptions are entered.
        outbox: the connection's, in order.
        shows_limits: what the connection's address says of rate limits.
    """

    def __init__(
        self, gateway: Gateway, streams: UserStreams, outbox: Outbox, *, shows_limits: bool
    ) -> None:
        self.gateway = gateway
        self.account = ""
        self.key = ""
        self._streams = streams
        self._outbox = outbox
        self._shows_limits = shows_limits
        self._connected_ms = gateway.now_ms()
        self._authorized_ms: int | None = None
        self._subscriptions: dict[int, Subscription] = {}
        self._by_session: set[int] = set()
        self._next_id = 0
        self.methods: dict[str, Handler] = {
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.subscribe": self._subscribe_session,
            "userDataStream.unsubscribe": self._unsubscribe,
            "session.logon": self._logon,
            "session.logout": self._logout,
            "session.status": self._status,
            "session.subscriptions": self._list_subscriptions,
        }

    def answer(self, method: str, params: dict[str, str], signed: Signed) -> Answer:
        """Answer one of `methods`; refusals become answers too."""
        try:
            self.gateway.limits.charge(WEIGHT)
            return Answer(200, self.methods[method](params, signed))
        except ApiError as error:
            return refusal(error)

    # User data

    def _subscribe_signed(self, params: dict[str, str], signed: Signed) -> dict[str, int]:
        signed.logged_on = ""
        return self._subscribe(self.gateway.authenticate(signed, params))

    def _subscribe_session(self, _params: dict[str, str], _signed: Signed) -> dict[str, int]:
        if not self.account:
            raise ApiError(-1002, "You are not authorized to execute this request.", 401)
        told = self._subscribe(self.account)
        self._by_session.add(told["subscriptionId"])
        return told

    def _subscribe(self, account: str) -> dict[str, int]:
        if any(one.account == account for one in self._subscriptions.values()):
            raise ApiError(-2035, "User Data Stream subscription already active.")
        if self._next_id >= MOST_IDS:
            raise ApiError(-2042, "Maximum subscription ID reached for this connection.")
        if len(self._subscriptions) >= MOST_SUBSCRIPTIONS:
            raise ApiError(-1003, "Too many subscriptions on this connection.", 429)
        subscription = Subscription(self._next_id, account, self._outbox)
        self._next_id += 1
        self._subscriptions[subscription.subscription_id] = subscription
        self._streams.add(subscription)
        return {"subscriptionId": subscription.subscription_id}

    def _unsubscribe(self, params: dict[str, str], _signed: Signed) -> dict[str, Any]:
        wanted = params.get("subscriptionId")
        chosen = [held for held in self._subscriptions if wanted in (None, str(held))]
        if not chosen:
            raise ApiError(-2036, "User Data Stream subscription not active.")
        self._terminate(chosen)
        return {}

    def _terminate(self, chosen: list[int]) -> None:
        """End subscriptions and tell of it, after what was told before."""
        for held in chosen:
            one = self._subscriptions.pop(held)
            self._by_session.discard(held)
            self._streams.remove(one)
            one.put({"e": "eventStreamTerminated", "E": self.gateway.now_ms()})

    def drop_subscriptions(self) -> None:
        """Forget the subscriptions of a connection that ended."""
        for one in self._subscriptions.values():
            self._streams.remove(one)
        self._subscriptions.clear()

    def _list_subscriptions(self, _params: dict[str, str], _signed: Signed) -> list[dict[str, int]]:
        return [{"subscriptionId": held} for held in self._subscriptions]

    # Logging on

    def _logon(self, params: dict[str, str], signed: Signed) -> dict[str, Any]:
        signed.logged_on = ""
        account = self.gateway.authenticate(signed, params)
        key = self.gateway.exchange.ledger.accounts[account].credentials[params["apiKey"]]
        if not is_ed25519(key.public_key):
            raise ApiError(-1020, "This operation is not supported.")
        self.account, self.key = account, params["apiKey"]
        self._authorized_ms = self.gateway.now_ms()
        return self._status(params, signed)

    def _logout(self, params: dict[str, str], signed: Signed) -> dict[str, Any]:
        self.key = self.account = ""
        self._authorized_ms = None
        self._terminate(sorted(self._by_session))
        return self._status(params, signed)

    def _status(self, _params: dict[str, str], _signed: Signed) -> dict[str, Any]:
        return {
            "apiKey": self.key or None,
            "authorizedSince": self._authorized_ms,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self._shows_limits,
            "serverTime": self.gateway.now_ms(),
            "userDataStream": bool(self._subscriptions),
        }
