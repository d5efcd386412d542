"""Which machine measured what: durations of two machines never share a column, and are never compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional

if TYPE_CHECKING:
    from stages.report.gather import Artifact

SHORT = 6  # digits of the fingerprint that tell two machines of one kind apart


@dataclass(frozen=True, order=True)
class Host:
    """One machine: its processor in words, and what tells it from others."""

    label: str
    identity: str

    def measured(self, artifact: Artifact) -> bool:
        """Whether it was this one."""
        return identity(artifact) == self.identity


def hosts(artifacts: Iterable[Artifact]) -> List[Host]:
    """All machines that measured, by name; of machines with one name each is named by its fingerprint too."""
    records = {identity(artifact): artifact.record["host"] for artifact in artifacts}
    names = [processor(record) for record in records.values()]
    return sorted(
        Host("%s (%s)" % (name, one[:SHORT]) if names.count(name) > 1 else name, one)
        for one, name in zip(records, names)
    )


def label(artifact: Artifact, artifacts: Iterable[Artifact]) -> str:
    """Name the machine that measured one of several artifacts."""
    return next(host.label for host in hosts(artifacts) if host.measured(artifact))


def together(one: Artifact, other: Optional[Artifact]) -> bool:
    """Whether two were measured on one machine."""
    return other is not None and identity(one) == identity(other)


def identity(artifact: Artifact) -> str:
    """Tell a machine from others: by its fingerprint, or by what the record says of it where an old one has none."""
    host = artifact.record["host"]
    return str(host.get("fingerprint") or "%s %s" % (processor(host), host.get("cpu_flags_sha256", "")))


def processor(host: Dict[str, Any]) -> str:
    """Name a machine by its processor."""
    return "%s, %s cores" % (host.get("cpu_model", "unknown"), host.get("cores", "?"))
