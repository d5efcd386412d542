"""What else the machine did while we measured: other processes, time stolen by the hypervisor, the clock governor.

Read from /proc and /sys, which a container shares with its host. What cannot be read is None, never guessed.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

# proc(5): user nice system idle iowait irq softirq steal, in clock ticks over all cores.
IDLE, IOWAIT, STEAL, FIELDS = 3, 4, 7, 8
OTHER_LOAD_WORTH_A_WARNING = 0.1  # of one core
STEAL_WORTH_A_WARNING = 0.02  # of the machine


def machine(root: Path = Path("/")) -> Dict[str, Any]:
    """Name the processor and how it is clocked."""
    return {
        "cpu_model": _cpu_model(root) or platform.machine(),
        "cores": os.cpu_count(),
        "governor": _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }


class LoadMeter:
    """Measures, between its making and `read`, how busy the machine was with other things than this process."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._ticks = _ticks(root)
        self._own_s = _own_cpu_s()
        self._began = time.monotonic()
        self._load_average = os.getloadavg()

    def read(self) -> Dict[str, Any]:
        """Say what happened since: `other_cores` busy with other work, the `steal` share, load averages."""
        elapsed = time.monotonic() - self._began
        own_s = _own_cpu_s() - self._own_s
        other, steal = _difference(self._ticks, _ticks(self._root), own_s, elapsed)
        return {
            "seconds": elapsed,
            "other_cores": other,
            "steal": steal,
            "load_average_before": list(self._load_average),
            "load_average_after": list(os.getloadavg()),
        }


def remarks(load: Dict[str, Any], governor: Optional[str]) -> List[str]:
    """Say what of the load makes the numbers doubtful."""
    found = []
    if (load["other_cores"] or 0.0) > OTHER_LOAD_WORTH_A_WARNING:
        found.append("other work kept %.1f cores busy meanwhile" % load["other_cores"])
    if (load["steal"] or 0.0) > STEAL_WORTH_A_WARNING:
        found.append("the hypervisor took %.0f %% of the time away" % (100 * load["steal"]))
    if governor not in {None, "performance"}:
        found.append("the clock governor is '%s': the frequency may have varied" % governor)
    return found


def _difference(
    before: Optional[List[int]], after: Optional[List[int]], own_s: float, elapsed: float
) -> Tuple[Optional[float], Optional[float]]:
    """Cores busy with other work, and the share of time stolen."""
    if before is None or after is None or elapsed <= 0:
        return None, None
    ticks = [late - early for early, late in zip(before, after)]
    busy = sum(ticks) - ticks[IDLE] - ticks[IOWAIT] - ticks[STEAL]
    other_s = busy / os.sysconf("SC_CLK_TCK") - own_s
    return max(0.0, other_s / elapsed), ticks[STEAL] / max(1, sum(ticks))


def _ticks(root: Path) -> Optional[List[int]]:
    text = _text(root / "proc/stat")
    fields = text.splitlines()[0].split()[1 : 1 + FIELDS] if text else []
    return [int(field) for field in fields] if len(fields) == FIELDS else None


def _own_cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _cpu_model(root: Path) -> Optional[str]:
    """Name the processor; a Raspberry Pi names its board, under `Model`, and its processor hardly."""
    lines = (_text(root / "proc/cpuinfo") or "").splitlines()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return fields.get("Model") or fields.get("model name")


def _text(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
