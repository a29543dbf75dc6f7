import gc

from simexchange.pauses import freeze_survivors


class Node:
    """Something that can point to itself."""

    def __init__(self) -> None:
        self.me = self


def test_it_hides_what_lives_and_collects_young_cycles() -> None:
    gc.collect()
    kept = [Node() for _ in range(100)]
    before = gc.get_freeze_count()

    try:
        for _ in range(50):
            Node()
        freeze_survivors()

        assert gc.get_freeze_count() >= before + len(kept)
        assert not any(isinstance(one, Node) for one in gc.get_objects())
    finally:
        gc.unfreeze()
