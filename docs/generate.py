"""Writes docs/reference/ from the code, so that it cannot say anything else: `python docs/generate.py [--check]`.

Runs in the host environment. `--check` writes nothing and exits with 1 when a page is not what the code says.
"""

# ruff: noqa: INP001 - a script, not a package
from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import tasks  # noqa: E402
from coralline import catalogue, errors, parameters  # noqa: E402
from stages.benchmark.spec import RUNTIMES  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.spec import Parameter, Spec

REFERENCE = PROJECT / "docs" / "reference"
NOTE = "<!-- Made by docs/generate.py; do not edit. -->\n"
PARTS_OF_RECORD = (
    "The host adds `key`, `digest`, `seal` and the step's own `numbers` and `facts` when it publishes the artifact."
)


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    reader = argparse.ArgumentParser(description="Write docs/reference/ from the code.")
    reader.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is out of date")
    checking = reader.parse_args().check
    stale = {name: text for name, text in pages().items() if _read(REFERENCE / name) != text}
    for name, text in stale.items():
        if checking:
            print(f"docs/reference/{name} is out of date: run python docs/generate.py", file=sys.stderr)
        else:
            REFERENCE.mkdir(exist_ok=True)
            (REFERENCE / name).write_text(text, encoding="utf-8")
            print(f"wrote docs/reference/{name}")
    return 1 if checking and stale else 0


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    made = {
        "commands.md": _commands(),
        "parameters.md": _parameters(),
        "exit-codes.md": _exit_codes(),
        "records.md": _records(),
        "edge-tpu-operators.md": _edge_tpu_operators(),
    }
    return {name: NOTE + "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "`./run TASK` and `invoke TASK` are the same. `./run --list` shows the tasks, `./run --help TASK` the options"
    yield "of one. Where an option may be left out before its `VALUE`, that goes for `./run` only.\n"
    for name in sorted(tasks.namespace.task_names):
        task = tasks.namespace[name]
        yield f"## {name}\n"
        yield f"{(task.__doc__ or '').splitlines()[0]}\n"
        helps = dict(task.help)  # asking for the arguments takes the help texts away
        options = [_option(argument) for argument in task.get_arguments()]
        task.help = helps
        if options:
            yield from _table(("option", "default", "meaning"), options)


def _option(argument: Any) -> tuple[str, str, str]:
    flag = "--" + argument.name.strip("_").replace("_", "-")
    shown = flag if argument.kind is bool else f"{flag} VALUE"
    if argument.positional:
        shown = f"VALUE or {shown}"
    default = "" if argument.default in (None, "", [], False) else f"`{argument.default}`"
    return f"`{shown}`", default, str(argument.help or "").replace("<", "\\<")  # Markdown would take it for HTML


def _parameters() -> Iterator[str]:
    yield "# Parameters\n"
    yield "Set one with `--set STAGE.NAME=VALUE`, for one model with `--set STAGE.MODEL.NAME=VALUE`, or in a profile:\n"
    yield "    [train]\n    epochs = 6\n\n    [train.efficientnetv2b0]\n    batch = 12\n"
    yield "`--set` wins over the profile, the profile over the default.\n"
    for spec in catalogue.specs().values():
        yield f"## {spec.name}\n"
        yield f"{spec.summary[0].upper()}{spec.summary[1:]}.\n"
        yield from _table(("parameter", "values", "default", "meaning"), [_parameter(p) for p in spec.parameters])
    yield from _choices()


def _parameter(parameter: Parameter) -> tuple[str, str, str, str]:
    default = ",".join(map(str, parameter.default)) if isinstance(parameter.default, tuple) else str(parameter.default)
    default = default.lower() if parameter.kind == "bool" else default
    only = "; ".join(f"only where {name} is {' or '.join(values)}" for name, values in parameter.when.items())
    return (
        f"`{parameter.name}`",
        parameters.expected(parameter),
        f"`{default}`",
        parameter.meaning + (f" ({only})" if only else ""),
    )


def _choices() -> Iterator[str]:
    yield "## Models\n"
    models = [
        (f"`{m.name}`", m.title, m.network, m.task, f"`{m.source}`", f"{m.input_size}", f"{m.smallest_input}")
        for m in catalogue.models().values()
    ]
    headers = ("model", "title", "network", "task", "data unless named", "input, px", "smallest input, px")
    yield from _table(headers, models)
    yield "## Sources of data\n"
    sources = [(f"`{n}`", s.summary.replace("<", "\\<"), ", ".join(s.tasks)) for n, s in catalogue.sources().items()]
    yield from _table(("source", "is", "for models that learn"), sources)
    yield "## Recipes\n"
    recipes = [(f"`{n}`", r.summary, _yes(r.edgetpu), _yes(r.default)) for n, r in catalogue.recipes().items()]
    yield from _table(("recipe", "does", "for the Edge TPU", "made unless others are asked for"), recipes)
    yield "## Runtimes\n"
    yield from _table(("runtime", "measures"), [(f"`{name}`", text) for name, text in RUNTIMES.items()])
    yield "## Profiles\n"
    rows = [(f"`{path.stem}`", _first_comment(path)) for path in sorted((PROJECT / "profiles").glob("*.toml"))]
    yield from _table(("profile", "is"), rows)


def _first_comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = lines[: next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))]
    return " ".join(line.lstrip("# ") for line in head)


