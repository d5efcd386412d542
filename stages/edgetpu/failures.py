"""Why a compilation failed and what to do: the compiler's words, looked up in the catalogue beside this file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Dict, Optional, Sequence, Tuple

from stages.edgetpu import knowledge

MOST_WORDS = 5
LONGEST_WORDS = 300
PREFIXES = ("ERROR: ", "Compilation failed: ")
NO_REASON = "the compiler gave no reason"


@dataclass(frozen=True)
class Kind:
    """One entry of the catalogue; what its fields mean stands there."""

    id: str
    texts: Tuple[str, ...]
    versions: Tuple[str, ...]
    blame: str
    cause: str
    remedy: str
    source: str
    retry: bool = False
    search: bool = False
    crash: bool = False


@dataclass(frozen=True)
class Failure:
    """How a compilation failed: `message` is the compiler's words where it gave any."""

    kind: str
    message: str
    advice: str
    cause: str
    source: str

    def told(self) -> Dict[str, str]:
        """Give it as the documents show it."""
        return asdict(self)


@cache
def catalogue() -> Dict[str, Kind]:
    """Read all known kinds of failure, by their id, in the order in which their texts are looked for."""
    entries = knowledge.read("failures")["failures"]
    return {entry["id"]: _kind(entry) for entry in entries}


def _kind(entry: Dict[str, Any]) -> Kind:
    return Kind(**{**entry, "texts": tuple(entry["texts"]), "versions": tuple(entry["versions"])})


def find(text: str) -> Optional[Kind]:
    """Find the kind of failure of which a text occurs in the compiler's words."""
    return next((kind for known, kind in _texts() if known in text), None)


@cache
def _texts() -> Tuple[Tuple[str, Kind], ...]:
    return tuple((text, kind) for kind in catalogue().values() for text in kind.texts)


def named(kind: str, message: str = "") -> Failure:
    """Make a failure of a kind that is known by its id; without a message its cause is told."""
    entry = catalogue()[kind]
    return Failure(kind, message or entry.cause, entry.remedy, entry.cause, entry.source)


def explain(words: Sequence[str]) -> Failure:
    """Explain a failure by what the compiler said, which may be nothing."""
    if not words:
        return named("silent", NO_REASON)
    known = find("\n".join(words))
    return named(known.id if known else "unknown", quote(words, known))


def quote(words: Sequence[str], known: Optional[Kind] = None) -> str:
    """Quote the compiler's words: the telling line first, and the last ones where there are many."""
    telling = [line for line in words if known and any(text in line for text in known.texts)][:1]
    others = [line for line in words if line not in telling and not line.startswith("Invalid model:")]
    return " / ".join(dict.fromkeys(_plain(line) for line in (*telling, *others[-MOST_WORDS + 1 :])))


def _plain(line: str) -> str:
    for prefix in PREFIXES:
        line = line.removeprefix(prefix)
    return line if len(line) <= LONGEST_WORDS else line[:LONGEST_WORDS] + " ..."
