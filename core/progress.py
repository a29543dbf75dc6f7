"""Progress of long commands."""

from tqdm import tqdm


class Bar:
    """A progress bar on a terminal, plain lines elsewhere."""

    def __init__(self, *, label: str) -> None:
        self._bar = tqdm(
            total=1.0, desc=label, leave=False, disable=None, bar_format="{l_bar}{bar}"
        )
        self._label = label
        self._said = ""

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, done: int, total: int, message: str) -> None:
        """Move to `done` of `total`."""
        if self._bar.disable:
            if message != self._said:
                self._said = message
                tqdm.write(f"{self._label}: {message}")
            return
        self._bar.set_description(f"{self._label}: {message}")
        self._bar.n = done / total if total else 1.0
        self._bar.refresh()
