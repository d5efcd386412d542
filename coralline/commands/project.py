"""Tasks that tell of the project and of this machine: what there is to choose, what is lacking, whether all is well."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from coralline import catalogue, console, parameters
from coralline.console.ending import guarded, print_json

if TYPE_CHECKING:
    from stages.spec import Parameter


def show_models(*, as_json: bool) -> None:
    """Print the models and what the graph knows of them."""
    with guarded():
        found = catalogue.models().values()
        headers = ["model", "title", "network", "task", "data", "input", "recipes"]
        cells = [
            [m.name, m.title, m.network, m.task, m.source, m.input_size, ", ".join(m.recipes or ["all"])] for m in found
        ]
        _print_choices("models", headers, cells, as_json=as_json)


def show_recipes(*, as_json: bool) -> None:
    """Print the recipes."""
    with guarded():
        headers = ["recipe", "summary", "edgetpu", "default"]
        cells = [[name, r.summary, r.edgetpu, r.default] for name, r in catalogue.recipes().items()]
        _print_choices("recipes", headers, cells, as_json=as_json)


def show_stages(*, as_json: bool) -> None:
    """Print every stage with its parameters: type, bounds, default and meaning."""
    with guarded():
        headers = ["parameter", "values", "default", "meaning"]
        for spec in catalogue.specs().values():
            cells = [_described(parameter) for parameter in spec.parameters]
            if not as_json:
                print(f"\n{spec.name}: {spec.summary}\n")
                console.show_table(headers, cells, disable_numparse=True)
        if as_json:
            told = {spec.name: [_described(p) for p in spec.parameters] for spec in catalogue.specs().values()}
            listed = {name: [dict(zip(headers, row, strict=True)) for row in rows] for name, rows in told.items()}
            print_json({"schema": "coralline.stages", "version": 1, "stages": listed})


def show_doctor(*, edgetpu: bool, as_json: bool) -> None:
    """Print what this machine has and lacks; end with an exit code when something must be mended."""
    from coralline import doctor
    from coralline.doctor.machine import Machine

    with guarded():
        where = Machine(artifacts=catalogue.artifacts(), environ=os.environ)
        found = doctor.prove(where) if edgetpu else doctor.examine(where)
        if as_json:
            print_json(doctor.document(found))
        else:
            print(*doctor.lines(found), sep="\n")
        if code := doctor.exit_code(found, proving=edgetpu):
            raise SystemExit(code)


def run_tests(suites: str) -> None:
    """Run the project's checks in a process of their own, and end with their exit code."""
    with guarded():
        script = str(catalogue.PROJECT / "tests" / "suites.py")
        raise SystemExit(
            subprocess.run([sys.executable, script, *filter(None, suites.split(","))], check=False).returncode
        )


def _described(parameter: Parameter) -> list[str]:
    default = ",".join(map(str, parameter.default)) if isinstance(parameter.default, tuple) else str(parameter.default)
    return [parameter.name, parameters.expected(parameter), default, parameter.meaning]


def _print_choices(kind: str, headers: list[str], cells: list[list[Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"schema": f"coralline.{kind}", "version": 1, kind: [dict(zip(headers, c, strict=True)) for c in cells]}
        )
    else:
        console.show_table(headers, cells, disable_numparse=True)
