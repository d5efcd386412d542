"""Make a folder of events: images, metadata, configuration and manifest, the same for every process count.

No file holds a time, a host name or a path, so equal requests give equal files.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import platform
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt
import PIL

from stages.dataset.lartpc import png
from stages.dataset.lartpc.config import GENERATOR_VERSION, Config, GeneratorError
from stages.dataset.lartpc.jit import numba
from stages.dataset.lartpc.sample import (
    CLASS_STRIDE,
    CLASSES,
    COLUMN_NAMES,
    Workspace,
    check_split,
    event_id,
    simulate,
)
from stages.dataset.lartpc.workers import in_order

Counts = Mapping[str, Mapping[str, int]]
Progress = Callable[[int, int], None]

#: Events per task: long enough to hide the cost of handing it out, short enough to lose little.
_CHUNK = 32
_JOURNAL = "metadata.partial.csv"


class _Chunk(NamedTuple):
    """Events `first` to `last` - 1 of one class, with the metadata rows known from an earlier run."""

    split: str
    name: str
    first: int
    last: int
    known: Dict[str, List[str]]


class _Sparse(NamedTuple):
    """Non-zero bytes of an image: a fiftieth of its size, so that it travels between processes cheaply."""

    places: npt.NDArray[np.uint32]
    values: npt.NDArray[np.uint8]


_Made = List[Tuple[List[str], _Sparse]]


def check_counts(counts: Counts) -> None:
    """Refuse unknown splits and classes, and numbers outside 0 to 9,999,999.

    Raises:
        GeneratorError: names the offending key.
    """
    for split, classes in counts.items():
        check_split(split)
        for name, number in classes.items():
            if name not in CLASSES:
                raise GeneratorError(f"counts.{split}.{name}: expected a class of {', '.join(CLASSES)}")
            if not _is_whole(number) or not 0 <= number < CLASS_STRIDE:
                raise GeneratorError(
                    f"counts.{split}.{name} = {number!r}: expected a whole number from 0 to {CLASS_STRIDE - 1}"
                )


def _is_whole(value: object) -> bool:
    """Tell whether `value` is a whole number: callers read their requests from files."""
    return isinstance(value, int) and not isinstance(value, bool)


def describe(seed: int, counts: Counts, config: Config, masked: Optional[int] = None) -> Dict[str, object]:
    """Return what decides the sample: parameters, seed, counts and versions, as kept in config.json."""
    return {
        **({} if masked is None else {"masked_view": masked}),
        "generator": "lartpc",
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "counts": {split: dict(sorted(classes.items())) for split, classes in sorted(counts.items())},
        "parameters": dataclasses.asdict(config),
        "versions": {
            # no patch number: it differs between a container and a laptop and decides nothing about the events
            "python": ".".join(platform.python_version_tuple()[:2]),
            "numpy": np.__version__,
            "numba": numba.__version__,
            "pillow": PIL.__version__,
        },
    }


def generate(
    out_dir: Union[str, os.PathLike[str]],
    seed: int,
    counts: Counts,
    config: Config,
    processes: int = 1,
    resume: bool = True,
    progress: Optional[Progress] = None,
    masked: Optional[int] = None,
) -> Path:
    """Make `counts`[split][class] events in `out_dir` and return the path of metadata.csv.

    On return `out_dir` holds config.json, metadata.csv, manifest.json and
    images/<split>/<class>/<id>.png for every event. metadata.csv and manifest.json appear last: their
    presence means that all events are there. With `resume`, images of an interrupted run with the same
    configuration are kept. `progress(done, total)` is called as events are finished. With a `masked` view (0 to 2),
    masks/<split>/<class>/<id>.png says what left each of its pixels (`origin.ORIGINS`).

    Raises:
        GeneratorError: the request is out of range, or `out_dir` holds another configuration.
    """
    check_counts(counts)
    if not _is_whole(seed) or seed < 0:
        raise GeneratorError(f"seed = {seed!r}: expected a whole number, 0 or more")
    if processes < 1:
        raise GeneratorError(f"processes = {processes!r}: expected 1 or more")
    out = Path(out_dir)
    _open_folder(out, describe(seed, counts, config, masked), resume)
    for split, name, _ in _groups(counts):
        for kind in ("images",) if masked is None else ("images", "masks"):
            (out / kind / split / name).mkdir(parents=True, exist_ok=True)
    _compile(config.size)
    known = _read_journal(out / _JOURNAL)
    function = partial(_make_chunk, out, seed, config, masked)
    results = in_order(function, _chunks(counts, known), processes)
    total = sum(number for _, _, number in _groups(counts))
    rows, manifest = _collect(out, counts, config, results, lambda done: progress(done, total) if progress else None)
    _write_text(out / "manifest.json", _to_json({"generator_version": GENERATOR_VERSION, "splits": manifest}))
    _write_text(out / "metadata.csv", _to_csv([list(COLUMN_NAMES), *rows]))
    (out / _JOURNAL).unlink()
    return out / "metadata.csv"


def _groups(counts: Counts) -> List[Tuple[str, str, int]]:
    """Return (split, class, number) sorted as the metadata table is."""
    return [(split, name, counts[split][name]) for split in sorted(counts) for name in sorted(counts[split])]


def _chunks(counts: Counts, known: Mapping[str, List[str]]) -> Iterator[_Chunk]:
    """Cut every group into tasks, each with what the journal knows of its events."""
    for split, name, number in _groups(counts):
        for first in range(0, number, _CHUNK):
            last = min(number, first + _CHUNK)
            ids = (event_id(split, name, i) for i in range(first, last))
            yield _Chunk(split, name, first, last, {i: known[i] for i in ids if i in known})


def _compile(size: int) -> None:
    """Compile the kernel in this process, so that forked workers find it ready."""
    simulate(0, "train", 0, Config(size=size))


def _make_chunk(out: Path, seed: int, config: Config, masked: Optional[int], chunk: _Chunk) -> _Made:
    """Make the events of one task; an image that is already there is not written again."""
    work = Workspace(config.size, traced=masked is not None)
    label = CLASSES.index(chunk.name)
    made = []
    for number in range(chunk.first, chunk.last):
        name = event_id(chunk.split, chunk.name, number)
        path, mask = (out / kind / chunk.split / chunk.name / f"{name}.png" for kind in ("images", "masks"))
        row = chunk.known.get(name)
        if row is not None and path.exists() and (masked is None or mask.exists()):
            image = png.read(path)
        else:
            image, truth = simulate(seed, chunk.split, label * CLASS_STRIDE + number, config, work)
            row = [_cell(value) for value in truth.values()]
            if not path.exists():
                png.write(path, image)
            if masked is not None:
                png.write(mask, work.mask(image, masked))
        flat = image.reshape(-1)
        places = np.flatnonzero(flat).astype(np.uint32)
        made.append((row, _Sparse(places, flat[places])))
    return made


def _collect(
    out: Path, counts: Counts, config: Config, results: Iterator[_Made], report: Callable[[int], object]
) -> Tuple[List[List[str]], Dict[str, Dict[str, Dict[str, Union[int, str]]]]]:
    """Gather rows and hash pixels in order of (split, class, number); keep a journal for `resume`."""
    rows: List[List[str]] = []
    manifest: Dict[str, Dict[str, Dict[str, Union[int, str]]]] = {}
    with (out / _JOURNAL).open("w", encoding="utf-8", newline="") as journal:
        for split, name, number in _groups(counts):
            digest = hashlib.sha256()
            left = number
            while left > 0:
                made = next(results)
                for row, sparse in made:
                    pixels = np.zeros(config.size * config.size * 3, dtype=np.uint8)
                    pixels[sparse.places] = sparse.values
                    digest.update(row[0].encode("ascii"))
                    digest.update(pixels.tobytes())
                    rows.append(row)
                journal.write(_to_csv([row for row, _ in made]))
                journal.flush()
                left -= len(made)
                report(len(rows))
            manifest.setdefault(split, {})[name] = {"events": number, "sha256": digest.hexdigest()}
    for _ in results:  # nothing is left: this closes the pool
        pass
    return rows, manifest


def _open_folder(out: Path, description: Dict[str, object], resume: bool) -> None:
    """Make `out` ready for this configuration; drop the files that mark a finished sample."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "config.json"
    if path.exists():
        if not resume:
            raise GeneratorError(f"{path.name} exists: choose an empty folder, or allow resume")
        key = first_difference(json.loads(path.read_text(encoding="utf-8")), json.loads(_to_json(description)))
        if key:
            raise GeneratorError(f"the folder holds another sample: {key}; choose an empty folder")
    elif any(out.glob("images/*/*/*.png")):
        raise GeneratorError("the folder holds images without config.json; choose an empty folder")
    _write_text(path, _to_json(description))


def first_difference(found: object, expected: object, key: str = "") -> str:
    """Return the first differing key with both values, or an empty string."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted({*found, *expected}):
            inner = f"{key}.{name}" if key else str(name)
            if name not in found or name not in expected:
                return f"{inner} is {'missing' if name not in found else 'unexpected'}"
            text = first_difference(found[name], expected[name], inner)
            if text:
                return text
        return ""
    return "" if found == expected else f"{key} is {found!r}, expected {expected!r}"


def _read_journal(path: Path) -> Dict[str, List[str]]:
    """Return the rows of an interrupted run by event name; a torn last line is ignored."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = csv.reader(line for line in lines if line.endswith("\n"))
    return {row[0]: row for row in rows if len(row) == len(COLUMN_NAMES)}


def _cell(value: Union[float, str]) -> str:
    """Format one value of the table; nine digits tell any two single-precision numbers apart."""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _to_csv(rows: List[List[str]]) -> str:
    """Return rows as CSV text."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _to_json(value: object) -> str:
    """Return JSON text with sorted keys and a final newline."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _write_text(path: Path, text: str) -> None:
    """Write a file that is either absent, old or whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
