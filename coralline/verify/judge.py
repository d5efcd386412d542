"""From an original and what was made again to a verdict, in the order of the graph: causes are followed upstream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline.verify import cause, latency, normal
from coralline.verify.compare import compare
from coralline.verify.subject import is_copy
from coralline.verify.verdict import Cause, Verdict, Word, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coralline.store import Artifact
    from coralline.verify.subject import Original


COPIES = "both are copies of one making, which proves nothing"
HARDLY_MATTERS = ("machine", "kernel")  # that bytes are equal in spite of these is no news


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges the artifacts of one run; `changed` and `unbuilt` say what is known of those that were not made again."""

    originals: Mapping[str, Original]
    changed: Mapping[str, Cause] = field(default_factory=dict)
    unbuilt: Mapping[str, str] = field(default_factory=dict)
    _roots: dict[str, Cause] = field(default_factory=dict)
    _words: dict[str, Word] = field(default_factory=dict)

    def judge(self, label: str, rebuilt: Artifact | None) -> Verdict:
        """Give the verdict on one artifact; those that it was made from must have been judged before."""
        verdict = self._judged(label, rebuilt)
        self._words[label] = verdict.word
        return verdict

    def _judged(self, label: str, rebuilt: Artifact | None) -> Verdict:
        original = self.originals[label]
        stage = str(original.artifact.record["stage"])
        if original.damage:
            return Verdict(
                label=label,
                stage=stage,
                word=Word.CORRUPTED,
                cause=Cause(kind="corruption", text="the artifact in the store is not what its record says"),
                files=original.damage,
                remarks=(_repair(original, rebuilt),),
            )
        if rebuilt is None:
            return self._unbuilt(label, stage)
        return self._compared(label, stage, original, rebuilt)

    def of_two(self, label: str, ours: Original | None) -> Verdict:
        """Give the verdict on an artifact of another site beside ours of the same step."""
        verdict = self.judge(label, None if ours is None else ours.artifact)
        if ours is None or not ours.damage:
            return verdict
        told = Cause(kind="corruption", text="the artifact in the store here is not what its record says")
        return Verdict(label=label, stage=verdict.stage, word=Word.CORRUPTED, cause=told, files=ours.damage)

    def _unbuilt(self, label: str, stage: str) -> Verdict:
        known = self.changed.get(label)
        if known is not None and known.kind in ("parameter", "input"):
            self._roots[label] = known
            return Verdict(label=label, stage=stage, word=Word.DIFFERENT, cause=known, remarks=("not made again",))
        why = self.unbuilt.get(label, "it was not reached")
        return Verdict(label=label, stage=stage, word=Word.UNVERIFIED, remarks=(why,))

    def _compared(self, label: str, stage: str, original: Original, rebuilt: Artifact) -> Verdict:
        found, root = self._cause(original, rebuilt)
        if original.artifact.digest == rebuilt.digest:
            remarks = (f"although {found.text}",) if found is not None and found.kind not in HARDLY_MATTERS else ()
            if is_copy(original.artifact, rebuilt):
                return Verdict(label=label, stage=stage, word=Word.UNVERIFIED, remarks=(COPIES,))
            return Verdict(label=label, stage=stage, word=Word.IDENTICAL, remarks=remarks)
        followed = self._followed(original, rebuilt)
        if followed is not None:
            return Verdict(label=label, stage=stage, word=followed, remarks=(normal.GATHERED,))
        result = compare(stage, original, rebuilt, elsewhere=root is not None and cause.rounds_otherwise(root))
        if found is None and any(not one.holds for one in result.intervals):
            found = latency.doubts(original.artifact, rebuilt)
        told = found or cause.NOTHING
        self._roots[label] = root or told
        is_told = result.word not in (Word.NORMALISED, Word.STATISTICAL) or found is not None
        return Verdict(
            label=label,
            stage=stage,
            word=result.word,
            cause=told if is_told else None,
            files=result.files,
            intervals=result.intervals,
            remarks=result.remarks,
        )

    def _followed(self, original: Original, rebuilt: Artifact) -> Word | None:
        """Return the worst verdict on what was gathered, if nothing but that differs and all of it counts as equal."""
        then, now = original.artifact.record["key_parts"], rebuilt.record["key_parts"]
        others = cause.of_parts({**then, "inputs": {}}, {**now, "inputs": {}}, {})
        gathers = any(" " in value for value in then["inputs"].values())  # a digest and a key: see plan.py
        if not gathers or others is not None or then["inputs"].keys() != now["inputs"].keys():
            return None
        labels = self._labels(then["inputs"])
        changed = [name for name, value in then["inputs"].items() if now["inputs"][name] != value]
        words = [self._words.get(labels.get(name, ""), Word.UNVERIFIED) for name in changed]
        found = worst([Word.NORMALISED, *words])
        return found if changed and found in (Word.NORMALISED, Word.STATISTICAL) else None

    def _cause(self, original: Original, rebuilt: Artifact) -> tuple[Cause | None, Cause | None]:
        """Return the first input that differs, and what made that one differ in the first place."""
        then, now = original.artifact.record, rebuilt.record
        labels = self._labels(then["key_parts"]["inputs"])
        found = cause.of_parts(then["key_parts"], now["key_parts"], {n: f"{n}: {of}" for n, of in labels.items()})
        if found is None or found.kind != "input":
            found = found or cause.of_place(then, now)
            return found, found
        root = next((self._roots[of] for of in labels.values() if of in self._roots), None)
        return (found, None) if root is None else (Cause(kind="input", text=f"{found.text} ({root.text})"), root)

    def _labels(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """Name the steps whose artifacts a step read, by the name of the input."""
        digests = {one.artifact.digest: label for label, one in self.originals.items()}
        found = {name: digests.get(str(value).partition(" ")[0]) for name, value in inputs.items()}
        return {name: label for name, label in found.items() if label is not None}


def _repair(original: Original, rebuilt: Artifact | None) -> str:
    if rebuilt is None:
        return "it could not be made again"
    if rebuilt.digest == original.artifact.digest:
        return "made again it is what the record says: ./run fsck moves the damaged one aside"
    return "made again it is not what the record says either"
