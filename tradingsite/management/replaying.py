"""Carrying out a replay in a fresh database: every recorded step by the code that ran it."""

import json
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from celery import Task
from django.conf import settings
from django.db import DatabaseError, connections

from core.clock import get_clock
from core.errors import TradingError
from core.recording import calls, tape
from core.recording.hooks import watch_connections
from core.recording.player import Diverged, Divergence, Player, Recording, Step, load
from execution.domain.order import OrderType, Side, TimeInForce
from execution.management.commands import guard
from execution.management.commands.stream_user_data import BOOK, build_follower
from execution.selectors import get_account
from execution.services.differences import Settlement
from execution.services.manual import ManualOrder
from execution.services.replacing import Changes
from markets.adapters.stream import Series, parse_row
from markets.domain.closes import CloseBatch
from markets.domain.timeframe import Timeframe
from markets.selectors import list_rules
from mlmodels.services.champions import KIND as CHAMPION
from mlmodels.services.champions import keep_rows
from risk.domain.trading_state import Level
from tradingsite.celery import app
from tradingsite.management.commands.stream_market_data import CLOSE, MarketStreamer

# Tasks whose arguments another step made: those must be the same, too.
_PRODUCED = frozenset(
    {"pipeline.ingest", "pipeline.predict", "pipeline.decide", "execution.place_orders"}
)
_TASK = "task "
_MAKERS: dict[str, Callable[..., Any]] = {
    "datetime": datetime.fromisoformat,
    "timedelta": lambda microseconds: timedelta(microseconds=microseconds),
    "Decimal": Decimal,
    "Level": Level,
    "Side": Side,
    "OrderType": OrderType,
    "TimeInForce": TimeInForce,
    "Changes": Changes,
    "ManualOrder": ManualOrder,
    "Settlement": Settlement,
}
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay did."""

    steps: int
    frames: int
    torn: tuple[str, ...]
    late: int
    in_doubt: tuple[str, ...]
    divergence: Divergence | None


@dataclass(slots=True)
class _Lane:
    """One recorded thread: what it kept in memory from step to step."""

    guardian: Any = None
    follower: Any = None

    def get_follower(self) -> Any:
        if self.follower is None:
            self.follower = build_follower(
                account_id=get_account(settings.ACCOUNT_NAME).pk,
                silence_s=1.0,
                say=lambda _line: None,
            )
        return self.follower


def replay(folder: Path, *, lost: Collection[str], progress: Progress) -> Replayed:
    """Run every step of a session again on the configured database, which holds its first state.

    Args:
        folder: The session's.
        lost: Steps in doubt whose last commit is taken not to have happened.
        progress: Hears how far it is.

    Raises:
        RecordingDamaged: A line was changed.
    """
    app.loader.import_default_modules()
    recording = load(folder)
    player = Player(recording.steps, lost=lost)
    player.listeners[CHAMPION] = keep_rows
    runner = _Runner(player, recording)
    tape.use(player)
    watch_connections()
    try:
        with runner.nothing_leaves():
            runner.run(progress)
    finally:
        tape.use(None)
    return Replayed(
        steps=len(recording.steps),
        frames=len(recording.frames),
        torn=tuple(recording.torn),
        late=recording.late,
        in_doubt=tuple(recording.in_doubt),
        divergence=player.divergence,
    )


@dataclass
class _Runner:
    """Gives each recorded step to the code that it came from."""

    player: Player
    recording: Recording
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.klines = _closed_klines(self.recording.frames)

    def run(self, progress: Progress) -> None:
        """Run all lanes until each is through; raise what none of ours foresaw."""
        lanes: dict[str, list[Step]] = {}
        for step in self.recording.steps:
            lanes.setdefault(step.lane, []).append(step)
        threads = [
            threading.Thread(target=self._run_lane, args=(steps,), name=lane, daemon=True)
            for lane, steps in lanes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.5)
                progress(self.player.done, self.player.total, "replaying")
        if self.failures and self.player.divergence is None:
            raise self.failures[0]

    @contextmanager
    def nothing_leaves(self) -> Iterator[None]:
        """Keep the messages that tasks are asked for by, instead of sending them."""
        messages, send = self.messages, Task.apply_async

        def keep(task: Task, args: Any = None, kwargs: Any = None, **_: Any) -> None:
            if task.name in _PRODUCED:
                messages.append((task.name, as_json(kwargs or {})))

        setattr(Task, "apply_async", keep)  # noqa: B010 - a method is replaced for a while
        try:
            yield
        finally:
            setattr(Task, "apply_async", send)  # noqa: B010 - and put back

    def _run_lane(self, steps: Sequence[Step]) -> None:
        lane = _Lane()
        try:
            for step in steps:
                self.player.run(step, lambda step=step: self._do(step, lane))  # type: ignore[misc]
        except Diverged:
            pass
        except BaseException as error:
            self.failures.append(error)
            self._note_failure(step, error)
        finally:
            connections.close_all()

    def _note_failure(self, step: Step, error: BaseException) -> None:
        try:
            self.player.diverge("FAILED", step, recorded="it went well", replayed=repr(error))
        except Diverged:
            return

    def _do(self, step: Step, lane: _Lane) -> None:
        name, arguments = step.name, step.arguments
        try:
            if name.startswith(_TASK):
                self._run_task(step, name.removeprefix(_TASK), arguments)
            elif name == CLOSE:
                MarketStreamer(clock=get_clock()).hand_on(self._batch(arguments))
            elif name == BOOK:
                lane.get_follower().book(arguments)
            elif name == guard.START:
                lane.guardian = guard.build_guardian(threading.Event(), arguments["quote_asset"])
            elif name == guard.ROUND:
                lane.guardian.run_round()
            elif name.startswith(calls.PREFIX):
                _call(name.removeprefix(calls.PREFIX), arguments, lane)
            else:
                self.player.diverge("STEP", step, recorded=name, replayed="no code of this name")
        except (TradingError, DatabaseError, OSError) as error:
            # As it did then, when its process noted it and went on; or else this is the difference.
            step.failure = f"{type(error).__name__}: {error}"

    def _run_task(self, step: Step, name: str, arguments: dict[str, Any]) -> None:
        if name in _PRODUCED:
            arguments = self._take_message(step, name, arguments)
        task = app.tasks[name]
        getattr(task, "_orig_run", task.run)(**arguments)

    def _take_message(self, step: Step, name: str, recorded: dict[str, Any]) -> dict[str, Any]:
        """Return the message that a replayed step sent; it must be the recorded one.

        But for the numbers of predictions, which those of challengers move on: each database has
        its own.
        """
        own = [item for item in self.messages if item[0] == name]
        wanted = _without_numbers(recorded)
        same = next((item for item in own if _without_numbers(item[1]) == wanted), None)
        if same is not None:
            self.messages.remove(same)
            return same[1]
        if own:
            where, left, right = _first_difference(wanted, _without_numbers(own[0][1]))
            self.player.diverge(
                "MESSAGE", f"step {step.step_id} ({name}) {where}", recorded=left, replayed=right
            )
        return recorded

    def _batch(self, arguments: dict[str, Any]) -> CloseBatch:
        """Return a close put together from the raw frames, as far as the stream brought it."""
        frame = Timeframe(arguments["timeframe"])
        symbols = {key: rules.symbol for key, rules in list_rules().items()}
        rows = []
        for row in arguments["rows"]:
            symbol = symbols.get(row[0], "")
            kline = self.klines.get((symbol, frame.value, row[1]))
            series = Series(instrument_id=row[0], symbol=symbol, timeframe=frame)
            rows.append(parse_row(kline, series=series) if kline else tuple(row))
        return CloseBatch(
            timeframe=frame, close_time_ms=arguments["close_time_ms"], rows=tuple(rows)
        )


def _closed_klines(frames: Sequence[Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    found = {}
    for kind, message in frames:
        if kind == "market frame":
            kline = message.get("data", {}).get("k")
            if kline and kline["x"]:
                found[kline["s"], kline["i"], kline["t"]] = kline
    return found


def _call(path: str, arguments: dict[str, Any], lane: _Lane) -> None:
    module, _, name = path.rpartition(".")
    function = getattr(import_module(module), name)
    own: dict[str, Callable[[], Any]] = {
        "broker": lambda: lane.get_follower().broker,
        "clock": get_clock,
        "pause": lambda: lambda _seconds: None,
    }
    tools = {key: make() for key, make in own.items() if key in _parameters(path)}
    function(**calls.decode(arguments, _MAKERS), **tools)


@lru_cache
def _parameters(path: str) -> frozenset[str]:
    module, _, name = path.rpartition(".")
    function = getattr(import_module(module), name)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = function.__code__
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _first_difference(recorded: Any, replayed: Any, where: str = "") -> tuple[str, Any, Any]:
    """Return the path of the first value that differs, and both values."""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        for name in recorded:
            if recorded[name] != replayed.get(name):
                return _first_difference(recorded[name], replayed.get(name), f"{where}.{name}")
    if isinstance(recorded, list) and isinstance(replayed, list) and len(recorded) == len(replayed):
        for place, (left, right) in enumerate(zip(recorded, replayed, strict=True)):
            if left != right:
                return _first_difference(left, right, f"{where}[{place}]")
    return where.lstrip("."), recorded, replayed


def _without_numbers(message: dict[str, Any]) -> dict[str, Any]:
    predictions = [
        {key: value for key, value in item.items() if key != "prediction_id"}
        for item in message.get("predictions", [])
    ]
    return {**message, "predictions": predictions}


def as_json(message: Any) -> Any:
    """Return a message as it is after its way through the broker."""
    return json.loads(json.dumps(message))
