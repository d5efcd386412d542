"""What the benchmark asks of a runtime; each is opened by `open_runtime` in `stages/benchmark/NAME.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.images import Pixels

    Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Runtime:
    """A loaded network, ready to be measured.

    `single` takes one image and returns a function that runs it alone; `timed` says what that function covers.
    `workers` holds one function per thread that may run at the same time, each from a batch of at most `batch` images
    to a row of probabilities for each. `facts` says what ran: versions, kernels.
    """

    classes: List[str]
    input_size: int
    load_ms: float
    timed: str
    single: Callable[[Pixels], Callable[[], object]]
    workers: List[Callable[[Pixels], Probabilities]]
    batch: int = 1
    facts: Dict[str, Any] = field(default_factory=dict)
