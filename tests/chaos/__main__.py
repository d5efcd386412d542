"""The long ordeal: `.coralline/environments/test-*/bin/python -m tests.chaos --kills 200 [--engine local] [--seed 1]`.

A tiny request is carried out in a small file system while its host process, steps, containers and their daemon are
killed and the disk is filled, at random moments. It must end in the same digests each time. Needs root; for Docker
a daemon of its own is started below --folder, which wants 6 GB there. Prints one JSON line; exit code 1 when a promise
was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from lab import CLASSIFICATION, Lab

from coralline import daemon
from tests.chaos import harm
from tests.chaos.ordeal import Found, Ordeal
from tests.chaos.servant import Servant

if TYPE_CHECKING:
    from collections.abc import Iterator

DISK_MIB = 1600  # the whole request fits twice; from 512 MiB of room on a run may begin
WORDS = ("--only", "convert")
IMAGES = ("base", "dataset", "train", "convert")


def main() -> int:
    """Carry out ordeals on the chosen engines."""
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--kills", type=int, default=200, help="how often harm is done, on all engines together")
    words.add_argument("--engine", choices=("local", "docker", "both"), default="both")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--folder", type=Path, default=None, help="where to work; a temporary folder by default")
    told = words.parse_args()
    engines = ("local", "docker") if told.engine == "both" else (told.engine,)
    with tempfile.TemporaryDirectory(dir=told.folder, prefix="chaos-") as place:
        summaries = [ordeal(name, Path(place), told.kills // len(engines), told.seed) for name in engines]
    for summary in summaries:
        print(json.dumps(summary))
    return 1 if any(summary["broken"] for summary in summaries) else 0


def ordeal(engine: str, place: Path, kills: int, seed: int) -> dict[str, Any]:
    """Measure an undisturbed run on an engine, then disturb it."""
    started = time.monotonic()
    harms: dict[str, harm.Harm] = {"host killed": harm.kill_host, "host interrupted": harm.interrupt_host}
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(place / engine))
        lab = Lab(disk / "artifacts", engine, request=CLASSIFICATION)
        harms["disk full"] = harm.fill_disk
        if engine == "docker":
            servant = stack.enter_context(serving(place / "dockerd"))
            harms |= {"container killed": harm.kill_container, "daemon killed": harm.kill_daemon(servant)}
        else:
            harms["step killed"] = harm.kill_step
        began = time.monotonic()
        lab.all(*WORDS)
        lasts_s, expected = time.monotonic() - began, lab.digests()
        shutil.rmtree(lab.artifacts)
        found = Ordeal(lab, WORDS, expected, lasts_s, random.Random(seed)).suffer(kills, harms, tell)
    print(file=sys.stderr)
    return {
        "engine": engine,
        "seed": seed,
        "harm": dict(sorted(found.harms.items())),
        "runs_that_ended_well": found.finished,
        "broken": found.broken,
        "undisturbed_s": round(lasts_s, 1),
        "seconds": round(time.monotonic() - started),
    }


def tell(found: Found) -> None:
    """Show how far it is."""
    line = f"\r{found.harms.total()} harms, {found.finished} runs ended well, {len(found.broken)} promises broken "
    print(line, end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a small file system in memory."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}M", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Servant]:
    """Start a daemon of our own that has the images of this machine's, and let all that follows use it."""
    _, images = daemon.get("/images/json")
    known = [name for image in images for name in image["RepoTags"] or ()]
    names = [name for name in known if name.startswith(tuple(f"coralline-{one}:" for one in IMAGES))]
    servant = Servant(home)
    servant.start()
    try:
        servant.load(*names)
        os.environ["DOCKER_HOST"] = servant.address
        yield servant
    finally:
        os.environ.pop("DOCKER_HOST", None)
        servant.stop()


if __name__ == "__main__":
    sys.exit(main())
