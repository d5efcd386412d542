"""The compile stage: one quantised TFLite file through the vendor's compiler, and `compile.json` on what became of it.

Success is exit code 0 and the line that says so and a file with the Edge TPU's operator in it; the compiler has been
seen to give each without the others.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional

from stages.compile.driver import Outcome, options, run_compiler
from stages.compile.log import Report, parse
from stages.compile.reasons import CompilerError, failure
from stages.contract import InputError, Step, number, run, write_json
from stages.tflite.flat import MalformedFile
from stages.tflite.model import Model, operator_counts, read_model

VERSION = 1
CUSTOM_OPERATOR = "edgetpu-custom-op"


def main(step: Step) -> None:
    """Compile the step's file."""
    source = step.inputs["tflite"]
    timeout_s = int(step.parameters["timeout_s"])
    step.progress(0, 1, "model", "compiling")
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_compiler(source / "model.tflite", Path(folder), step.out / "compiler.log", timeout_s)
        sys.stderr.write(outcome.log)  # a failed step keeps nothing but its standard error
        report = parse(outcome.log)
        model = compiled(outcome, report)
        shutil.copyfile(outcome.output, step.out / "model_edgetpu.tflite")
    size = (step.out / "model_edgetpu.tflite").stat().st_size
    conversion = json.loads((source / "conversion.json").read_text(encoding="utf-8"))
    write_json(step.out / "compile.json", {**describe(report, model, timeout_s), "conversion": conversion})
    step.record([number("size_bytes", size, "B", runtime="edgetpu")], {"compiler": report.version, **report.values})
    step.progress(1, 1, "model", "compiling")


def compiled(outcome: Outcome, report: Report) -> Model:
    """Read the compiled file, if the run was a success in all three respects.

    Raises:
        InputError: the model is the reason that it was not.
        CompilerError: something else is.
    """
    if outcome.code != 0 or not report.succeeded:
        raise failure(report.reasons, outcome.code)
    model = _read(outcome.output)
    if model is None:
        raise CompilerError("the Edge TPU compiler reported success but wrote no TFLite file")
    if not any(entry["name"] == CUSTOM_OPERATOR for entry in operator_counts(model)):
        raise InputError("the Edge TPU compiler mapped no operator of the model", "see compiler.log for the reasons")
    return model


def describe(report: Report, model: Model, timeout_s: int) -> Dict[str, Any]:
    """Describe the run for `compile.json`; what the compiler did not print is null."""
    operations = report.values.get("operations")
    cpu = report.values.get("cpu", 0)  # the line is only there when something stays on the CPU
    return {
        "schema": "coralline.compile",
        "version": VERSION,
        "compiler": report.version,
        "options": options(timeout_s),
        "log": "compiler.log",
        "table": [{"operator": row.operator, "count": row.count, "status": row.status} for row in report.rows],
        "operators": operator_counts(model),
        "operations": operations,
        "cpu": cpu,
        "tpu": report.values.get("tpu", None if operations is None else operations - cpu),
        "subgraphs": report.values.get("subgraphs"),
        "cached_bytes": report.values.get("cached_bytes"),
        "remaining_bytes": report.values.get("remaining_bytes"),
        "streamed_bytes": report.values.get("streamed_bytes"),
    }


def _read(path: Path) -> Optional[Model]:
    try:
        return read_model(path.read_bytes())
    except (FileNotFoundError, MalformedFile):
        return None


if __name__ == "__main__":
    run(main)
