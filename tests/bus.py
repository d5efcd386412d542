"""A USB bus made of files, as sysfs shows one, and a recorded sequence that plays on it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Tuple

IDENTITIES = {"boot": ("1a6e", "089a"), "ready": ("18d1", "9302"), "mouse": ("046d", "c077")}
RECORDED = Path(__file__).parent / "fixtures" / "edgetpu" / "usb_sequence.json"


@dataclass
class Bus:
    """A tree with `sys/bus/usb/devices` and `dev/bus/usb` below `root`."""

    root: Path

    def plug(self, port: str, state: str, device: int, speed: str = "5000", mode: int = 0o664) -> None:
        bus = int(port.partition("-")[0])
        entry = self.root / "sys/bus/usb/devices" / port
        entry.mkdir(parents=True, exist_ok=True)
        vendor, product = IDENTITIES[state]
        facts = {"idVendor": vendor, "idProduct": product, "busnum": bus, "devnum": device, "speed": speed}
        for name, value in facts.items():
            (entry / name).write_text("%s\n" % value)
        node = self.root / "dev/bus/usb" / ("%03d" % bus) / ("%03d" % device)
        node.parent.mkdir(parents=True, exist_ok=True)
        node.write_bytes(b"")
        node.chmod(mode)

    def unplug(self, port: str) -> None:
        entry = self.root / "sys/bus/usb/devices" / port
        number = "%03d" % int((entry / "devnum").read_text()), "%03d" % int((entry / "busnum").read_text())
        (self.root / "dev/bus/usb" / number[1] / number[0]).unlink()
        shutil.rmtree(entry)


@dataclass
class Player:
    """Plays the recorded events on a bus as its own clock, which only sleeping moves, reaches them."""

    bus: Bus
    told: Dict[str, Any] = field(default_factory=lambda: json.loads(RECORDED.read_text()))
    now: float = 0.0
    slept: List[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting: List[Dict[str, Any]] = list(self.told["events"])
        self.sleep(0.0)

    @property
    def port(self) -> str:
        return str(self.told["port"])

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        while self.waiting and self.waiting[0]["at_s"] <= self.now:
            self._play(self.waiting.pop(0))

    def _play(self, event: Dict[str, Any]) -> None:
        if event["state"] is None:
            self.bus.unplug(self.port)
        else:
            self.bus.plug(self.port, event["state"], event["device"], self.told["speed"])

    def stop_before(self, state: Tuple[Any, ...]) -> None:
        """Let nothing happen from the first event with one of these states on."""
        end = next(number for number, event in enumerate(self.waiting) if event["state"] in state)
        del self.waiting[end:]
