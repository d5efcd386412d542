"""The division into training, validation and test images."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from synthetic import make_dataset
from tiny import parameters, step

from stages.contract import InputError
from stages.train.data import Data
from stages.train.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def divide(tmp_path: Path, dataset: Path, **values: object) -> Data:
    made = step(tmp_path / "step", dataset, **values)
    return Data.read(made, Settings.read(made.parameters))


def test_a_tenth_of_each_class_validates_and_nothing_is_in_two_parts(tmp_path: Path, blobs: Path) -> None:
    data = divide(tmp_path, blobs)
    assert Counter(row.label for row in data.validation) == {0: 2, 1: 2, 2: 2}
    assert Counter(row.label for row in data.train) == {0: 18, 1: 18, 2: 18}
    assert not set(data.train) & set(data.validation)
    assert all(row.path.startswith("train/") for row in data.train + data.validation)
    assert len(data.test) == 24
    assert all(row.path.startswith("test/") for row in data.test)


def test_another_seed_keeps_other_images(tmp_path: Path, blobs: Path) -> None:
    assert divide(tmp_path, blobs, seed=1).validation != divide(tmp_path, blobs, seed=2).validation
    one, other = (divide(tmp_path, blobs, seed=1) for _ in range(2))
    assert all(getattr(one, part) == getattr(other, part) for part in ("train", "validation", "test", "digest"))


def test_the_digest_follows_the_content(tmp_path: Path, blobs: Path) -> None:
    other = make_dataset(tmp_path / "other", size=16, seed=2)
    assert divide(tmp_path, blobs).digest != divide(tmp_path, other).digest


def test_a_class_with_one_image_cannot_be_divided(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "set", train=1)
    with pytest.raises(InputError, match="no image of 'cc_numu', 'cc_nue', 'nc' is left"):
        divide(tmp_path, folder)


def test_an_unknown_model_is_told() -> None:
    with pytest.raises(InputError, match="no such model 'inception3'"):
        Settings.read(parameters(model="inception3"))


def test_no_input_size_means_the_models_own() -> None:
    assert Settings.read(parameters(model="inceptionv3", input_size=0)).input_size == 299
