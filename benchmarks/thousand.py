"""Makes a graph of trivial steps once, in the project that is on the path: what benchmarks/scheduling.py times.

    PYTHONPATH=PROJECT python benchmarks/thousand.py (local | dask) GRAPH.json JOBS

GRAPH.json maps each step to those that it reads. `dask` takes a cluster of one worker with as many threads as jobs.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from coralline import catalogue, runs, workplace
from coralline.code import Code
from coralline.engines import HOME, choose
from coralline.execute import Execution
from coralline.frozen import Frozen
from coralline.graph import Step
from coralline.make import Maker
from coralline.plan import Planner
from coralline.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coralline.engines.base import Engine


def main(where: str, graph: Path, jobs: int) -> None:
    """Make all steps; ends with an error when one is missing."""
    needs: dict[str, list[str]] = json.loads(graph.read_text(encoding="utf-8"))
    engine = choose("local", lambda _notice: None)
    engine.prepare("trivial", lambda _event: None)
    with Store(catalogue.artifacts()).used() as store, _place(where, store, jobs) as place:
        made = _made(_steps(needs), store, engine, place)
    if made != len(needs):
        sys.exit(f"{made} of {len(needs)} steps were made")


def _made(steps: dict[str, Step], store: Store, engine: Engine, place: workplace.Workplace) -> int:
    """Carry the graph out as a session does, and count what was made."""
    code = Code(catalogue.PROJECT, HOME / "code.json")
    planner = Planner(store=store, engine=engine, code=code, external=str, machines=place.machines)
    maker = Maker(
        store=store,
        engine=engine,
        frozen=Frozen(catalogue.PROJECT, HOME),
        run=runs.start(store.root, {}, store.claim),
        externals={},
        digest=str,
        notify=lambda _notice: None,
        cancelled=threading.Event(),
    )
    Execution(steps, planner, maker, place.pool(maker), lambda _notice: None).run()
    code.remember()
    return [told["state"] for told in maker.run.steps.values()].count("made")


def _steps(needs: dict[str, list[str]]) -> dict[str, Step]:
    spec = catalogue.specs()["trivial"]
    label = "trivial/{}".format
    return {
        label(name): Step(
            label=label(name),
            spec=spec,
            variant=spec.variants[0],
            axes={},
            parameters={"number": int(name)},
            sources={f"step{other}": label(other) for other in read},
        )
        for name, read in needs.items()
    }


@contextlib.contextmanager
def _place(where: str, store: Store, jobs: int) -> Iterator[workplace.Workplace]:
    if where == "local":
        yield workplace.Here(jobs)
        return
    from distributed import Client, LocalCluster

    from coralline.farm.roster import Farm, quiet

    offered = {"room": 1.0, "memory": 64.0}
    place = {"n_workers": 1, "threads_per_worker": jobs, "dashboard_address": "127.0.0.1:0", "resources": offered}
    with LocalCluster(**place) as cluster, Client(cluster) as client:
        quiet()
        yield Farm(client=client, store=store, kind="dask", lacking="")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
