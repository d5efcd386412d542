"""The front door: `invoke --list` shows the tasks, `./run TASK` runs them with nothing installed. No logic here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `invoke` may come from an environment that has no Coralline

from invoke.collection import Collection

from coralline.tasks.farm import scheduler, worker
from coralline.tasks.files import check, estimate, inspect_, parse_log
from coralline.tasks.images import build, lock, save, sbom, verify_image
from coralline.tasks.project import doctor, lint, models, pack, recipes, stages, test
from coralline.tasks.requests import everything, paper, parity, plan, sweep
from coralline.tasks.runs import bundle, compare, fsck, gc, import_, keep, results, runs, verify

namespace = Collection(
    everything,
    plan,
    sweep,
    results,
    runs,
    compare,
    keep,
    gc,
    fsck,
    bundle,
    import_,
    verify,
    paper,
    parity,
    check,
    inspect_,
    estimate,
    parse_log,
    models,
    recipes,
    stages,
    doctor,
    pack,
    lint,
    test,
)
namespace.add_collection(Collection("farm", scheduler, worker))
namespace.add_collection(Collection("image", build, lock, save, sbom, verify_image))
