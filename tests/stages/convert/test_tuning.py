"""The search for an int8 file, piece by piece on networks small enough to know what must come out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

from stages.convert.bias import correct_biases
from stages.convert.calibration import BATCH, Observer, _interpreter, activations
from stages.convert.doctor import examine
from stages.convert.int8 import quantise
from stages.convert.interpreter import telling
from stages.convert.judge import Judge, predict
from stages.convert.network import float_flatbuffer
from stages.convert.walk import Reference, Walk
from stages.images import as_floats
from stages.tasks import score
from stages.tasks.classification import compare
from stages.tflite.model import read_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

layers = tf.keras.layers
SIZE = 12


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    """A network with convolutions, a depthwise one, a sum and a swish."""
    tf.keras.utils.set_random_seed(3)
    entry = layers.Input((SIZE, SIZE, 3))
    first = layers.Conv2D(6, 3, padding="same", activation="swish")(entry)
    second = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(first))
    joined = layers.Add()([first, second])
    hidden = layers.Conv2D(8, 3, activation="relu")(joined)
    wide = tf.keras.initializers.RandomNormal(stddev=2, seed=1)
    head = layers.Dense(3, activation="softmax", kernel_initializer=wide, bias_initializer="ones")
    return float_flatbuffer(tf.keras.Model(entry, head(layers.GlobalAveragePooling2D()(hidden))))


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """Sparse images: most of each is black."""
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 256, (24, SIZE, SIZE, 3), dtype=np.uint8)
    return np.where(rng.random((24, SIZE, SIZE, 1)) < 0.2, noise, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def content(flatbuffer: bytes) -> bytes:
    return quantise(flatbuffer, dict.fromkeys(activations(read_model(flatbuffer)), (-4.0, 4.0)))


def test_a_network_that_takes_one_image_at_a_time_is_calibrated_as_any(pictures: NDArray[np.uint8]) -> None:
    entry = layers.Input((SIZE, SIZE, 3))
    hidden = layers.Conv2D(8, 3, padding="same", activation="relu")(entry)
    shuffled = layers.Permute((1, 2, 4, 3))(layers.Reshape((SIZE, SIZE, 2, 4))(hidden))
    hidden = layers.GlobalAveragePooling2D()(layers.Reshape((SIZE, SIZE, 8))(shuffled))
    flatbuffer = float_flatbuffer(tf.keras.Model(entry, layers.Dense(3, activation="softmax")(hidden)))
    found = Observer(flatbuffer, lambda index: pictures[index], SIZE, 2).statistics(range(6))
    assert found.images == 6
    for index in range(6):
        read = _interpreter(telling(flatbuffer), read_model(flatbuffer), 1)(as_floats(pictures[index : index + 1]))
        assert found.highs[:, index].tolist() == [read(tensor).max() for tensor in found.tensors]


def shifted(content: bytes, by: int) -> bytes:
    """Add the same to every bias of the first convolution."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    operator = next(one for one in graph.operators if len(one.inputs) == 3)
    buffer = model.buffers[graph.tensors[operator.inputs[2]].buffer]
    buffer.data = np.frombuffer((np.frombuffer(buffer.data, "<i4") + by).astype("<i4").tobytes(), np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def unlike(flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8]) -> float:
    difference = predict(flatbuffer, pictures, 1) - predict(content, pictures, 1)
    return float(np.abs(difference).mean())


def test_a_walk_computes_what_the_whole_graph_computes(content: bytes, pictures: NDArray[np.uint8]) -> None:
    walk = Walk(content, pictures)
    for place, operator in enumerate(walk.operators):
        walk.run(operator)
        walk.forget(place)
    found = walk.values[int(walk.graph.outputs[0])]
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    for picture, result in zip(pictures, found, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
        interpreter.invoke()
        assert (interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0] == result).all()
    assert list(walk.values) == [int(walk.graph.outputs[0])]  # all else was let go


def test_the_reference_gives_what_the_float_graph_computes(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> None:
    graph = read_model(flatbuffer).main
    reference = Reference(flatbuffer, pictures)
    last = graph.tensors[graph.outputs[0]].name
    values = reference.values(last)
    assert values is not None
    assert np.abs(values - predict(flatbuffer, pictures, 1)).max() < 1e-5
    assert reference.values("no such tensor") is None
    assert reference.values(graph.tensors[graph.operators[0].outputs[0]].name) is None  # gone by


def test_what_is_observed_is_what_each_operator_made(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> None:
    """Also where ADD or MUL could write over what it read."""
    walk, model = Walk(flatbuffer, as_floats(pictures[:BATCH])), read_model(flatbuffer)
    read = _interpreter(telling(flatbuffer), model, BATCH)(as_floats(pictures[:BATCH]))
    for operator in walk.operators:
        walk.run(operator)
    for index in activations(model):
        assert read(index) == pytest.approx(walk.values[index], rel=1e-4, abs=1e-5)


def test_bias_correction_takes_a_shift_back(flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8]) -> None:
    wrong = shifted(content, 20_000)
    corrected = correct_biases(wrong, flatbuffer, pictures)
    assert unlike(flatbuffer, corrected, pictures) < unlike(flatbuffer, wrong, pictures) / 2
    assert unlike(flatbuffer, corrected, pictures) <= 1.2 * unlike(flatbuffer, content, pictures)
    assert [one.name for one in read_model(corrected).main.operators] == [
        one.name for one in read_model(content).main.operators
    ]


def test_a_bias_that_two_operators_share_is_changed_for_each_alone(
    flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8]
) -> None:
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    biases = [one.inputs[2] for one in graph.operators if len(one.inputs) == 3]
    same = [index for index in biases if graph.tensors[index].shape[0] == graph.tensors[biases[0]].shape[0]]
    graph.tensors[same[1]].buffer = graph.tensors[same[0]].buffer
    shared = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    corrected = flatbuffer_utils.convert_bytearray_to_object(bytearray(correct_biases(shared, flatbuffer, pictures)))
    graph = corrected.subgraphs[0]
    found = [graph.tensors[one.inputs[2]].buffer for one in graph.operators if len(one.inputs) == 3]
    assert len(set(found)) == len(found)


