"""From a run to its verification: made again here, compared with a bundle by making it again, or side by side."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coralline import catalogue, session
from coralline.care.collect.survey import VERIFY
from coralline.code import Code
from coralline.console import clock
from coralline.engines import HOME, choose
from coralline.frozen import Frozen
from coralline.notices import Kind, Notice, Notify
from coralline.store import Store
from coralline.verify import again, userdata
from coralline.verify.judge import Judge
from coralline.verify.rebuild import Rebuilding
from coralline.verify.replan import Notes
from coralline.verify.subject import nothing_of, originals_of, subject_of
from coralline.verify.verdict import Verdict, Verification, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from coralline.bundle.reader import Bundle
    from coralline.errors import CorallineError
    from coralline.execute import Ended
    from coralline.runs import Run
    from coralline.session import Setting
    from coralline.store import Artifact
    from coralline.verify.subject import Original, Subject

WORTH_TELLING_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How to verify: where, with which data of the user's, and only one stage's artifacts if `only` names it."""

    setting: Setting
    externals: Mapping[str, Path]
    only: str | None
    notify: Notify

    def rebuild(self, run: Run) -> Verification:
        """Make a run of this store again in a fresh store and compare.

        Raises:
            CorallineError: the run cannot be drawn, or nothing could be started.
        """
        with self.setting.store.used() as store:
            originals, lost = originals_of(run, store.find, self._looking())
            verdicts, errors, kept = self._made_again(run, originals, lost, store, behind=None)
        return Verification(run=run.id, against=None, verdicts=verdicts, errors=errors, kept=kept)

    def against(self, bundle: Bundle, name: str) -> Verification:
        """Make the run of a bundle here, but for what the store has under the same keys, and compare."""
        originals, lost = self._bundled(bundle)
        with self.setting.store.used() as store:
            verdicts, errors, kept = self._made_again(bundle.run, originals, lost, store, behind=store)
        return Verification(run=bundle.run.id, against=name, verdicts=verdicts, errors=errors, kept=kept)

    def side_by_side(self, run: Run, bundle: Bundle, name: str) -> Verification:
        """Compare a run of this store with the run of a bundle, step by step; nothing is made."""
        originals, _ = self._bundled(bundle)
        with self.setting.store.used() as store:
            ours, _ = originals_of(run, store.find, self._looking())
        gone = dict.fromkeys(originals.keys() - ours.keys(), f"run {run.id} has no such artifact")
        judge = Judge(originals=originals, unbuilt=gone)
        verdicts = [judge.of_two(label, ours.get(label)) for label in originals]
        wanted = tuple(verdict for verdict in verdicts if self.only in (None, verdict.stage))
        if not wanted:
            raise nothing_of(bundle.run, self.only)
        return Verification(run=run.id, against=name, verdicts=wanted)

    def _looking(self) -> Callable[[int, int], None]:
        """Tell how far reading the artifacts has come, once that takes long enough to be worth it."""
        began = time.monotonic()

        def progress(done: int, total: int) -> None:
            took = time.monotonic() - began
            kind = Kind.PROGRESS if done < total else Kind.DONE
            if took > WORTH_TELLING_S:
                self.notify(
                    Notice(
                        kind=kind, label="digests", text="read", done=done, total=total, unit="artifact", seconds=took
                    )
                )

        return progress

    def _bundled(self, bundle: Bundle) -> tuple[dict[str, Original], tuple[str, ...]]:
        def list_files(artifact: Artifact) -> Mapping[str, object]:
            return bundle.files(artifact.key)

        return originals_of(bundle.run, bundle.find, self._looking(), list_files)

    def _made_again(
        self, run: Run, originals: Mapping[str, Original], lost: tuple[str, ...], used: Store, *, behind: Store | None
    ) -> tuple[tuple[Verdict, ...], tuple[CorallineError, ...], str | None]:
        """Make the originals again; return the verdicts, what failed, and where what differs is kept."""
        request = again.request_of(run, self.externals)
        subject = subject_of(run, request, originals, lost, self.only)
        engine = choose(self.setting.engine or str(run.request.get("engine", "auto")), self.notify)
        digest = functools.cache(functools.partial(session.external_digest, request, self.setting, self.notify))
        inputs, notes, cancelled = userdata.changed(subject, self.externals, digest), Notes(), threading.Event()
        with _fresh(used, run) as (root, keep):
            rebuilding = Rebuilding(
                store=Store(root),
                behind=behind,
                engine=engine,
                code=Code(catalogue.PROJECT, HOME / "code.json"),
                frozen=Frozen(catalogue.PROJECT, HOME),
                externals=self.externals,
                digest=digest,
                jobs=self.setting.jobs,
                notify=self.notify,
                cancelled=cancelled,
            )
            with session.interruptible():
                session.prepare_images(engine, rebuilding.images(subject, inputs), self.notify)
            self._foretell(subject)
            with session.stopping(cancelled, self.notify):
                ended = rebuilding.run(subject, inputs, notes)
            if ended.interrupted:
                self.notify(Notice(kind=Kind.NOTE, text="stopped before the end: nothing is said of any artifact"))
                raise KeyboardInterrupt
            errors = ended.errors | notes.failed
            verdicts = tuple(_verdicts(subject, notes, ended, errors))
            keep(kept := _prune(root, verdicts, ended) or bool(errors))
            return verdicts, tuple(errors.values()), os.fspath(root) if kept else None

    def _foretell(self, subject: Subject) -> None:
        """Say how much there is to do: what took so long once will take about as long again."""
        seconds = sum(float(subject.originals[label].artifact.record["seconds"]) for label in subject.wanted)
        many = f"{len(subject.wanted)} artifact{'' if len(subject.wanted) == 1 else 's'}"
        self.notify(Notice(kind=Kind.NOTE, text=f"run {subject.run.id}: {many}, which took {clock(seconds)} to make"))


