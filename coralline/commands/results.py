"""Prints every number of a run."""

from __future__ import annotations

from coralline import catalogue, console, runs, session
from coralline.console.ending import guarded, print_json


def show_results(name: str | None, *, as_json: bool) -> None:
    """Print every number of a run."""
    from coralline import results

    with guarded():
        setting = session.Setting(artifacts=catalogue.artifacts())
        run = runs.load(setting.artifacts, name)
        if "swept" in run.request:
            from coralline.commands import farm as farmcommands

            farmcommands.show(run, as_json=as_json)
            return
        found = results.rows(run, setting.store)
        if as_json:
            print_json({"run": run.id, "rows": found})
            return
        print(f"run {run.id}")
        tables = results.tables(found)
        for host, headers, cells in tables:
            if tables[1:]:
                print(f"measured on {host}")
            console.show_table(headers, cells, disable_numparse=True, stralign="right")
        for label, reason in results.blocked(run):
            print(f"not made: {label}: {reason}")
