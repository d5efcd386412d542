"""Weights from a file into a network that we built: numbers only, never a model from a file.

Reads what Keras writes: legacy `.h5` (weights or a whole model), `.weights.h5` and `.keras`, told apart by content.
Nothing of the file is executed or unpickled, no link is followed out of it, and no array is read before its shape is
the one that our network expects.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import h5py
import numpy as np

from stages.contract import InputError
from stages.preparation import NAME
from stages.zipped import PACKED

if TYPE_CHECKING:
    from pathlib import Path

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC = b"PK\x03\x04"
KERAS_MEMBER = "model.weights.h5"
MAX_MEMBERS = 1000
# Adam keeps two more numbers for each weight, and HDF5 adds headers: more than this is not a file of our network.
LARGEST_PER_WEIGHT = 4
SPARE_BYTES = 2**26
PREPARATION = [(1, 1, 3, 1), (3,)]  # shapes of the layer that stages/preparation.py makes
BROKEN_HDF5 = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError)


class Stored(NamedTuple):
    """The arrays of one layer as they lie in a file, not read yet."""

    name: str
    arrays: List[Any]


Match = Callable[[Any, List[Any]], Tuple[List[Any], List[Stored]]]


class WrongWeightsError(InputError):
    """The file does not hold weights of the network that was asked for."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            "%s cannot be used: %s" % (what, reason),
            "give weights of the same model with the same classes, as Keras saves them: .h5, .weights.h5 or .keras",
        )


def load_weights(model: Any, path: Path, what: str) -> None:
    """Set every weight of `model` from the file; `what` names the file in messages.

    Raises:
        WrongWeightsError: unreadable, not finite, or of another network: then the first layer that differs is named.
    """
    _load(model, path, what, lambda file, layers: (layers, _stored_layers(file, layers)))


def start_from(model: Any, path: Path, what: str) -> bool:
    """Set the weights of `model` from a file of the same network, perhaps of other classes; say whether all were set.

    What may be missing in the file keeps its values: the layer that prepares images, and the last layer where the
    file has none or one of other classes.

    Raises:
        WrongWeightsError: as `load_weights`.
        InputError: the file has a layer that prepares images, which the network lacks.
    """
    return _weighted(model)[-1] in _load(model, path, what, lambda file, layers: _shared(file, layers, what))


def _load(model: Any, path: Path, what: str, match: Match) -> List[Any]:
    """Set the layers that `match` pairs with those of the file, all or none; return them."""
    try:
        with _open(path, model, what) as file:
            layers, stored = match(file, _weighted(model))
            _compare(layers, stored, what)
            values = [[_read(array, what) for array in one.arrays] for one in stored]
    except BROKEN_HDF5 as error:
        raise WrongWeightsError(what, "damaged or not a Keras file (%s)" % error) from error
    for layer, arrays in zip(layers, values):
        layer.set_weights(arrays)
    return layers


def _weighted(model: Any) -> List[Any]:
    return [layer for layer in model.layers if layer.weights]


def _shared(file: Any, layers: List[Any], what: str) -> Tuple[List[Any], List[Stored]]:
    """Pair the layers with those of a file that may lack the first or have another last one."""
    body = [layer for layer in layers if layer.name != NAME]
    stored = _stored_layers(file, body)
    if len(stored) == len(body) + 1 and _is_preparation(stored[0]):
        if len(layers) == len(body):
            raise InputError(
                "%s cannot be used: they begin with a layer that prepares images, which this network lacks" % what,
                "set train.input_values=keras, as it was where these weights were trained",
            )
        body = layers
    if len(stored) > len(body):
        return layers, stored
    kernel = tuple(body[-1].weights[0].shape)
    kernels = [tuple(array.shape) for one in stored[len(body) - 1 :] for array in one.arrays[:1]]
    if kernels != [kernel] and all(shape[:-1] == kernel[:-1] for shape in kernels):
        return body[:-1], stored[: len(body) - 1]
    return body, stored


def _is_preparation(stored: Stored) -> bool:
    return [tuple(array.shape) for array in stored.arrays] == PREPARATION


@contextmanager
def _open(path: Path, model: Any, what: str) -> Iterator[Any]:
    with path.open("rb") as file:
        magic = file.read(8)
        file.seek(0)
        if magic == HDF5_MAGIC:
            content: Any = file
        elif magic.startswith(ZIP_MAGIC):
            content = io.BytesIO(_member(file, LARGEST_PER_WEIGHT * _size_bytes(model) + SPARE_BYTES, what))
        else:
            raise WrongWeightsError(what, "it is neither an HDF5 nor a .keras file")
        with h5py.File(content, "r") as opened:
            yield opened


