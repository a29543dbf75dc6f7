"""The settings file of ``import_config``: strict reading, and writing what it would read.

YAML takes "yes" for true, 010 for eight and 1_000 for a thousand; nobody's money should depend on
that. So the file is read down to its nodes and every value is matched as it is written.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import yaml

from core.errors import InvalidInput

MAX_BYTES = 65_536
_MAX_DEPTH = 4

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?", re.ASCII)
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9]{3,24}", re.ASCII)


class ConfigInvalid(InvalidInput):
    """The file cannot be used; ``context["problems"]`` lists key, value and fix."""

    code = "CONFIG_INVALID"


class Problem(NamedTuple):
    """One thing wrong with one key."""

    key: str
    value: str
    fix: str


class Setting(NamedTuple):
    """Where a key of the file goes and how its value is read."""

    room: str
    field: str
    read: Callable[[yaml.Node], Any]


class _Wrong(Exception):
    """A value cannot be read; says what to write instead."""


def _scalar(node: yaml.Node) -> str:
    """Return the text of a plain, unquoted value."""
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        raise _Wrong("write the bare value, without quotes, brackets or lines")
    return str(node.value)


def _decimal(node: yaml.Node) -> Decimal:
    text = _scalar(node)
    if not _NUMBER.fullmatch(text):
        raise _Wrong("write a plain number such as 1000 or 0.02 (2 % is 0.02)")
    return Decimal(text)


def _whole(node: yaml.Node) -> int:
    text = _scalar(node)
    if not _WHOLE.fullmatch(text):
        raise _Wrong("write a whole number such as 10")
    return int(text)


def _flag(node: yaml.Node) -> bool:
    text = _scalar(node)
    if text not in {"true", "false"}:
        raise _Wrong("write true or false")
    return text == "true"


def _word(node: yaml.Node) -> str:
    """Read a word; which ones there are, its room knows."""
    return _scalar(node)


def _symbols(node: yaml.Node) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise _Wrong("write a list of symbols such as [BTCUSDT, ETHUSDT]")
    names = []
    for item in node.value:
        name = str(item.value) if isinstance(item, yaml.ScalarNode) else ""
        if not _SYMBOL.fullmatch(name):
            raise _Wrong("write symbols in capitals without a slash, such as BTCUSDT")
        if name in names:
            raise _Wrong(f"name {name} once")
        names.append(name)
    return tuple(names)


SETTINGS: dict[str, dict[str, Setting]] = {
    "risk_management": {
        "max_position_size": Setting("risk", "max_position_size", _decimal),
        "max_positions": Setting("risk", "max_positions", _whole),
        "max_daily_loss": Setting("risk", "max_daily_loss", _decimal),
        "max_drawdown": Setting("risk", "max_drawdown_fraction", _decimal),
        "stop_loss_percent": Setting("risk", "stop_loss_fraction", _decimal),
        "take_profit_percent": Setting("risk", "take_profit_fraction", _decimal),
    },
    "trading": {
        "symbols": Setting("execution", "symbols", _symbols),
        "base_position_size": Setting("execution", "base_position_size", _decimal),
        "min_confidence": Setting("execution", "min_confidence", _decimal),
        "confidence_mode": Setting("execution", "confidence_mode", _word),
        "confidence_margin": Setting("execution", "confidence_margin", _decimal),
        "allow_short": Setting("execution", "allow_short", _flag),
    },
    "ml": {
        "retrain_error_threshold": Setting("mlmodels", "retrain_error_threshold", _decimal),
        "retrain_interval_hours": Setting("mlmodels", "retrain_interval_hours", _whole),
    },
}


def parse_config(raw: bytes) -> dict[str, dict[str, Any]]:
    """Return the settings by room and field; what the file leaves out is left out.

    Raises:
        ConfigInvalid: Anything about the file is not as it must be; all problems are listed.
    """
    values: dict[str, dict[str, Any]] = {"risk": {}, "execution": {}, "mlmodels": {}}
    problems: list[Problem] = []
    sections = _read_mapping(_compose(raw), SETTINGS, "", problems)
    for section, node in sections.items():
        for key, child in _read_mapping(node, SETTINGS[section], section, problems).items():
            setting = SETTINGS[section][key]
            try:
                values[setting.room][setting.field] = setting.read(child)
            except _Wrong as wrong:
                problems.append(Problem(f"{section}.{key}", _shown(child), str(wrong)))
    if not problems and not any(values.values()):
        problems.append(Problem("file", "empty", "write at least one setting"))
    if problems:
        raise invalid(problems)
    return values


def render_config(values: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the file that ``parse_config`` reads into `values`."""
    lines = []
    for section, settings in SETTINGS.items():
        lines.append(f"{section}:")
        lines += [
            f"  {key}: {_written(values[setting.room][setting.field])}"
            for key, setting in settings.items()
        ]
    return "\n".join(lines) + "\n"


def invalid(problems: list[Problem]) -> ConfigInvalid:
    """Return the error that lists `problems`."""
    text = "; ".join(f"{key}: was {value}: {fix}" for key, value, fix in problems)
    return ConfigInvalid(text, problems=[problem._asdict() for problem in problems])


def key_of(room: str, field: str) -> str:
    """Return the key of the file that sets a room's field."""
    for section, settings in SETTINGS.items():
        for key, setting in settings.items():
            if (setting.room, setting.field) == (room, field):
                return f"{section}.{key}"
    return f"{room}.{field}"


def _compose(raw: bytes) -> yaml.Node | None:
    """Return the file's tree, without anchors, aliases and tags."""
    if len(raw) > MAX_BYTES:
        raise invalid([Problem("file", f"{len(raw)} bytes", f"at most {MAX_BYTES} bytes")])
    try:
        text = raw.decode("utf-8")
        _refuse_odd_events(text)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise invalid([Problem("file", f"byte {error.start}", "save the file as UTF-8")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "file"
        said = str(getattr(error, "problem", error))[:120]
        raise invalid([Problem(where, "not YAML", f"correct it: {said}")]) from error


def _refuse_odd_events(text: str) -> None:
    """Refuse anchors, aliases, tags and depth while reading, before anything is built of them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"line {event.start_mark.line + 1}" if event.start_mark else "file"
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None or tag is not None:
            value = f"&{anchor}" if anchor is not None else str(tag)
            fix = "write the value itself: anchors, aliases and tags are refused"
            raise invalid([Problem(where, value, fix)])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise invalid([Problem(where, "nested too deeply", f"{_MAX_DEPTH} levels are enough")])


def _read_mapping(
    node: yaml.Node | None, known: Mapping[str, Any], path: str, problems: list[Problem]
) -> dict[str, yaml.Node]:
    """Return the known keys of a mapping; unknown, repeated and odd ones become problems."""
    prefix = f"{path}." if path else ""
    if not isinstance(node, yaml.MappingNode):
        shown = "empty" if node is None else _shown(node)
        problems.append(Problem(path or "file", shown, f"write keys: {', '.join(known)}"))
        return {}
    found: dict[str, yaml.Node] = {}
    for key_node, child in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else _shown(key_node)
        if key not in known:
            fix = f"remove it; known are {', '.join(known)}"
            problems.append(Problem(f"{prefix}{key[:60]}", "an unknown key", fix))
        elif key in found:
            problems.append(Problem(f"{prefix}{key}", "given twice", "give it once"))
        else:
            found[key] = child
    return found


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(str(node.value)[:60])
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)
