"""The first input that differs between two makings of a step: a part of its key, else a fact about where it was made.

Parts of the key come in the order of key.py (parameters, inputs, code, image, missing); facts in the order in which
they are likely to move a floating-point result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coralline import key
from coralline.verify.verdict import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coralline.key import Parts

Record = dict[str, Any]

NOTHING = Cause(kind="nothing", text="nothing that is recorded differs")
ROUNDS_OTHERWISE = frozenset({"image", "processor", "feature", "threads", "cores"})  # a machine or kernel does not
ARITHMETIC = ("amx", "avx", "fma", "f16c", "sse", "ssse", "bmi", "asimd", "sve")  # beginnings of names of features


def of_parts(old: Parts, new: Parts, inputs: Mapping[str, str]) -> Cause | None:
    """Return which part of the key differs; `inputs` says more of an input, by its name.

    The machine that measured is no part here, but a fact.
    """
    text = key.difference({**old, "host": None}, {**new, "host": None})
    if text is None:
        return None
    kind, _, rest = text.partition(" ")
    more = inputs.get(rest) if kind == "input" else None
    return input_of(more) if more else Cause(kind=kind.rstrip(":"), text=text)


def of_place(old: Record, new: Record) -> Cause | None:
    """Return which fact differs about how and where two artifacts were made."""
    return next(_facts(old, new), None)


def input_of(text: str) -> Cause:
    """Return the cause that an input is another one, which `text` names."""
    return Cause(kind="input", text=f"input {text}")


def rounds_otherwise(cause: Cause) -> bool:
    """Whether the cause is a place where floats may be rounded otherwise, and not what a step was made from."""
    return cause.kind in ROUNDS_OTHERWISE


def _facts(old: Record, new: Record) -> Iterator[Cause]:
    then, now = old["host"], new["host"]
    if then.get("cpu_model") != now.get("cpu_model"):
        yield Cause(kind="processor", text=f"processor {then.get('cpu_model')} -> {now.get('cpu_model')}")
    yield from _features(then, now)
    for name, kind in (("threads", "threads"), ("cores", "cores")):
        before, after = (old, new) if name == "threads" else (then, now)
        if before.get(name) != after.get(name):
            yield Cause(kind=kind, text=f"{name} {before.get(name)} -> {after.get(name)}")
    for name in sorted(old["engine"].keys() | new["engine"].keys()):
        before, after = old["engine"].get(name), new["engine"].get(name)
        if before != after:
            yield Cause(kind="image", text=f"image: {name} {before} -> {after}")
    if old["key_parts"].get("host") != new["key_parts"].get("host"):
        yield Cause(kind="machine", text="another machine of the same kind")
    if then.get("kernel") != now.get("kernel"):
        yield Cause(kind="kernel", text=f"kernel {then.get('kernel')} -> {now.get('kernel')}")


def _features(then: Record, now: Record) -> Iterator[Cause]:
    """Name a feature that only one processor has, those of arithmetic first."""
    if then.get("cpu_flags_sha256") == now.get("cpu_flags_sha256"):
        return
    before, after = (set(str(host.get("cpu_flags", "")).split()) for host in (then, now))
    if not before or not after:
        yield Cause(kind="feature", text="CPU features, of which one record has only a digest")
        return
    for feature in sorted(before ^ after, key=lambda name: (not name.startswith(ARITHMETIC), name)):
        yield Cause(kind="feature", text=f"CPU feature {feature}, " + ("gone" if feature in before else "new"))
