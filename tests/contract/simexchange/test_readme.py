"""The README's table of clients tells the versions that the tests install."""

import re
from importlib.metadata import version

import pytest

from bench.peers.environment import FREQTRADE
from tests.contract.simexchange.program_clients import ConnectorDesk, SdkDesk
from tests.contract.simexchange.test_hummingbot import HUMMINGBOT
from tests.processes import ROOT

RUN = (
    f"python-binance=={version('python-binance')}",
    f"ccxt=={version('ccxt')}",
    f"ccxt.pro=={version('ccxt')}",
    *(SdkDesk.requirement, ConnectorDesk.requirement, FREQTRADE, HUMMINGBOT),
)


@pytest.mark.contract
@pytest.mark.parametrize("requirement", RUN)
def test_it_tells_the_version_that_was_run(requirement: str) -> None:
    name, _, number = requirement.partition("==")
    text = (ROOT / "simexchange/README.md").read_text(encoding="utf-8")

    rows = re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", text, flags=re.MULTILINE)

    told = [held for who, held in rows if re.match(rf"{re.escape(name)}\b(?!\.pro)", who)]
    assert [held.split()[0] for held in told] == [number]
