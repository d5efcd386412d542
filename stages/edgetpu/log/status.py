"""The statuses of the operator table: which were seen, and whether the words of one are whole.

The set is open: another version may have others, so a status that is not here is taken as it is.
"""

from __future__ import annotations

import re
from typing import Optional

MAPPED = "Mapped to Edge TPU"
# The compiler's own words, as logs show them; the last three: google-coral/edgetpu issues 63 and 27.
SEEN = (
    MAPPED,
    "More than one subgraph is not supported",
    "Operation is otherwise supported, but not mapped due to some unspecified limitation",
    "Operation is working on an unsupported data type",
    "Operation not supported",
    "Operation version not supported",
    "Tensor has unsupported rank (up to 3 innermost dimensions mapped)",
    "Only Strided-Slice with unitary strides supported",
    "Image-interpolation layer won't run precisely enough on Edge TPU",
    "For example, a fully-connected or softmax layer with 2D output",
)
BEGINNINGS = (MAPPED, "More than one subgraph", "Operation ", "Tensor has ", "Only ", "Image-", "For example, ")
LONGEST = 120  # longer than any that was seen
ROW_BEGIN = r"[A-Z][A-Z0-9_]{1,63}\s{1,99}[0-9]{1,9}\s{1,99}"
ROW_WITHIN = re.compile(r"[A-Z0-9_]\s{1,99}[0-9]{1,9}\s{1,99}(?:%s)" % "|".join(map(re.escape, SEEN)))


def _without_blanks(text: str) -> str:
    return "".join(text.split())


_WHOLE = {_without_blanks(status): status for status in SEEN}


def is_seen(status: str) -> bool:
    """Tell whether a status begins as those that were seen do."""
    return status.startswith(BEGINNINGS)


def is_cut(status: str) -> bool:
    """Tell whether a status is only the beginning of one that was seen."""
    if status in SEEN or len(status) > LONGEST:
        return False
    words = _without_blanks(status)
    return words not in _WHOLE and any(whole.startswith(words) for whole in _WHOLE)


def is_whole(status: str) -> bool:
    """Tell whether a status is neither cut nor followed by another row that stands in the same line."""
    return status in SEEN or not (is_cut(status) or ROW_WITHIN.search(status))


def continued(status: str, line: str) -> Optional[str]:
    """Join a cut status and the line onto which a terminal wrapped the rest; None where that is something else."""
    if len(line) > LONGEST or not is_cut(status):
        return None
    joined = _without_blanks(status + line)
    if joined in _WHOLE:
        return _WHOLE[joined]
    return status + " " + line if any(whole.startswith(joined) for whole in _WHOLE) else None
