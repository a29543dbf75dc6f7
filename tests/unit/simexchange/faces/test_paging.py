"""Pages of history hold against the rules written out plainly."""

from hypothesis import given
from hypothesis import strategies as st

from simexchange.faces.paging import page
from simexchange.faces.routing import Call

ROWS = st.lists(st.integers(0, 20), max_size=30).map(lambda times: list(enumerate(sorted(times))))
BOUND = st.none() | st.integers(0, 22)


@given(rows=ROWS, start=BOUND, end=BOUND, first=BOUND, limit=st.integers(1, 12))
def test_it_pages_by_the_rules(
    rows: list[tuple[int, int]],
    start: int | None,
    end: int | None,
    first: int | None,
    limit: int,
) -> None:
    asked = {"startTime": start, "endTime": end, "fromId": first, "limit": limit}
    params = {name: str(held) for name, held in asked.items() if held is not None}

    found = page(
        rows,
        Call("GET", "/", params, 0),
        time_of=lambda row: row[1],
        from_id=("fromId", lambda row: row[0]),
    )

    if first is not None:
        expected = [row for row in rows if row[0] >= first][:limit]
    else:
        expected = [
            row
            for row in rows
            if (start is None or row[1] >= start) and (end is None or row[1] <= end)
        ]
        expected = expected[:limit] if start is not None else expected[-limit:]
    assert found == expected
