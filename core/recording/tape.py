"""What a step of the pipeline was told, recorded; and told again when the session is replayed.

A *step* is one piece of work that a process does at one go: a task, a batch of reports, a round of
the guardian. While a session is recorded, steps of all processes take turns by one baton and give
it out of hand only while they wait for the network. So the order in which everybody read and wrote
the database is known, and what each was told beside it - the clock, the exchange's replies - lies
in the order in which it was told. Who is not recorded pays one comparison per call.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

Value = TypeVar("Value")


class Tape(Protocol):
    """A recorder or a player."""

    @property
    def is_in_step(self) -> bool:
        """Whether this thread is inside a step."""

    @property
    def is_in_transaction(self) -> bool:
        """Whether this thread holds the database: then nobody else could go on anyway."""

    def begin(self, name: str, arguments: Any) -> None:
        """Start a step, when it is its turn."""

    def end(self) -> None:
        """End it."""

    def release(self) -> None:
        """Let others take their turn."""

    def acquire(self) -> None:
        """Go on, when it is this step's turn again."""

    def tell(self, kind: str, produce: Callable[[], Any]) -> Any:
        """Return what `produce` says, or said when it was recorded."""

    def note(self, kind: str) -> None:
        """Mark a place that a killed process did or did not reach."""

    def check(self, kind: str, value: Any) -> None:
        """Keep what leaves here, or compare it with what left then."""

    def perform(self, work: Callable[[], Value]) -> Value | None:
        """Do what has its effect outside: a player does not."""

    def aside(self, kind: str, value: Any) -> None:
        """Keep a raw message that belongs to no step."""


_tape: Tape | None = None


def use(tape: Tape | None) -> None:
    """Record or replay from now on in this process; None ends it."""
    global _tape  # noqa: PLW0603 - one tape per process
    _tape = tape


def active() -> Tape | None:
    """Return the tape, if there is one."""
    return _tape


@contextlib.contextmanager
def step(name: str, arguments: Any) -> Iterator[None]:
    """Do the block as one step; inside another step it is a part of that.

    Args:
        name: Which code runs.
        arguments: All that it is given; JSON.
    """
    tape = _tape
    if tape is None or tape.is_in_step:
        yield
        return
    tape.begin(name, arguments)
    try:
        yield
    finally:
        tape.end()


def told(kind: str, produce: Callable[[], Value]) -> Value:
    """Return what `produce` says; inside a step it is recorded, or comes from the recording.

    Args:
        kind: What is asked: ``clock``, ``tickers``.
        produce: Returns JSON.
    """
    tape = _tape
    if tape is None or not tape.is_in_step:
        return produce()
    result: Value = tape.tell(kind, produce)
    return result


def wait(work: Callable[[], Value]) -> Value | None:
    """Wait for something outside, while others go on; a replay does not wait."""
    tape = _tape
    if tape is None or not tape.is_in_step:
        return work()
    with _out_of_hand(tape):
        return tape.perform(work)


def exchange(request: dict[str, Any], send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Send a request and return the answer, both as JSON; or return the recorded answer.

    Others go on meanwhile, unless the caller is in a transaction: they would wait for it.
    """
    tape = _tape
    if tape is None:
        return send()
    if not tape.is_in_step:
        answer = send()
        tape.aside("http", [request, answer])
        return answer
    tape.check("asked", request)
    with _out_of_hand(tape):
        sent = tape.perform(send)
    result: dict[str, Any] = tape.tell("answer", lambda: sent)
    return result


def keep_raw(kind: str, message: Any) -> None:
    """Keep a raw message of the exchange; what is done about it is recorded by itself."""
    if _tape is not None:
        _tape.aside(kind, message)


@contextlib.contextmanager
def _out_of_hand(tape: Tape) -> Iterator[None]:
    if tape.is_in_transaction:
        yield
        return
    tape.release()
    try:
        yield
    finally:
        tape.acquire()
