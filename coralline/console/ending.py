"""How a task ends: its answer as JSON, its user errors as two lines with their exit code. A bug keeps its traceback."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from coralline import console
from coralline.errors import INTERRUPTED, CorallineError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def guarded(*, debug: bool = False) -> Iterator[None]:
    """Turn user errors into two lines and their exit code."""
    try:
        yield
    except CorallineError as error:
        if debug:
            traceback.print_exc()
        console.show_error(error)
        raise SystemExit(error.code) from None
    except KeyboardInterrupt:
        print("interrupted; finished artifacts are kept", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - stays open until the end
        raise SystemExit(0) from None


def print_json(document: Any) -> None:
    """Print one JSON object to standard output, in one order of its keys."""
    print(json.dumps(document, indent=1, sort_keys=True))
