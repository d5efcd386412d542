"""Tasks about container images: build, compare, save, describe, lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.tasks import task

from coralline.commands import images
from coralline.tasks.options import JSON

if TYPE_CHECKING:
    from invoke.context import Context


@task(
    positional=["names"],
    help={"names": "images, separated by commas (default: all for this host)", "debug": "show tracebacks"},
)
def build(_context: Context, names: str = "", debug: bool = False) -> None:
    """Build container images."""
    images.build_images(names, debug=debug)


@task(
    name="verify",
    positional=["names"],
    auto_shortflags=False,
    help={
        "names": "images, separated by commas (default: all for this host)",
        "against": "what another site printed with --json, or saved: build once, and compare with that",
        "debug": "show tracebacks",
    }
    | JSON,
)
def verify_image(
    _context: Context, names: str = "", against: str | None = None, json: bool = False, debug: bool = False
) -> None:
    """Build images twice from nothing and compare bytes."""
    images.verify_images(names, against=against, as_json=json, debug=debug)


@task(
    positional=["name"],
    auto_shortflags=False,
    help={
        "name": "an image",
        "to": "the file to write: Docker, podman, skopeo and Apptainer read it",
        "debug": "show tracebacks",
    }
    | JSON,
)
def save(_context: Context, name: str, to: str, json: bool = False, debug: bool = False) -> None:
    """Write an image into a file, the same bytes anywhere."""
    images.save_image(name, to=to, as_json=json, debug=debug)


@task(
    positional=["names"],
    auto_shortflags=False,
    help={
        "names": "images, separated by commas (default: all that are built)",
        "to": "a folder for one CycloneDX file of each image",
        "debug": "show tracebacks",
    }
    | JSON,
)
def sbom(_context: Context, names: str = "", to: str | None = None, json: bool = False, debug: bool = False) -> None:
    """Say what images hold, as CycloneDX documents."""
    images.write_bills(names, to=to, as_json=json, debug=debug)


@task(
    positional=["names"],
    auto_shortflags=False,
    help={
        "names": "locks, separated by commas, such as train,host,base-bookworm (default: all)",
        "keep": "keep versions that still fit, instead of taking the newest",
        "check": "write nothing; end with 5 when a lock is not what its requirements say",
        "markdown": "print a table for the text of a change",
        "debug": "show tracebacks",
    }
    | JSON,
)
def lock(
    _context: Context,
    names: str = "",
    *,
    keep: bool = False,
    check: bool = False,
    markdown: bool = False,
    json: bool = False,
    debug: bool = False,
) -> None:
    """Refresh all locks; show what changed."""
    images.lock_images(names, keep=keep, check=check, markdown=markdown, as_json=json, debug=debug)
