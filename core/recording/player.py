"""Replaying a session: each step runs again in its turn, and is told what it was told."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from django.db import transaction

from core.recording.journal import read_files

Value = TypeVar("Value")
_LONGEST_WAIT_S = 120.0
_UNFINISHED = {("note", "commit"), ("note", "write")}


@dataclass(slots=True, kw_only=True)
class Segment:
    """What a step did between taking the baton and giving it out of hand."""

    sequence: int
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Step:
    """One recorded step. Without an end its process was killed in it.

    Attributes:
        failure: What ended it early when it was replayed.
    """

    step_id: str
    lane: str
    name: str
    arguments: Any
    segments: list[Segment]
    is_ended: bool = False
    segment: int = 0
    event: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first place in which the replay went another way.

    Attributes:
        kind: REQUEST, MESSAGE, TOLD (it asked for something else), ROW or STUCK.
        where: The step or the row.
    """

    kind: str
    where: str
    recorded: Any
    replayed: Any


@dataclass(slots=True, kw_only=True)
class Recording:
    """A whole session as it was read from its files."""

    steps: list[Step]
    frames: list[Any]
    torn: list[str]
    late: int = 0

    @property
    def in_doubt(self) -> list[str]:
        """Steps whose process was killed while it committed: nobody wrote down whether it did."""
        return [
            step.step_id
            for step in self.steps
            if not step.is_ended
            and (events := step.segments[-1].events)
            and (events[-1]["t"], events[-1]["k"]) in _UNFINISHED
        ]


class ProcessKilled(BaseException):
    """Here the recorded process died: the step ends without whatever came after."""


class Diverged(BaseException):
    """The replay goes another way than the recording: nothing after it can be compared."""


def load(folder: Path) -> Recording:
    """Read a session.

    Raises:
        RecordingDamaged: A line was changed.
    """
    steps: dict[str, Step] = {}
    found = Recording(steps=[], frames=[], torn=[])
    for name, records, is_torn in read_files(folder):
        if is_torn:
            found.torn.append(name)
        for record in records:
            _take(record, steps, found)
    found.steps = sorted(steps.values(), key=lambda step: step.segments[0].sequence)
    return found


def _take(record: dict[str, Any], steps: dict[str, Step], found: Recording) -> None:
    found.late += bool(record.get("late"))
    kind = record["t"]
    if kind == "raw":
        found.frames.append([record["k"], record["v"]])
    elif kind == "begin":
        steps[record["s"]] = Step(
            step_id=record["s"],
            lane=record["lane"],
            name=record["n"],
            arguments=record["a"],
            segments=[Segment(sequence=record["q"])],
        )
    elif kind == "on":
        steps[record["s"]].segments.append(Segment(sequence=record["q"]))
    elif kind == "end":
        steps[record["s"]].is_ended = True
    elif kind != "out":
        steps[record["s"]].segments[-1].events.append(record)


def _comparable(value: Any) -> Any:
    """Return a request without what only its one sending had: its moment, its signature's hash."""
    if not isinstance(value, dict):
        return value
    return {name: inner for name, inner in value.items() if name not in ("at", "sha256")}


