"""What sources of images with masks have in common: the size of an image, and the list of masks."""

from __future__ import annotations

from stages.dataset.sources import IMAGES
from stages.spec import Output, Parameter

PIXELS = Parameter("pixels", "int", 64, "edge of an image with a mask, in pixels", minimum=32, maximum=224)
OUTPUTS = (IMAGES, Output("masks.csv", "csv"))
