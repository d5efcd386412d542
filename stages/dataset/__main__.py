"""Makes a data set from the source that the parameter `source` names; nothing here knows which sources there are."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stages import contract

if TYPE_CHECKING:
    from stages.contract import Step


def main(step: Step) -> None:
    """Let the step's source make the data set."""
    source = import_module("stages.dataset.sources.%s" % step.parameters["source"])
    source.make(step)


if __name__ == "__main__":
    contract.run(main)