class Player:
    """The tape of a replay: lanes are threads, and their segments run in the recorded order.

    Args:
        steps: Of the recording.
        lost: Of the steps in doubt those whose last commit is taken not to have happened.
    """

    def __init__(self, steps: Sequence[Step], *, lost: Collection[str] = ()) -> None:
        self._lost = lost
        self._order = sorted(
            (segment.sequence, step.step_id) for step in steps for segment in step.segments
        )
        self._place = 0
        self._over: set[str] = set()
        self._turn = threading.Condition()
        self._local = threading.local()
        self.divergence: Divergence | None = None
        self.listeners: dict[str, Callable[[Any], None]] = {}

    @property
    def done(self) -> int:
        """How many segments have run."""
        return self._place

    @property
    def total(self) -> int:
        return len(self._order)

    @property
    def is_in_transaction(self) -> bool:
        return bool(transaction.get_connection().in_atomic_block)

    @property
    def is_in_step(self) -> bool:
        return getattr(self._local, "step", None) is not None

    def run(self, step: Step, work: Callable[[], object]) -> None:
        """Run one step's code in its turn.

        Raises:
            Diverged: Here or in another lane.
        """
        self._local.step = step
        try:
            self._wait_turn(step)
            work()
            self._require_end(step)
        except ProcessKilled:
            if step.is_ended:
                self.diverge("TOLD", step, recorded="its end", replayed="one more question")
        finally:
            self._local.step = None
            self._finish(step)

    def begin(self, name: str, arguments: Any) -> None:
        raise RuntimeError(f"{name} runs outside of the replay")

    def end(self) -> None:
        """Nothing: ``run`` ends a step."""

    def release(self) -> None:
        step: Step = self._local.step
        self._require_read(step)
        with self._turn:
            self._place += 1
            self._turn.notify_all()

    def acquire(self) -> None:
        step: Step = self._local.step
        if step.segment + 1 >= len(step.segments):
            if step.is_ended:
                self.diverge("TOLD", step, recorded="its end", replayed="one more request")
            raise ProcessKilled
        step.segment += 1
        step.event = 0
        self._wait_turn(step)

    def tell(self, kind: str, produce: Callable[[], Any]) -> Any:
        value = self._next("told", kind)["v"]
        if kind in self.listeners:
            step, self._local.step = self._local.step, None
            try:  # what a listener writes is no part of the step
                self.listeners[kind](value)
            finally:
                self._local.step = step
        return value

    def note(self, kind: str) -> None:
        if self.is_in_step:
            self._next("note", kind)

    def check(self, kind: str, value: Any) -> None:
        recorded, replayed = _comparable(self._next("left", kind)["v"]), _comparable(value)
        if recorded != replayed:
            self.diverge("REQUEST", self._local.step, recorded=recorded, replayed=replayed)

    def perform(self, work: Callable[[], Value]) -> Value | None:
        return None

    def aside(self, kind: str, value: Any) -> None:
        """Nothing: what belongs to no step is not replayed."""

    def diverge(self, kind: str, step: Step | str, *, recorded: Any, replayed: Any) -> None:
        """Keep the first divergence and end the replay.

        Raises:
            Diverged: Always.
        """
        where = step if isinstance(step, str) else f"step {step.step_id} ({step.name})"
        with self._turn:
            if self.divergence is None:
                self.divergence = Divergence(
                    kind=kind, where=where, recorded=recorded, replayed=replayed
                )
            self._turn.notify_all()
        raise Diverged

    def _next(self, record_type: str, kind: str) -> dict[str, Any]:
        step: Step = self._local.step
        events = step.segments[step.segment].events
        if step.event >= len(events):
            is_last = step.segment + 1 == len(step.segments)
            if is_last and not step.is_ended:
                raise ProcessKilled
            self.diverge("TOLD", step, recorded="nothing more", replayed=kind)
        found = events[step.event]
        if (found["t"], found["k"]) != (record_type, kind):
            self.diverge("TOLD", step, recorded=found["k"], replayed=kind)
        step.event += 1
        is_last = step.event == len(events) and step.segment + 1 == len(step.segments)
        if is_last and step.step_id in self._lost:
            raise ProcessKilled  # before what it had just begun was done
        return found

    def _require_read(self, step: Step) -> None:
        events = step.segments[step.segment].events
        if step.event < len(events):
            left = events[step.event]["k"]
            self.diverge("TOLD", step, recorded=left, replayed=step.failure or "nothing more")

    def _require_end(self, step: Step) -> None:
        self._require_read(step)
        if step.segment + 1 < len(step.segments):
            over = step.failure or "its end"
            self.diverge("TOLD", step, recorded="one more request", replayed=over)

    def _wait_turn(self, step: Step) -> None:
        mine = (step.segments[step.segment].sequence, step.step_id)
        with self._turn:
            while self._order[self._place] != mine:
                if self.divergence is not None:
                    raise Diverged
                if not self._turn.wait(_LONGEST_WAIT_S):
                    self.diverge("STUCK", step, recorded=mine, replayed=self._order[self._place])
            if self.divergence is not None:
                raise Diverged

    def _finish(self, step: Step) -> None:
        with self._turn:
            self._over.add(step.step_id)
            # Segments that a killed step never came to are nobody's turn any more.
            while self._place < len(self._order) and self._order[self._place][1] in self._over:
                self._place += 1
            self._turn.notify_all()
