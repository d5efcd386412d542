"""Making, using, dying, marking, spoiling, collecting, checking in any order: nothing needed goes, no damage stays.

A survey may lie any time before its removal, with anything in between: so every race between them is drawn.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass, field

from artifactfiles import folder_in_memory, key, publish
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from coralline import runs
from coralline.care import collect, fsck
from coralline.care.collect import Kind, Limits
from coralline.store import Store

NAMES = st.sampled_from("abcd")


@dataclass(eq=False)
class User:
    """One process: its store, its run, and what it has claimed by using it."""

    stack: contextlib.ExitStack
    store: Store
    run: runs.Run
    keys: set[str] = field(default_factory=set)


class CareMachine(RuleBasedStateMachine):
    users = Bundle("users")
    surveys = Bundle("surveys")

    def __init__(self) -> None:
        super().__init__()
        self.root = folder_in_memory()
        self.content: dict[str, str] = {}
        self.spoiled: set[str] = set()
        self.checkpoints: set[str] = set()
        self.living: list[User] = []
        self.runs: dict[str, runs.Run] = {}

    def teardown(self) -> None:
        for user in self.living:
            user.stack.close()
        shutil.rmtree(self.root)

    @rule(target=users)
    def begin(self) -> User:
        stack = contextlib.ExitStack()
        store = stack.enter_context(Store(self.root).used())
        user = User(stack, store, runs.start(self.root, {}, store.claim))
        self.living.append(user)
        self.runs[user.run.id] = user.run
        return user

    @rule(user=users, name=NAMES, number=st.integers(0, 3))
    def make(self, user: User, name: str, number: int) -> None:
        if user not in self.living:
            return
        publish(user.store, name, str(number))
        self.content[key(name)] = str(number)
        self.spoiled.discard(key(name))
        self._noted(user, name)

    @rule(user=users, name=NAMES)
    def look_up(self, user: User, name: str) -> None:
        if user not in self.living:
            return
        found = user.store.find(key(name))
        if key(name) not in self.spoiled:
            assert (found is not None) == (key(name) in self.content)
        self._noted(user, name)

    @rule(user=users, name=NAMES)
    def train(self, user: User, name: str) -> None:
        """Claim what is not there yet, and write a checkpoint of it."""
        if user in self.living and user.store.find(key(name)) is None:
            (user.store.partial(key(name)) / "checkpoint.json").write_text("{}")
            self.checkpoints.add(key(name))
            self._noted(user, name)

    @rule(user=consumes(users), dies=st.booleans())
    def end(self, user: User, *, dies: bool) -> None:
        """End a run, or let its process die: the kernel lets go of its lock, and its note stays."""
        self.living.remove(user)
        user.run.ended = not dies
        user.run.save()
        note = next(path for path in (self.root / "uses").iterdir() if user.run.id in path.read_text())
        text = note.read_text()
        user.stack.close()
        if dies:
            note.write_text(text)

    @rule(name=NAMES)
    def die_while_building(self, name: str) -> None:
        for place in (f"building/{key(name)}/half", f"locks/{key(name)}"):
            (self.root / place).parent.mkdir(parents=True, exist_ok=True)
            (self.root / place).write_text("half")

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), wanted=st.booleans())
    def mark(self, data: st.DataObject, *, wanted: bool) -> None:
        self.runs[data.draw(st.sampled_from(sorted(self.runs)))].keep(wanted=wanted)

    @precondition(lambda self: self.content)
    @rule(data=st.data(), how=st.sampled_from(["flip", "lose", "add", "link"]))
    def spoil(self, data: st.DataObject, how: str) -> None:
        one = data.draw(st.sampled_from(sorted(self.content)))
        path = self.root / "objects" / one / data.draw(st.sampled_from(["out.json", "files.json", "record.json"]))
        if one in self.spoiled:
            return
        if how == "flip":
            content = bytearray(path.read_bytes())
            content[data.draw(st.integers(0, len(content) - 1))] ^= 0x80  # never another letter of "seal"
            path.write_bytes(content)
        elif how == "add":
            path.with_name("more").write_text("")
        else:
            path.unlink()
            if how == "link":
                path.symlink_to("/dev/null")
        self.spoiled.add(one)

    @rule(target=surveys)
    def survey(self) -> collect.Survey:
        return collect.survey(self.root, Limits(older_than_s=0), lambda _done, _total: None, time.time() + 10)

    @rule(found=consumes(surveys))
    def remove(self, found: collect.Survey) -> None:
        needed, before, partial = self._needed(), set(self.content), set(self.checkpoints)
        removed = collect.remove(self.root, found, lambda _notice: None)
        self._forget_what_is_gone()
        gone = before - set(self.content)
        assert not gone & needed, "an artifact that is needed was collected"
        assert not (partial - self.checkpoints) & needed - set(self.content), (
            "a checkpoint that is needed was collected"
        )
        assert gone == {piece.name for piece in removed.pieces if piece.kind is Kind.ARTIFACT}
        assert not any((self.root / "removing").glob("*"))

    @rule()
    def collect_at_once(self) -> None:
        """Without anything in between, all that is not needed goes."""
        self.remove(self.survey())
        assert set(self.content) <= self._needed()

    @rule()
    def check(self) -> None:
        found = fsck.examine(Store(self.root), lambda _notice: None)
        assert {one.key for one in found.corrupt} == self.spoiled
        for one in self.spoiled:
            assert not (self.root / "objects" / one).exists()
            del self.content[one]
        self.spoiled.clear()

    @invariant()
    def what_is_there_is_what_was_made(self) -> None:
        there = {path.name for path in (self.root / "objects").glob("*")}
        assert there == set(self.content)
        for one in there - self.spoiled:
            assert (self.root / "objects" / one / "out.json").read_text() == self.content[one]

    @invariant()
    def a_run_that_is_listed_is_whole_or_was_spoiled(self) -> None:
        for user in self.living:
            assert user.run.folder.exists()

    def _noted(self, user: User, name: str) -> None:
        user.keys.add(key(name))
        user.run.steps[name] = {"state": "made", "key": key(name), "reason": ""}
        user.run.save()

    def _needed(self) -> set[str]:
        """Return what living users claimed, and what runs used that are marked, or are the latest that ended."""
        kept = [run for run in self.runs.values() if run.is_kept]
        ended = [run for run in self.runs.values() if run.ended]
        kept += [max(ended, key=lambda run: run.id)] if ended else []
        return set().union(*(user.keys for user in self.living), *(run.keys for run in kept))

    def _forget_what_is_gone(self) -> None:
        self.content = {one: text for one, text in self.content.items() if (self.root / "objects" / one).exists()}
        self.spoiled &= set(self.content)
        self.checkpoints = {one for one in self.checkpoints if (self.root / "partial" / one).exists()}
        self.runs = {name: run for name, run in self.runs.items() if run.folder.exists()}


TestCareMachine = CareMachine.TestCase
TestCareMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