def _exit_codes() -> Iterator[str]:
    yield "# Exit codes\n"
    yield "An error is one line that says what is wrong and one or more that say what to do. When several steps fail,"
    yield "the code is that of the first. A bug shows its traceback and ends with 1.\n"
    classes = filter(inspect.isclass, vars(errors).values())
    kinds = [kind for kind in classes if issubclass(kind, errors.CorallineError)]
    rows = [(str(kind.code), f"`{kind.__name__}`", kind.meaning) for kind in sorted(kinds, key=lambda kind: kind.code)]
    done, stopped = ("0", "", "done"), (str(errors.INTERRUPTED), "", "interrupted; everything finished so far is kept")
    yield from _table(("code", "class", "meaning"), [done, *rows, stopped])


def _records() -> Iterator[str]:
    yield "# Records and other documents\n"
    yield "A document says what it is by its first two fields, `schema` and `version`. What they mean together:"
    yield "[architecture](../architecture.md#step-contract).\n"
    yield "## Stages\n"
    yield from _table(
        ("stage", "images", "uses", "outputs, and how each is checked"), map(_stage, catalogue.specs().values())
    )
    yield "## Documents\n"
    yield f"`…` stands for fields that come from elsewhere. {PARTS_OF_RECORD}\n"
    yield from _table(("schema", "fields", "written by"), sorted(_documents()))


def _stage(spec: Spec) -> tuple[str, str, str, str]:
    images = ", ".join(f"`{image}`" for image in dict.fromkeys(variant.image for variant in spec.variants))
    uses = [f"{spec.cores} core{'s' if spec.cores == 'all' else ''}", f"at most {spec.memory_gib:g} GiB"]
    uses += ["alone, this machine's own"] if spec.measures else []
    uses += ["can be resumed"] if spec.resumable else []
    outputs = dict.fromkeys((*spec.outputs, *(output for variant in spec.variants for output in variant.outputs)))
    return f"`{spec.name}`", images, ", ".join(uses), ", ".join(f"`{o.path}` ({o.kind})" for o in outputs)


def _documents() -> Iterator[tuple[str, str, str]]:
    """Every dict literal with a schema of ours, found by reading the source."""
    for folder in ("coralline", "stages"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = dict(_constants(tree))
            for node in ast.walk(tree):
                schema = _schema(node, names) if isinstance(node, ast.Dict) else None
                if schema is not None and isinstance(node, ast.Dict):
                    fields = [_field(key) for key in node.keys if _field(key) not in {"schema", "version"}]
                    told = ", ".join("…" if field is None else f"`{field}`" for field in fields)
                    yield f"`{schema}`", told, f"`{path.relative_to(PROJECT).as_posix()}`"


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """List the constants of a module, those that it imports from our own modules included."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield ast.unparse(node.targets[0]), node.value.value
        elif isinstance(node, ast.ImportFrom) and node.module and any(alias.name == "SCHEMA" for alias in node.names):
            source = PROJECT / (node.module.replace(".", "/") + ".py")
            yield from _constants(ast.parse(source.read_text(encoding="utf-8")))


def _schema(node: ast.Dict, names: dict[str, Any]) -> str | None:
    for key, value in zip(node.keys, node.values, strict=True):
        if _field(key) == "schema":
            told = names.get(value.id) if isinstance(value, ast.Name) else getattr(value, "value", None)
            return told if isinstance(told, str) and told.startswith("coralline.") else None
    return None


def _field(key: ast.expr | None) -> str | None:
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _edge_tpu_operators() -> Iterator[str]:
    known = json.loads((PROJECT / "stages" / "edgetpu" / "operators.json").read_text(encoding="utf-8"))
    yield "# Operators of the Edge TPU\n"
    yield "What `./run check` knows of edgetpu_compiler 16.0.384591198. All tensors that are computed have 8 bits, only"
    yield "their three innermost dimensions may exceed 1, and one run of mapped operators without a gap is kept.\n"
    rows = [(name, entry) for name, entry in sorted(known["operators"].items())]
    mapped = [
        (f"`{name}`", _versions(entry), str(entry["runtime"]), entry.get("limits", ""))
        for name, entry in rows
        if "runtime" in entry
    ]
    yield "## Mapped\n"
    yield from _table(("operator", "versions", "runtime at least", "limits"), mapped)
    yield "## Left on the CPU\n"
    yield "The compiler loads them; each cuts off what depends on it.\n"
    left = [(name, entry) for name, entry in rows if "runtime" not in entry and entry["newest_version"]]
    yield from _table(
        ("operator", "versions", "instead"),
        [(f"`{name}`", _versions(entry), known["advice"].get(name, "")) for name, entry in left],
    )
    yield "## Sources\n"
    yield from (f"- {what}: {source}" for what, source in known["sources"].items())


def _versions(entry: dict[str, Any]) -> str:
    unsure = entry.get("uncertain_versions")
    return f"up to {entry['newest_version']}" + (f", {unsure[0]} uncertain" if unsure else "")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(headers: Sequence[str], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(headers) + " |"
    yield "|" + "---|" * len(headers)
    yield from ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    yield ""


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
