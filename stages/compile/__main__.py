"""The compile stage: one quantised TFLite file through the vendor's compiler; `compile.json` says what became of it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from stages.compile.effort import Effort, compile_model
from stages.contract import Step, number, run, write_json
from stages.edgetpu.compiled.digest import masked_digest
from stages.tflite.flat import MalformedFile
from stages.tflite.model import operator_counts

if TYPE_CHECKING:
    from stages.compile.verdict import Attempt

VERSION = 1
COUNTS = ("operations", "tpu", "cpu", "subgraphs", "cached_bytes", "remaining_bytes", "streamed_bytes")


def main(step: Step) -> None:
    """Compile the step's file."""
    source = step.inputs["tflite"]
    effort = Effort(
        timeout_s=int(step.parameters["timeout_s"]),
        retries=int(step.parameters["retries"]),
        search_step=int(step.parameters["search_step"]),
    )
    step.progress(0, 1, "model", "compiling")
    with tempfile.TemporaryDirectory() as folder:
        log = step.out / "compiler.log"
        attempts = compile_model(source / "model.tflite", Path(folder), log, effort, warn=step.warning)
    content = attempts[-1].content
    (step.out / "model_edgetpu.tflite").write_bytes(content)
    conversion = json.loads((source / "conversion.json").read_text(encoding="utf-8"))
    told = {**describe(attempts), **digests(content, step.warning)}
    write_json(step.out / "compile.json", {**told, "conversion": conversion})
    if told["cpu"]:
        step.warning(
            "%s of %s operators run on the CPU, one after the other with the Edge TPU: expect lower speed"
            % (told["cpu"], told["operations"])
        )
    facts = {name: told[name] for name in COUNTS if told[name] is not None}
    step.record([number("size_bytes", len(content), "B", runtime="edgetpu")], {"compiler": told["compiler"], **facts})
    step.progress(1, 1, "model", "compiling")


def describe(attempts: List[Attempt]) -> Dict[str, Any]:
    """Describe the runs for `compile.json`; what the compiler did not print is null."""
    last = attempts[-1]
    models = last.document["models"]
    printed = models[-1] if models else {}
    return {
        "schema": "coralline.compile",
        "version": VERSION,
        "compiler": last.document["compiler_version"],
        "options": list(last.options),
        "attempts": [attempt.told() for attempt in attempts],
        "log": "compiler.log",
        "table": printed.get("rows", []),
        "operators": operator_counts(last.model) if last.model else [],
        **{name: printed.get(name) for name in COUNTS},
    }


def digests(content: bytes, warn: Callable[[str], None]) -> Dict[str, Optional[str]]:
    """Digest the compiled file as it is, and without what differs between two compilations of one model.

    The second is null for a file that works on the stick for all that is known, but that we cannot read.
    """
    masked = None
    try:
        masked = masked_digest(content)
    except MalformedFile as error:
        warn("the compiled file cannot be read for a digest without its token: %s" % error)
    return {"sha256": hashlib.sha256(content).hexdigest(), "sha256_masked": masked}


if __name__ == "__main__":
    run(main)
