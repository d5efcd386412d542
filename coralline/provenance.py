"""Says of an artifact from what, how, where and when it was made, in the words of in-toto and SLSA.

A statement is derived from the artifact's record and list of files and from nothing else, so it cannot disagree with
them. What each field means for Coralline: docs/reference/provenance.md. Specifications: in-toto Statement v1
(in-toto attestation framework 1.1), SLSA provenance v1.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUILD_TYPE = "urn:coralline:step:1"  # names the meaning of the parameters; changes when that does
CONTENT = "corallineContent1"  # of an artifact: SHA-256, in hexadecimal, over the canonical JSON of its list of files
FOLDER = "corallineFolder1"  # of a user's folder: SHA-256, in hexadecimal, over its sorted paths and digests
USER_FOLDERS = frozenset({"data"})  # inputs that are the user's own folder
USER_FILES = frozenset({"init", "meter"})  # inputs that are one file of the user's
RECIPE = "corallineRecipe1"  # of files of an image's recipe: SHA-256, in hexadecimal, over their names and digests

_DIGEST = re.compile(r"^(?:.*@)?(?:sha256:)?([0-9a-f]{64})(?: .*)?$")  # with the name that an image has, and more

Descriptor = dict[str, Any]


def statement(record: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement of one artifact. What a record of an earlier version does not say is left out."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects(record, files),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "stage": record["stage"],
                    "label": record["label"],
                    "parameters": record["key_parts"]["parameters"],
                },
                "internalParameters": {
                    "key": record["key"],
                    "threads": record["threads"],
                    "host": record["host"],
                    "engine": record["engine"],
                    "missing": record["key_parts"]["missing"],
                },
                "resolvedDependencies": list(_dependencies(record)),
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:coralline:engine:{record['engine']['name']}",
                    **({"version": {"coralline": record["coralline"]}} if "coralline" in record else {}),
                },
                "metadata": {
                    **({"invocationId": record["run"]} if "run" in record else {}),
                    "startedOn": record["started"],
                    "finishedOn": finished(record),
                },
            },
        },
    }


def subjects(record: Mapping[str, Any], files: Mapping[str, Any]) -> list[Descriptor]:
    """Return what a statement is about: the artifact as a whole, and each of its files."""
    whole = {"name": f"objects/{record['key']}", "digest": {CONTENT: record["digest"]}}
    return [whole, *({"name": path, "digest": {"sha256": files[path][0]}} for path in sorted(files))]


def finished(record: Mapping[str, Any]) -> str:
    """Return when the step ended, to the second in which it began plus how long it took."""
    began = datetime.fromisoformat(record["started"])
    ended = began + timedelta(seconds=float(record["seconds"]))
    return ended.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dependencies(record: Mapping[str, Any]) -> Iterator[Descriptor]:
    """Yield what a step was made from: inputs, image and its recipe, code, and the commit that was checked out."""
    parts = record["key_parts"]
    for name, told in sorted(parts["inputs"].items()):
        yield _input(name, told)
    image, local = parts["image"]["name"], parts["image"]["engine"] == "local"
    if built := _digest(record["engine"].get("image")):
        yield {"name": f"image/{image}", "digest": {"sha256": built}}
    for part, told in sorted(parts["image"].items()):
        if found := _digest(told):
            kind = "sha256" if local or part == "base" else RECIPE
            yield {"name": f"image/{image}/{part}", "digest": {kind: found}}
    for path, told in sorted(parts["code"].items()):
        yield {"name": path, "digest": {"sha256": told}}
    if revision := record.get("revision"):
        dirty = {"dirty": revision["dirty"]}
        yield {"name": "repository", "digest": {"gitCommit": revision["commit"]}, "annotations": dirty}


def _input(name: str, told: str) -> Descriptor:
    """Describe an input; one that a report gathers is told by content and key."""
    digest, _, key = told.partition(" ")
    kind = FOLDER if name in USER_FOLDERS else "sha256" if name in USER_FILES else CONTENT
    found: Descriptor = {"name": f"input/{name}", "digest": {kind: digest}}
    return found | {"annotations": {"key": key}} if key else found


def _digest(value: Any) -> str | None:
    """Return the hexadecimal digits of a digest, or None for anything else."""
    found = _DIGEST.match(value) if isinstance(value, str) else None
    return found[1] if found else None
