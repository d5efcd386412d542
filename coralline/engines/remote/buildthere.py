"""A process that builds one image on the daemon that DOCKER_HOST names: `python -m ...remote.buildthere`.

Prints JSON lines: what the builder says, at last `{"id": ...}`, or `{"message": ..., "hint": ...}`.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from coralline.errors import INTERRUPTED, CorallineError
from coralline.images import Images

if TYPE_CHECKING:
    from collections.abc import Mapping


def main() -> None:
    """Build the image NAME of PROJECT, recorded below HOME."""
    name, project, home = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would we
    try:
        answer = {"id": Images(Path(project), Path(home)).build(name, _say)}
    except CorallineError as error:
        answer = {"message": error.message, "hint": error.hint}
    except KeyboardInterrupt:  # whoever started us is told too
        sys.exit(INTERRUPTED)
    _say(answer)


def _say(told: Mapping[str, object]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
