"""Folders of simulated events: the same for every process count, resumable, and never half written."""

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from stages.dataset.lartpc import CLASSES, Config, GeneratorError, generate, png, simulate
from stages.dataset.lartpc.sample import CLASS_STRIDE, COLUMN_NAMES
from stages.dataset.lartpc.workers import in_order

COUNTS = {"train": {"cc_numu": 40, "cc_nue": 40, "nc": 40}, "test": {"nc": 3, "cc_numu": 2}}
SMALL = Config(size=64)


def _digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    assert generate(folder, 3, COUNTS, Config()) == folder / "metadata.csv"
    return folder


def test_every_event_has_its_image_and_nothing_else_is_there(made: Path) -> None:
    expected = {"config.json", "metadata.csv", "manifest.json"}
    for split, classes in COUNTS.items():
        expected |= {f"images/{split}/{c}/{split}_{c}_{i:07d}.png" for c, n in classes.items() for i in range(n)}
    assert set(_digests(made)) == expected


@pytest.mark.parametrize("processes", [2, 3])
def test_any_number_of_processes_makes_the_same_files(made: Path, tmp_path: Path, processes: int) -> None:
    generate(tmp_path, 3, COUNTS, Config(), processes=processes)
    assert _digests(tmp_path) == _digests(made)


def test_a_shuffled_order_makes_the_same_pixels(made: Path) -> None:
    order = [(label, number) for label in range(3) for number in range(40)]
    random.Random(1).shuffle(order)
    images = {pair: simulate(3, "train", pair[0] * CLASS_STRIDE + pair[1], Config())[0] for pair in order}
    manifest = json.loads((made / "manifest.json").read_text())
    for label, name in enumerate(CLASSES):
        digest = hashlib.sha256()
        for number in range(40):
            digest.update(f"train_{name}_{number:07d}".encode() + images[label, number].tobytes())
        assert manifest["splits"]["train"][name] == {"events": 40, "sha256": digest.hexdigest()}


def test_images_on_disk_are_the_simulated_pixels(made: Path) -> None:
    image, _ = simulate(3, "test", 2 * CLASS_STRIDE + 2, Config())
    assert (png.read(made / "images/test/nc/test_nc_0000002.png") == image).all()


