"""Weights from files: every format that Keras writes is read, everything else is refused with its reason."""

from __future__ import annotations

import json
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
from tiny import network

from stages.contract import InputError
from stages.models import build
from stages.network import build_from, read_description
from stages.trained import load_trained
from stages.weights import load_weights

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("legacy.h5", "new.weights.h5", "whole.h5", "archive.keras")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A tiny trained network in each format, under names that say nothing."""
    folder = tmp_path_factory.mktemp("saved")
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.ones((4, 16, 16, 3), np.float32), np.array([0, 1, 2, 0]), verbose=0)
    for name in FORMATS[:2]:
        model.save_weights(str(folder / name))
    for name in FORMATS[2:]:
        save_whole(model, folder / name)
    for name in FORMATS:
        (folder / name).rename(folder / name.split(".", maxsplit=1)[0])
    return model, folder


def save_whole(model: Any, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras recommends another format; users have this one
        model.save(str(path))


def assert_equal(one: Any, other: Any) -> None:
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(left, right)


@pytest.mark.parametrize("name", [name.split(".", maxsplit=1)[0] for name in FORMATS])
def test_every_format_is_read_whatever_its_name(saved: tuple[Any, Path], name: str) -> None:
    model, folder = saved
    fresh = network()
    load_weights(fresh, folder / name, "it")
    assert_equal(model, fresh)


@pytest.mark.parametrize("name", [name.split(".", maxsplit=1)[0] for name in FORMATS])
def test_weights_of_other_shapes_name_the_first_layer_that_differs(saved: tuple[Any, Path], name: str) -> None:
    other = network(classes=5)
    before = other.get_weights()
    with pytest.raises(
        InputError, match=r"it cannot be used: layer 'dense\w*' \(3 of 3\) needs 196x5, 5, found 196x3, 3"
    ):
        load_weights(other, saved[1] / name, "it")
    assert all(np.array_equal(left, right) for left, right in zip(before, other.get_weights(), strict=True))


@pytest.mark.parametrize("name", [name.split(".", maxsplit=1)[0] for name in FORMATS])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_a_file_cut_anywhere_is_refused(saved: tuple[Any, Path], tmp_path: Path, name: str, share: float) -> None:
    content = (saved[1] / name).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError):
        load_weights(network(), path, "it")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80\x04cposix\nsystem\n", b"hello"])
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "init"
    path.write_bytes(content)
    with pytest.raises(InputError, match="it cannot be used"):
        load_weights(network(), path, "it")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it cannot be used"):
        load_weights(network(), tmp_path, "it")


@pytest.fixture
def legacy(saved: tuple[Any, Path], tmp_path: Path) -> Path:
    path = tmp_path / "copy.h5"
    path.write_bytes((saved[1] / "legacy").read_bytes())
    return path


def kernel(file: Any) -> tuple[Any, str]:
    name = next(name for name in file if name.startswith("dense"))
    return file[name][name], "kernel:0"


@pytest.mark.parametrize("trick", ["soft", "external", "virtual", "stored elsewhere", "resizable", "integers", "nan"])
def test_tricks_of_hdf5_are_refused(legacy: Path, tmp_path: Path, trick: str) -> None:
    with h5py.File(legacy, "a") as file:
        group, name = kernel(file)
        values = group[name][()]
        del group[name]
        if trick == "soft":
            file["elsewhere"] = values
            group[name] = h5py.SoftLink("/elsewhere")
        elif trick == "external":
            group[name] = h5py.ExternalLink("other.h5", "/values")
        elif trick == "virtual":
            group.create_virtual_dataset(name, h5py.VirtualLayout(values.shape, "f4"))
        elif trick == "stored elsewhere":
            outside = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
            group.create_dataset(name, values.shape, "f4", external=outside)
        elif trick == "resizable":
            group.create_dataset(name, data=values, maxshape=(None, None))
        else:
            group[name] = values.astype("i4") if trick == "integers" else values * np.nan
    with pytest.raises(InputError, match="it cannot be used"):
        load_weights(network(), legacy, "it")


def test_an_archive_is_not_unpacked_and_only_its_weights_matter(saved: tuple[Any, Path], tmp_path: Path) -> None:
    path = tmp_path / "init"
    with zipfile.ZipFile(saved[1] / "archive") as source, zipfile.ZipFile(path, "w") as made:
        made.writestr("../../escaped", b"bad")
        made.writestr("config.json", json.dumps({"class_name": "Lambda", "config": {"function": "os.abort()"}}))
        made.writestr("model.weights.h5", source.read("model.weights.h5"))
    fresh = network()
    load_weights(fresh, path, "it")
    assert_equal(saved[0], fresh)
    assert not (tmp_path.parent / "escaped").exists()


def test_an_archive_without_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "init"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("config.json", "{}")
    with pytest.raises(InputError, match=r"holds no model\.weights\.h5"):
        load_weights(network(), path, "it")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_of_another_kind_is_refused(saved: tuple[Any, Path], tmp_path: Path, kind: int) -> None:
    path = tmp_path / "init"
    with zipfile.ZipFile(saved[1] / "archive") as source, zipfile.ZipFile(path, "w", kind) as made:
        made.writestr("model.weights.h5", source.read("model.weights.h5"))
    content = bytearray(path.read_bytes())
    content[100:400] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(InputError, match="neither stored nor deflated"):
        load_weights(network(), path, "it")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.weights.SPARE_BYTES", 2**16)
    path = tmp_path / "init"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("model.weights.h5", bytes(2**20))
    with pytest.raises(InputError, match="too much for this model"):
        load_weights(network(), path, "it")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A train artifact of ResNet50V2 at 32 px."""
    folder = tmp_path_factory.mktemp("artifact")
    build("resnet50v2", 32, 3).save_weights(str(folder / "weights.h5"), save_format="h5")
    document = {
        "schema": "coralline.model",
        "version": 1,
        "model": "resnet50v2",
        "input_size": 32,
        "classes": ["a", "b", "c"],
        "batchnorm_momentum": 0.9,
        "best_epoch": 1,
        "validation_images": [],
    }
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def test_a_trained_model_is_loaded_from_its_artifact(artifact: Path) -> None:
    model, description = load_trained(artifact)
    assert description["classes"] == ["a", "b", "c"]
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 3)
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)}
    assert momenta == {0.9}


def test_weights_of_another_model_are_refused(artifact: Path) -> None:
    other = build("efficientnetv2b0", 32, 3)
    with pytest.raises(InputError, match=r"layer 'stem_conv' \(1 of \d+\) needs 3x3x3x32, found 7x7x3x64, 64"):
        load_weights(other, artifact / "weights.h5", "it")


@pytest.mark.parametrize("change", [{"schema": "x"}, {"version": 9}, {"classes": "abc"}, {"input_size": None}])
def test_a_malformed_description_is_refused(artifact: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    told = json.loads((artifact / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**told, **change}))
    with pytest.raises(InputError, match=r"model\.json"):
        read_description(tmp_path / "model.json")


def test_a_missing_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.json"):
        load_trained(tmp_path)


def test_an_input_too_small_for_the_layers_is_told() -> None:
    told = {"model": "inceptionv3", "input_size": 32, "classes": ["a", "b"], "batchnorm_momentum": 0.0}
    with pytest.raises(InputError, match="inceptionv3 cannot be built for an input of 32 px"):
        build_from(told)


def test_an_unknown_model_is_told() -> None:
    with pytest.raises(InputError, match="no such model 'os'"):
        build_from({"model": "os", "input_size": 32, "classes": ["a", "b"], "batchnorm_momentum": 0.0})
