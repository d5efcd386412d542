"""The stock conversion takes the range of its input from the images that it sees, whatever these are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from synthetic import CLASSES, make_dataset
from test_narrow import network

from stages.contract import Step
from stages.convert.network import takes_images
from stages.convert.recipes import ptq_int8_stock
from stages.convert.source import Source
from stages.tflite.model import inputs_and_outputs, read_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("brightest", "entry"), [(255, "uint8"), (150, "float32")])
def test_a_file_of_images_without_white_takes_floats(tmp_path: Path, brightest: int, entry: str) -> None:
    data = make_dataset(tmp_path / "data", brightest=brightest)
    values = {"recipe": "ptq-int8-stock", "calibration_images": 12, "calibration_seed": 1}
    (tmp_path / "out").mkdir()
    step = Step("convert", "convert", values, 1, {"dataset": data}, tmp_path / "out", None, events=io.StringIO())
    told = {"model": "inceptionv3", "input_size": 32, "classes": list(CLASSES), "validation_images": []}
    content = ptq_int8_stock.convert(Source(step, network(size=32), told)).content
    assert content is not None
    (found, *_), (answer, *_) = inputs_and_outputs(read_model(content))
    assert (found.dtype, answer.dtype) == (entry, "uint8")
    assert takes_images(content)
    assert np.prod(found.shape) == 32 * 32 * 3
