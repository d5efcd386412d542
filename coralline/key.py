"""A step's key: the digest of everything that can change what it makes, and which part of it differs from another.

The parts are kept beside the artifact, so that a changed key can be explained. docs/explanation/keys.md says what is
in the key and why.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.graph import Step

TYPE, VERSION = "coralline.key", 1

Parts = dict[str, Any]


def parts_of(
    step: Step,
    *,
    inputs: Mapping[str, str],
    code: Mapping[str, str],
    image: Mapping[str, Any],
    host: str | None = None,
    missing: Mapping[str, str] | None = None,
) -> Parts:
    """Gather everything that can change what `step` makes; `inputs` are content digests, `host` is for measurements."""
    return {
        "stage": step.spec.name,
        "parameters": {name: _plain(value) for name, value in step.parameters.items()},
        "inputs": dict(inputs),
        "code": dict(code),
        "image": {"name": step.variant.image, **image},
        "host": host,
        "missing": dict(missing or {}),
    }


def key_of(parts: Parts) -> str:
    """Return the key, 64 hexadecimal digits."""
    return hashlib.sha256(canonical([TYPE, VERSION, parts])).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON that is the same bytes for the same value: sorted keys, no spaces, floats as `repr`, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def difference(old: Parts, new: Parts) -> str | None:
    """Say which part changed first, in the order parameters, inputs, code, image, host, missing; None when none did."""
    return next(_differences(old, new), None)


def _differences(old: Parts, new: Parts) -> Iterator[str]:
    stage = new["stage"]
    for name, before, after in _changes(old["parameters"], new["parameters"]):
        yield f"parameter {stage}.{name} {_shown(before)} -> {_shown(after)}"
    for name, before, after in _changes(old["inputs"], new["inputs"]):
        yield f"input {name}" + (" added" if before is None else " removed" if after is None else "")
    for path, before, after in _changes(old["code"], new["code"]):
        yield f"code {path}" + (" added" if before is None else " removed" if after is None else "")
    if old["image"].get("engine") != new["image"].get("engine"):  # then everything else of the image differs too
        yield f"image: engine {_shown(old['image'].get('engine'))} -> {_shown(new['image'].get('engine'))}"
    for name, before, after in _changes(old["image"], new["image"]):
        yield f"image: {_IMAGE_WORDS.get(name, name)}" + (
            "" if _is_digest(before) else f" {_shown(before)} -> {_shown(after)}"
        )
    if old["host"] != new["host"]:
        yield "host: measured on another machine"
    for label, before, after in _changes(old["missing"], new["missing"]):
        yield f"missing {label}: {_shown(before)} -> {_shown(after)}"


_IMAGE_WORDS = {
    "lock": "requirements.lock",
    "debian": "debian.lock",
    "dockerfile": "Dockerfile",
    "base": "base image",
}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    # What is in both comes first: a parameter that came or went is the consequence of another that changed.
    for name in sorted(old.keys() | new.keys(), key=lambda name: (name not in old or name not in new, name)):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield name, before, after


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value.removeprefix("sha256:")) == 64
