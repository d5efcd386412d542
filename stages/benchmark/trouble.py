"""Device trouble: told to the host as such, so that it is not taken for something wrong with what the user gave."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Iterator, NoReturn

from stages.contract import InputError

if TYPE_CHECKING:
    from stages.contract import Step

WRONG_INPUT = 2


class DeviceError(InputError):
    """The device is missing, closed to us, or was lost."""


@contextlib.contextmanager
def told(step: Step) -> Iterator[None]:
    """Turn device trouble into the step's last event and exit code."""
    try:
        yield
    except DeviceError as error:
        tell(step, error.message, error.remedy)


def tell(step: Step, message: str, remedy: str) -> NoReturn:
    """End the step with a last event that the host reads as device trouble (`kind`)."""
    event = {"event": "error", "kind": "device", "message": message, "remedy": remedy}
    step.events.write(json.dumps(event) + "\n")
    step.events.flush()
    sys.exit(WRONG_INPUT)
