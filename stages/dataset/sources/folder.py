"""Images of the user's, in a folder or a zip file: indexed and checked, none is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.dataset.sources import Source
from stages.spec import Input, Parameter

if TYPE_CHECKING:
    from stages.contract import Step

SOURCE = Source(
    name="folder",
    summary="a folder or zip file of images, <split>/<class>/*.png or .jpg, or images and masks (--data FOLDER)",
    tasks=("classification", "segmentation"),
    parameters=(
        Parameter(
            "on_bad_image",
            "choice",
            "fail",
            "what to do with unreadable, wrongly sized or non-RGB images (--on-bad-image)",
            choices=("fail", "skip"),
        ),
    ),
    inputs={"data": Input(external="data")},
)


def make(step: Step) -> None:
    """Index and check the images in the step's input `data`."""
    from stages.dataset import folder, masked

    (masked if masked.is_masked(step.inputs["data"]) else folder).make(step)
