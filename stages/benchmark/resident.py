"""How much memory a file takes in LiteRT: growth of a fresh process that loads it and runs it once.

    python -m stages.benchmark.resident FILE

Prints one JSON object: `ram_bytes`; `passing_bytes`, which a run takes and gives back; and which operators XNNPACK
took. What is counted is memory of the process's own (`RssAnon`): pages of the file itself are the system's, which drops
and reads them again as it likes. Memory that the process has freed but not given back would hide the growth, so it is
given back before.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, List

from ai_edge_litert.interpreter import Interpreter

from stages.benchmark.kernels import DELEGATE, taken

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_THE_PEAK = "5"  # proc(5), clear_refs: the highest resident size is now the present one


def main(path: str) -> Dict[str, Any]:
    """Load the file on one thread and run it on an empty input."""
    ctypes.CDLL(None).malloc_trim(0)
    before = _bytes("RssAnon")
    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.invoke()
    grown = _bytes("RssAnon") - before
    return {"ram_bytes": grown, "passing_bytes": _passing(interpreter), "delegated": delegated(interpreter)}


def _passing(interpreter: Any) -> int:
    """How much a further run takes and gives back before it ends; all that it reads is in memory already."""
    CLEAR.write_text(FORGET_THE_PEAK, encoding="ascii")
    before = _bytes("VmRSS")
    interpreter.invoke()
    return max(0, _bytes("VmHWM") - before)


def delegated(interpreter: Any) -> List[int]:
    """List the places of the operators that a delegate computes."""
    nodes = interpreter._get_ops_details()  # noqa: SLF001 - no public way
    parts = [node for node in nodes if node["op_name"] == DELEGATE]
    return sorted(taken([node for node in nodes if node["op_name"] != DELEGATE], parts))


def _bytes(name: str) -> int:
    found = re.search(r"^%s:\s+(\d+) kB$" % name, STATUS.read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise RuntimeError("%s tells no %s" % (STATUS, name))
    return 1024 * int(found[1])


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
