"""Describes a bundle as a Provenance Run Crate, so that other tools can read which step made what from what.

RO-Crate 1.1 with the profiles Process, Workflow and Provenance Run Crate 0.5: the deepest of them, since each step's
parameters, inputs, outputs and times are known. Not stated, because Coralline does not know them: who made the run,
and under which licence its results are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from coralline.bundle.actions import ENGINE, EXECUTION, Course, action, artifact, at, step, tool
from coralline.bundle.layout import CRATE, FILES, OWN, RECORD, RUN, member_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from coralline.bundle.actions import Entity, Record

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
WORKFLOW_PROFILE = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
    WORKFLOW_PROFILE: ("Bioschemas ComputationalWorkflow", "1.0"),
}
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}  # not among RO-Crate's own
LANGUAGE, LICENCE = "#language", "#licence"
LICENCE_TEXT = "Who made the run has not stated a licence for its results. Coralline itself is under Apache-2.0."
CONTENTS = "Records, provenance, locks and logs of a run, and what it made where that is included."
MEDIA_TYPES = {
    "json": "application/json", "csv": "text/csv", "html": "text/html", "log": "text/plain", "lock": "text/plain",
    "md": "text/markdown", "png": "image/png", "svg": "image/svg+xml", "txt": "text/plain", "h5": "application/x-hdf5",
}  # fmt: skip


def describe(run: Mapping[str, Any], records: Mapping[str, Record], members: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the JSON-LD document of a run, the records of its artifacts by key, and the bundle's other members."""
    course = Course(run, records)
    parts, artifacts = list(_files(members)), list(_artifacts(records, members))
    graph = [
        _descriptor(),
        _root(course, parts, artifacts),
        *(_work(address, name, number) for address, (name, number) in PROFILES.items()),
        {"@id": LICENCE, "@type": "CreativeWork", "name": "no licence stated", "description": LICENCE_TEXT},
        {"@id": LANGUAGE, "@type": "ComputerLanguage", "name": "request of Coralline", "version": str(run["version"])},
        {"@id": ENGINE, "@type": "SoftwareApplication", "name": "Coralline", **_versions(course)},
        *course.entities(),
        *(part | _workflow(course) if part["@id"] == RUN else part for part in parts),
        *artifacts,
    ]
    return {"@context": [f"{SPECIFICATION}/context", TERMS], "@graph": graph}


def _descriptor() -> Entity:
    conforms = [at(SPECIFICATION), at(WORKFLOW_CRATE)]
    return {"@id": CRATE, "@type": "CreativeWork", "about": at("./"), "conformsTo": conforms}


def _root(course: Course, parts: Iterable[Entity], artifacts: Iterable[Entity]) -> Entity:
    done = (action(label) for label, _ in course.taken)
    mentioned = [EXECUTION, *done, *(told["@id"] for told in artifacts)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Run {course.run['run']} of Coralline",
        "description": CONTENTS,
        "datePublished": course.began,  # the only day that is known of it, and the same each time it is bundled
        "license": at(LICENCE),
        "conformsTo": [at(address) for address in PROFILES if address != WORKFLOW_PROFILE],
        "mainEntity": at(RUN),
        "hasPart": [at(part["@id"]) for part in parts],
        "mentions": [at(address) for address in mentioned],
    }


def _work(address: str, name: str, version: str) -> Entity:
    return {"@id": address, "@type": "CreativeWork", "name": name, "version": version}


def _versions(course: Course) -> Entity:
    return {"softwareVersion": ", ".join(course.versions)} if course.versions else {}


def _workflow(course: Course) -> Entity:
    """Return what makes the file `run.json` the workflow that was carried out."""
    return {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": "request and steps of the run",
        "description": "What was asked for, and each step that it took, with its state and key.",
        "programmingLanguage": at(LANGUAGE),
        "version": str(course.run["version"]),
        "conformsTo": at(WORKFLOW_PROFILE),
        "hasPart": [at(address) for address in sorted({tool(record) for record in course.records.values()})],
        "step": [at(step(label)) for label, _ in course.taken],
    }


def _files(members: Mapping[str, list[Any]]) -> Iterator[Entity]:
    """Yield every file of the bundle but those in folders of an artifact: a data set has tens of thousands."""
    for name, (sha256, size) in sorted(members.items()):
        if name.count("/") <= (2 if name.startswith("objects/") else 1):
            kind = MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
            known = {"name": name.rpartition("/")[2], "encodingFormat": kind}
            yield {"@id": quote(name), "@type": "File", **known, "contentSize": str(size), "sha256": sha256}


def _artifacts(records: Mapping[str, Record], members: Mapping[str, list[Any]]) -> Iterator[Entity]:
    """Yield each artifact as a collection of files; those in its folders are told of by number."""
    paths: dict[str, list[str]] = {key: [] for key in records}
    for name in sorted(members):
        if name.startswith("objects/"):
            _, key, path = name.split("/", 2)
            paths[key].append(path)
    for key, record in sorted(records.items()):
        here = [path for path in paths[key] if "/" not in path]
        inside = len(paths[key]) - len(here)
        whole = "with its outputs" if set(paths[key]) - OWN else "without its outputs"
        more = f"; {inside} of them in folders, listed with their digests in {FILES}" if inside else ""
        yield {
            "@id": artifact(key),
            "@type": "Collection",
            "name": record["label"],
            "description": f"artifact of {record['label']}, {whole}{more}",
            "identifier": record["digest"],
            "mainEntity": at(member_of(key, RECORD)),
            "hasPart": [at(quote(member_of(key, path))) for path in here],
        }