def test_metadata_is_sorted_and_complete(made: Path) -> None:
    rows = list(csv.DictReader((made / "metadata.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMN_NAMES
    keys = [(row["split"], row["class"], int(row["number"])) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == 125
    _, truth = simulate(3, "test", 1, Config())
    row = next(row for row in rows if row["id"] == truth["id"])
    assert float(row["e_nu"]) == pytest.approx(truth["e_nu"], rel=1e-8)
    assert row["particles"] == truth["particles"]


def test_the_configuration_is_told_without_times_and_places(made: Path) -> None:
    text = (made / "config.json").read_text()
    told = json.loads(text)
    assert told["seed"] == 3
    assert told["counts"] == COUNTS
    assert told["parameters"]["e_max"] == 4.0
    assert set(told) == {"generator", "generator_version", "seed", "counts", "parameters", "versions"}
    assert told["versions"]["python"].count(".") == 1  # a patch number would give the same events another digest
    assert str(made) not in text


def test_an_event_does_not_depend_on_the_counts(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, 3, {"train": {"nc": 2}}, Config())
    name = "images/train/nc/train_nc_0000001.png"
    assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_progress_counts_every_event_once(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate(tmp_path, 1, {"val": {"nc": 70}}, SMALL, progress=lambda *call: calls.append(call))
    assert calls[-1] == (70, 70)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_no_events_make_an_empty_table(tmp_path: Path) -> None:
    generate(tmp_path, 1, {"val": {"nc": 0}}, SMALL)
    assert (tmp_path / "metadata.csv").read_text() == ",".join(COLUMN_NAMES) + "\n"


class _InterruptError(Exception):
    """Raised by a test in the middle of a run."""


def _interrupt_after(events: int) -> object:
    def progress(done: int, total: int) -> None:
        assert total == 125
        if done >= events:
            raise _InterruptError

    return progress


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupted_run_goes_on_where_it_stopped(made: Path, tmp_path: Path, processes: int) -> None:
    with pytest.raises(_InterruptError):
        generate(tmp_path, 3, COUNTS, Config(), processes=processes, progress=_interrupt_after(60))
    assert not (tmp_path / "metadata.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert len(kept) >= 60
    generate(tmp_path, 3, COUNTS, Config(), processes=processes)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert _digests(tmp_path) == _digests(made)


def test_a_torn_journal_is_no_obstacle(made: Path, tmp_path: Path) -> None:
    with pytest.raises(_InterruptError):
        generate(tmp_path, 3, COUNTS, Config(), progress=_interrupt_after(60))
    journal = tmp_path / "metadata.partial.csv"
    journal.write_text(journal.read_text()[:-40])
    generate(tmp_path, 3, COUNTS, Config())
    assert _digests(tmp_path) == _digests(made)


def test_a_lost_image_is_made_again(made: Path, tmp_path: Path) -> None:
    generate(tmp_path, 3, COUNTS, Config())
    (tmp_path / "images/train/nc/train_nc_0000007.png").unlink()
    generate(tmp_path, 3, COUNTS, Config())
    assert _digests(tmp_path) == _digests(made)


@pytest.mark.parametrize(
    ("seed", "counts", "config", "key"),
    [
        (4, {"val": {"nc": 1}}, SMALL, "seed is 1, expected 4"),
        (1, {"val": {"nc": 2}}, SMALL, "counts.val.nc is 1, expected 2"),
        (1, {"val": {"nc": 1}}, Config(size=64, gain=31), "parameters.gain is 30.0, expected 31.0"),
        (1, {"calib": {"nc": 1}}, SMALL, "counts.calib is missing"),
    ],
)
def test_another_sample_in_the_folder_is_named_and_kept(
    tmp_path: Path, seed: int, counts: dict[str, dict[str, int]], config: Config, key: str
) -> None:
    generate(tmp_path, 1, {"val": {"nc": 1}}, SMALL)
    before = _digests(tmp_path)
    with pytest.raises(GeneratorError, match=key):
        generate(tmp_path, seed, counts, config)
    assert _digests(tmp_path) == before


def test_without_resume_a_used_folder_is_refused(tmp_path: Path) -> None:
    generate(tmp_path, 1, {"val": {"nc": 1}}, SMALL)
    with pytest.raises(GeneratorError, match="resume"):
        generate(tmp_path, 1, {"val": {"nc": 1}}, SMALL, resume=False)


def test_images_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    generate(tmp_path, 1, {"val": {"nc": 1}}, SMALL)
    (tmp_path / "config.json").unlink()
    with pytest.raises(GeneratorError, match=r"config\.json"):
        generate(tmp_path, 1, {"val": {"nc": 1}}, SMALL)


@pytest.mark.parametrize(
    ("seed", "counts", "processes", "key"),
    [
        (1, {"training": {"nc": 1}}, 1, "training"),
        (1, {"train": {"ncc": 1}}, 1, "counts.train.ncc"),
        (1, {"train": {"nc": -1}}, 1, "counts.train.nc"),
        (1, {"train": {"nc": 10_000_001}}, 1, "counts.train.nc"),
        (1, {"train": {"nc": 1.5}}, 1, "counts.train.nc"),
        (-1, {"train": {"nc": 1}}, 1, "seed"),
        (1, {"train": {"nc": 1}}, 0, "processes"),
    ],
)
def test_a_bad_request_is_refused_before_any_file(
    tmp_path: Path, seed: int, counts: dict[str, dict[str, int]], processes: int, key: str
) -> None:
    with pytest.raises(GeneratorError, match=key):
        generate(tmp_path / "out", seed, counts, SMALL, processes=processes)
    assert not (tmp_path / "out").exists()


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _wait_for(condition: object, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_workers_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    simulate(1, "train", 0, Config())  # the child below inherits the compiled code
    parent = multiprocessing.get_context("fork").Process(
        target=generate, args=(tmp_path, 1, {"train": {"cc_nue": 100_000}}, Config(), 2)
    )
    parent.start()
    assert _wait_for(lambda: len(_children(parent.pid)) == 2 and list(tmp_path.rglob("*.png")), 60)
    workers = _children(parent.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    assert _wait_for(lambda: not any(_running(pid) for pid in workers), 10)
    # what is there under its final name is whole
    for path in tmp_path.rglob("train_*.png"):
        assert png.read(path).shape == (224, 224, 3)


def _square(number: int) -> int:
    if number == 13:
        raise KeyError(number)
    return number * number


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_tasks(processes: int) -> None:
    tasks = [n for n in range(100) if n != 13]
    assert list(in_order(_square, tasks, processes)) == [n * n for n in tasks]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_in_a_task_reaches_the_caller(processes: int) -> None:
    with pytest.raises(KeyError):
        list(in_order(_square, range(1000), processes))


def test_a_png_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    png.write(tmp_path / "a.png", image)
    assert (png.read(tmp_path / "a.png") == image).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