def test_the_float_network_itself_has_no_regret(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> None:
    judge = Judge(pictures, [index % 3 for index in range(len(pictures))], flatbuffer, 2)
    assert judge.reference == judge.score(flatbuffer)
    assert (judge.reference.regret, judge.reference.divergence, judge.reference.agreement) == (0, 0, 1)


def test_regret_is_what_the_float_network_loses_by_other_answers(
    flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8]
) -> None:
    labels = [index % 3 for index in range(len(pictures))]
    judge = Judge(pictures, labels, flatbuffer, 1)
    sure, said = predict(flatbuffer, pictures, 1), predict(content, pictures, 1)
    lost = [float(one.max() - one[other.argmax()]) for one, other in zip(sure, said, strict=True)]
    assert judge.score(content).regret == pytest.approx(np.mean(lost))
    assert judge.score(content).agreement == np.mean(sure.argmax(axis=1) == said.argmax(axis=1))


def test_what_a_rare_class_loses_weighs_as_much_as_what_a_frequent_one_does() -> None:
    sure = np.tile([[0.6, 0.4]], (10, 1))
    labels = np.array([0] * 8 + [1] * 2)
    rare, frequent = sure.copy(), sure.copy()
    rare[8:], frequent[:8] = sure[8:, ::-1], sure[:8, ::-1]
    assert compare(sure, rare, labels).regret == pytest.approx(0.1)
    assert compare(sure, frequent, labels).regret == pytest.approx(0.1)
    assert compare(sure, rare, labels).regrets.mean() == pytest.approx(0.1)


def test_images_that_training_did_not_learn_from_may_not_tell_otherwise(
    flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = np.concatenate([pictures] * 6)
    labels = [index % 3 for index in range(len(many))]
    count = len(many) - 6
    judge = Judge(many, labels, flatbuffer, 1, unseen=count)
    found = judge.score(content)
    assert found.unseen is not None
    assert found.unseen == Judge(many[:count], labels[:count], flatbuffer, 1).score(content)
    assert found.document()["unseen_regret"] == round(found.unseen.regret, 6)
    halves = [half.score(content).unseen for half in judge.halves()]
    assert [len(half.regrets) for half in halves if half is not None] == [-(-count // 2), count // 2]
    monkeypatch.setattr(score, "TOLERANCE", 0.01)
    kept = np.full(len(many), 0.009)
    lost = replace(found.unseen, regret=0.1, regrets=np.full(count, 0.1))
    assert replace(found, regret=0.009, regrets=kept, unseen=None).is_within_tolerance
    assert not replace(found, regret=0.009, regrets=kept, unseen=lost).is_within_tolerance
    assert Judge(many, labels, flatbuffer, 1, unseen=3).score(content).unseen is None  # too few to tell


def test_scores_do_not_depend_on_the_number_of_threads(
    flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8]
) -> None:
    assert (predict(content, pictures, 1) == predict(content, pictures, 3)).all()
    assert (predict(flatbuffer, pictures, 1) == predict(flatbuffer, pictures, 3)).all()


def worst(flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8], place: int) -> dict[str, Any]:
    return next(one for one in examine(flatbuffer, content, pictures) if one["place"] == place)


def test_the_doctor_names_a_range_that_cuts(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> None:
    narrow = quantise(flatbuffer, dict.fromkeys(activations(read_model(flatbuffer)), (-0.02, 0.02)))
    assert any(one["reason"].startswith("range") for one in examine(flatbuffer, narrow, pictures))


def test_the_doctor_names_a_range_that_is_too_wide(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> None:
    wide = quantise(flatbuffer, dict.fromkeys(activations(read_model(flatbuffer)), (-400.0, 400.0)))
    told = examine(flatbuffer, wide, pictures)
    assert any(one["reason"].startswith("outliers") for one in told)
    assert [one["signal_to_noise_db"] for one in told] == sorted(one["signal_to_noise_db"] for one in told)


def test_the_doctor_names_a_shifted_bias(flatbuffer: bytes, content: bytes, pictures: NDArray[np.uint8]) -> None:
    reasons = [one["reason"] for one in examine(flatbuffer, shifted(content, 20_000), pictures)]
    assert any(reason.startswith("bias") for reason in reasons)


def test_the_doctor_looks_at_pixels_as_the_network_does(flatbuffer: bytes, pictures: NDArray[np.uint8]) -> None:
    fine = quantise(flatbuffer, dict.fromkeys(activations(read_model(flatbuffer)), (-3.0, 3.0)))
    assert as_floats(pictures).max() <= 1
    assert min(one["signal_to_noise_db"] for one in examine(flatbuffer, fine, pictures)) > 10