def _size_bytes(model: Any) -> int:
    return 4 * int(sum(np.prod(weight.shape) for weight in model.weights))


def _member(file: Any, most: int, what: str) -> bytes:
    """Read the weights inside a `.keras` archive in memory: nothing is unpacked, so no path in it matters."""
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) > MAX_MEMBERS or KERAS_MEMBER not in archive.namelist():
                raise WrongWeightsError(what, "the archive holds no %s" % KERAS_MEMBER)
            if archive.getinfo(KERAS_MEMBER).compress_type not in PACKED:
                raise WrongWeightsError(what, "%s is neither stored nor deflated" % KERAS_MEMBER)
            with archive.open(KERAS_MEMBER) as member:
                content = member.read(most + 1)
    except BROKEN_ZIP as error:
        raise WrongWeightsError(what, "damaged archive (%s)" % error) from error
    if len(content) > most:
        raise WrongWeightsError(what, "it unpacks to more than %d MB, too much for this model" % (most // 10**6))
    return content


def _stored_layers(file: Any, layers: List[Any]) -> List[Stored]:
    """Find the file's layers that have weights, in the order of the network."""
    for container in ("_layer_checkpoint_dependencies", "layers"):
        if container in file:
            return _stored_in_v3(_child(file, container), layers)
    return _stored_in_legacy(_child(file, "model_weights") if "model_weights" in file else file)


def _stored_in_legacy(group: Any) -> List[Stored]:
    found = []
    for name in _names(group, "layer_names"):
        layer = _child(group, name)
        arrays = [_child(layer, weight) for weight in _names(layer, "weight_names")]
        if arrays:
            found.append(Stored(name, arrays))
    return found


def _names(group: Any, attribute: str) -> List[str]:
    """Read a list of names; Keras splits long ones over `attribute0`, `attribute1`, ..."""
    keys = [attribute] if attribute in group.attrs else []
    while "%s%d" % (attribute, len(keys)) in group.attrs:
        keys.append("%s%d" % (attribute, len(keys)))
    if not keys:
        raise KeyError("no %s" % attribute)
    names = [name for key in keys for name in group.attrs[key]]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names]


def _stored_in_v3(container: Any, layers: List[Any]) -> List[Stored]:
    """Layers by the names they have there: the class in snake case with a count, or the layer's own name."""
    found = []
    counts: Dict[str, int] = {}
    for layer in layers:
        kind = _snake_case(type(layer).__name__)
        counts[kind] = counts.get(kind, -1) + 1
        numbered = "%s_%d" % (kind, counts[kind]) if counts[kind] else kind
        name = layer.name if layer.name in container and numbered not in container else numbered
        found.append(Stored(name, _arrays_in_v3(container, name)))
    return found


def _arrays_in_v3(container: Any, name: str) -> List[Any]:
    if name not in container:
        return []
    group = _child(_child(container, name), "vars")
    return [_child(group, str(index)) for index in range(len(group))]


def _snake_case(name: str) -> str:
    """`BatchNormalization` -> `batch_normalization`, as Keras does it (`generic_utils.to_snake_case`)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _child(group: Any, path: str) -> Any:
    """Find what lies at `path` below `group`, through hard links only: soft and external ones lead elsewhere."""
    for part in path.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise KeyError("no '%s'" % path)
        group = group[part]
    return group


def _compare(layers: List[Any], stored: List[Stored], what: str) -> None:
    """Demand the same layers with the same shapes in the same order; names are Keras' counters and tell nothing."""
    for position, layer in enumerate(layers):
        expected = [tuple(weight.shape) for weight in layer.weights]
        found = [tuple(array.shape) for array in stored[position].arrays] if position < len(stored) else []
        if expected != found:
            raise WrongWeightsError(
                what,
                "layer '%s' (%d of %d) needs %s, found %s"
                % (layer.name, position + 1, len(layers), _shapes(expected), _shapes(found)),
            )
    if len(stored) > len(layers):
        raise WrongWeightsError(what, "it has %d layers with weights, the model %d" % (len(stored), len(layers)))


def _shapes(shapes: List[Tuple[int, ...]]) -> str:
    return ", ".join("x".join(str(edge) for edge in shape) or "scalar" for shape in shapes) or "nothing"


def _read(array: Any, what: str) -> Any:
    """Read one array, whose shape is known to be right: no data outside the file, nothing but finite floats."""
    if array.external or array.is_virtual or array.maxshape != array.shape or array.dtype.kind != "f":
        raise WrongWeightsError(what, "'%s' is not a plain array of floats" % array.name)
    values = np.asarray(array[()], dtype=np.float32)
    if not np.isfinite(values).all():
        raise WrongWeightsError(what, "'%s' holds values that are not finite" % array.name)
    return values
