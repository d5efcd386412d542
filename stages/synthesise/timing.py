"""How long the core takes: nextpnr's longest way from pin to pin, without registers, the worst of several seeds.

It goes from the cell of an input pin to that of an output pin, through all wires and tables; nextpnr 0.4 has no delays
for the pads' own buffers. A clock rate between registers would say less: synthesis moves registers through tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, List

from stages.contract import InputError
from stages.synthesise.spec import PACKAGES

if TYPE_CHECKING:
    from stages.synthesise.tools import Tools

DELAY = re.compile(r"^Info: Max delay <async>\s+-> <async>\s*: ([0-9.]+) ns$", re.MULTILINE)
ERROR = re.compile(r"^ERROR: (.*)$", re.MULTILINE)


def check_package(device: str, package: str) -> None:
    """Refuse a package that the device does not come in."""
    if package not in PACKAGES[device]:
        raise InputError(
            "synthesise.package is %s, in which there is no %s" % (package, device),
            "packages of %s: %s" % (device, ", ".join(PACKAGES[device])),
        )


def place_and_route(tools: Tools, device: str, package: str, seed: int) -> float:
    """Place and route `netlist.json`; return the longest delay from pin to pin in ns.

    Raises:
        InputError: the core has more pins or cells than the device.
    """
    text, code = tools.tried(
        "nextpnr-ice40", "--%s" % device, "--package", package, "--json", "netlist.json", "--seed", str(seed),
        "--timing-allow-fail",  # there is no clock, so no rate to reach
    )  # fmt: skip
    if code:
        reasons = ERROR.findall(text) or ["it ended with code %d" % code]
        raise InputError(
            "nextpnr cannot place the core on %s in %s: %s" % (device, package, reasons[0]),
            "choose a device with more pins (synthesise.device, synthesise.package), or a smaller network",
        )
    return last_delay(text)


def last_delay(text: str) -> float:
    """Find the delay after routing: nextpnr tells one after placement first."""
    found: List[str] = DELAY.findall(text)
    if not found:
        raise RuntimeError("nextpnr told no delay from pin to pin; see the step's log")
    return float(found[-1])
