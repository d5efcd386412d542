"""How long the core takes: nextpnr's longest way from pin to pin, without registers, the worst of several seeds.

A clock rate between registers would say less: synthesis moves registers through tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, List, Tuple

from stages.contract import InputError

if TYPE_CHECKING:
    from stages.synthesise.tools import Tools

# The device families of nextpnr-ice40 0.4 and the packages that its tables hold for each.
PACKAGES: Dict[str, Tuple[str, ...]] = {
    "hx8k": ("ct256", "cm225", "cb132", "bg121"),
    "hx4k": ("tq144", "cb132", "bg121"),
    "hx1k": ("tq144", "vq100", "cb132"),
    "lp8k": ("cm225", "cm121", "cm81"),
    "up5k": ("sg48", "uwg30"),
}
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
    """Place and route `netlist.json`; return the longest delay from pin to pin in ns, pads included.

    Raises:
        InputError: the core has more pins or cells than the device.
    """
    text, code = tools.tried(
        [
            "nextpnr-ice40", "--%s" % device, "--package", package, "--json", "netlist.json", "--seed", str(seed),
            "--timing-allow-fail",  # there is no clock, so no rate to reach
        ]
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
        raise RuntimeError("nextpnr told no delay from pin to pin; see tools.log")
    return float(found[-1])