def _verdicts(subject: Subject, notes: Notes, ended: Ended, errors: Mapping[str, CorallineError]) -> Iterator[Verdict]:
    unbuilt = {**notes.unbuilt, **ended.skipped, **{label: error.message for label, error in errors.items()}}
    unbuilt |= dict.fromkeys(subject.unknown, "this checkout has no such step")
    judge = Judge(originals=subject.originals, changed=notes.changed, unbuilt=unbuilt)
    for label in subject.run.steps:
        if label in subject.lost:
            yield _lost(label)
        elif label in subject.wanted or label in subject.unknown:
            made = ended.decided.get(label)
            yield judge.judge(label, None if made is None or label in unbuilt else made.artifact)


def _lost(label: str) -> Verdict:
    why = "its artifact is not in the store any more"
    return Verdict(label=label, stage=again.stage_of(label), word=Word.UNVERIFIED, remarks=(why,))


def _prune(root: Path, verdicts: Iterable[Verdict], ended: Ended) -> bool:
    """Remove what was rebuilt but for what differs; return whether there is any."""
    differs = {verdict.label for verdict in verdicts if verdict.word is Word.DIFFERENT and verdict.files}
    for label, decision in ended.decided.items():
        if label not in differs and decision.artifact is not None and decision.artifact.path.is_relative_to(root):
            shutil.rmtree(decision.artifact.path, ignore_errors=True)
    return bool(differs)


@contextlib.contextmanager
def _fresh(used: Store, run: Run) -> Iterator[tuple[Path, Callable[[bool], None]]]:
    """Give a folder for a fresh store, and the word whether to keep it; it is removed otherwise, whatever happens."""
    root = used.root / VERIFY / f"{run.id}.{os.urandom(4).hex()}"
    used.claim(root.name)  # before it is there: what nobody claims may be collected
    root.mkdir(parents=True)
    kept = [False]
    try:
        yield root, lambda keep: kept.__setitem__(0, keep)
    finally:
        if not kept[0]:
            shutil.rmtree(root, ignore_errors=True)
            with contextlib.suppress(OSError):  # another verification works beside
                root.parent.rmdir()
