"""Tells other tools what a run did: its steps, the tools that took them, what each was given and what it made.

In the words of Provenance Run Crate 0.5: for each step a HowToStep, the CreateAction that took it, and a ControlAction
that joins the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from coralline.bundle.layout import RUN
from coralline.key import canonical
from coralline.provenance import finished

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Entity = dict[str, Any]
Record = dict[str, Any]

EXECUTION = "#run"
ENGINE = "urn:coralline"
ZONE = "+00:00"


@dataclass(frozen=True, slots=True)
class Course:
    """A run, and the record of each artifact that it made or reused, by key."""

    run: Mapping[str, Any]
    records: Mapping[str, Record]

    @property
    def taken(self) -> list[tuple[str, Record]]:
        """The steps that have an artifact, in order, each with its record."""
        steps = self.run["steps"].items()
        return [(label, self.records[told["key"]]) for label, told in steps if told["state"] in {"made", "reused"}]

    @property
    def made(self) -> list[Record]:
        """The records of what the run made itself, as far as they name their run: the first ones did not."""
        return [record for _, record in self.taken if record.get("run") == self.run["run"]]

    @property
    def versions(self) -> list[str]:
        """The versions of Coralline that made them, as far as the records say: on a farm there may be several."""
        return sorted({record["coralline"] for record in self.made if "coralline" in record})

    @property
    def began(self) -> str:
        """The time of the run's beginning, in UTC and to the second, as its name tells it."""
        day, clock = self.run["run"][:8], self.run["run"][9:15]
        return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}{ZONE}"

    def entities(self) -> Iterator[Entity]:
        """Yield everything that was done and with what."""
        yield from _tools(self)
        yield _execution(self)
        yield _organisation(self)
        makers = {record["digest"]: key for key, record in sorted(self.records.items(), reverse=True)}
        for position, (label, record) in enumerate(self.taken):
            yield from _step(label, record, position)
            yield from _action(self, label, record, makers)


def at(address: str) -> Entity:
    """Refer to another entity."""
    return {"@id": address}


def artifact(key: str) -> str:
    """Return the address of an artifact."""
    return f"#artifact/{key}"


def step(label: str) -> str:
    """Return the address of a step."""
    return _fragment("step", label)


def action(label: str) -> str:
    """Return the address of what was done for a step."""
    return _fragment("action", label)


def tool(record: Record) -> str:
    """Return the address of what took a step: the same stage with other code, or in another image, is another tool."""
    parts = record["key_parts"]
    digest = hashlib.sha256(canonical([parts["code"], parts["image"]])).hexdigest()
    return f"urn:coralline:stage:{record['stage']}:{digest[:16]}"


def _tools(course: Course) -> Iterator[Entity]:
    for address, record in sorted({tool(record): record for record in course.records.values()}.items()):
        yield {
            "@id": address,
            "@type": "SoftwareApplication",
            "name": record["stage"],
            "description": f"stage {record['stage']} in the environment {record['key_parts']['image']['name']}",
            "softwareVersion": address.rpartition(":")[2],
        }


def _execution(course: Course) -> Entity:
    """Describe the run as a whole; it ended, as far as is known, with the last step that it made itself."""
    ends = [_moment(finished(record)) for record in course.made]
    made = dict.fromkeys(artifact(record["key"]) for _, record in course.taken)
    return {
        "@id": EXECUTION,
        "@type": "CreateAction",
        "name": f"Run {course.run['run']}",
        "description": "Steps whose key was in the store were reused: their own times are earlier than the run's.",
        "instrument": at(RUN),
        "result": [at(address) for address in made],
        "startTime": course.began,
        **({"endTime": max(ends)} if ends else {}),
    }


def _organisation(course: Course) -> Entity:
    return {
        "@id": "#organisation",
        "@type": "OrganizeAction",
        "name": "Run of Coralline",
        "instrument": at(ENGINE),
        "object": [at(_fragment("control", label)) for label, _ in course.taken],
        "result": at(EXECUTION),
        "startTime": course.began,
    }


def _step(label: str, record: Record, position: int) -> Iterator[Entity]:
    known = {"@id": step(label), "@type": "HowToStep", "name": label, "position": str(position)}
    yield {**known, "workExample": at(tool(record))}
    control = {"@id": _fragment("control", label), "@type": "ControlAction", "name": f"taking the step {label}"}
    yield {**control, "instrument": at(step(label)), "object": at(action(label))}


def _action(course: Course, label: str, record: Record, makers: Mapping[str, str]) -> Iterator[Entity]:
    """Yield what was done for a step, and the values that it was given."""
    values = [_value(label, f"{record['stage']}.{n}", v) for n, v in sorted(record["key_parts"]["parameters"].items())]
    read = []
    for name, told in sorted(record["key_parts"]["inputs"].items()):
        digest, _, key = told.partition(" ")
        made = key if key in course.records else makers.get(digest)
        if made is None:  # the user's own, or of a step that is not in this run
            values.append(_value(label, f"digest of {name}", told))
        else:
            read.append(artifact(made))
    yield from values
    yield {
        "@id": action(label),
        "@type": "CreateAction",
        "name": f"Run of {label}",
        "description": f"Made by {_maker(record)} with the engine {record['engine']['name']}.",
        "instrument": at(tool(record)),
        "object": [at(address) for address in (*dict.fromkeys(read), *(value["@id"] for value in values))],
        "result": at(artifact(record["key"])),
        "startTime": _moment(record["started"]),
        "endTime": _moment(finished(record)),
    }


def _maker(record: Record) -> str:
    return f"run {record['run']}" if "run" in record else "a run that the record does not name"


def _value(label: str, name: str, value: Any) -> Entity:
    shown = value if isinstance(value, str) else canonical(value).decode()
    return {"@id": _fragment("value", label, name), "@type": "PropertyValue", "name": name, "value": shown}


def _moment(told: str) -> str:
    """Write a time as the profiles' validator reads it, which knows no Z."""
    return told.removesuffix("Z") + ZONE


def _fragment(*words: str) -> str:
    return "#" + quote("/".join(words))
