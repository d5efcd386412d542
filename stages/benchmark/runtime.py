"""What the benchmark asks of a runtime; each is opened by `open_runtime` in `stages/benchmark/NAME.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.images import Pixels

    Probabilities = NDArray[np.float32]
    Single = Callable[[Pixels], Callable[[], object]]


class TooLargeError(Exception):
    """A batch does not fit into the memory of the device."""


@dataclass(frozen=True)
class Runtime:
    """A loaded network, ready to be measured.

    `single` takes one image and returns a function that runs it alone; `timed` says what that function covers. What
    only stands for something that nothing executes has no `single`: its accuracy is all that can be measured.
    `workers` holds one function per thread that may run at the same time, each from a batch of at most `batch` images
    to a row of probabilities for each. `facts` says what ran: versions, kernels.

    Where a runtime can, `on_all_threads` is `single` on all threads of the step, and `in_batches` takes an image and
    how often to repeat it, at most `largest_batch` times: it returns a function for each batch that may run at the
    same time, which raises TooLargeError when memory does not suffice. `examine` measures what memory the file takes
    and as what its weights are executed: numbers for the record, and `execution.json`.
    """

    classes: List[str]
    input_size: int
    load_ms: float
    timed: str
    single: Optional[Single]
    workers: List[Callable[[Pixels], Probabilities]]
    batch: int = 1
    on_all_threads: Optional[Single] = None
    in_batches: Optional[Callable[[Pixels, int], List[Callable[[], object]]]] = None
    largest_batch: int = 1
    examine: Optional[Callable[[], Tuple[List[Dict[str, Any]], Dict[str, Any]]]] = None
    facts: Dict[str, Any] = field(default_factory=dict)
