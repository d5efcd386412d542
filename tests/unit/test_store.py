from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import spec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from coralline.errors import ArtifactError
from coralline.store import Store, durable, uses

if TYPE_CHECKING:
    import contextlib

SPEC = spec("thing")
KEY = "k" * 64


def fill(folder: Path, content: str = "{}") -> None:
    (folder / "out.json").write_text(content)
    (folder / "record.json").write_text('{"numbers": [], "facts": {"x": 1}}')


def never() -> bool:
    return False


def publish(store: Store, key: str = KEY, content: str = "{}") -> None:
    with store.building(key, lambda: None, never) as folder:
        assert folder is not None
        fill(folder, content)
        store.publish(folder, key, SPEC.outputs, {"label": "thing"})


def test_what_is_published_is_found_with_its_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find(KEY) is None
    publish(store)
    found = store.find(KEY)
    assert found is not None
    assert found.record["facts"] == {"x": 1}
    assert found.record["label"] == "thing"
    assert json.loads((found.path / "files.json").read_text())["out.json"][1] == 2


def test_the_digest_covers_content_and_not_the_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digests = []
    for number, content in enumerate(["{}", "{}", "[]"]):
        publish(store, str(number) * 64, content)
        digests.append(store.find(str(number) * 64).digest)  # type: ignore[union-attr]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "out.json").unlink(),
        lambda folder: (folder / "out.json").write_text(""),
        lambda folder: (folder / "out.json").write_text("{"),
        lambda folder: (folder / "record.json").unlink(),
        lambda folder: (folder / "record.json").write_text("[]"),
        lambda folder: (folder / "record.json").write_text('{"numbers": [{"metric": "x"}], "facts": {}}'),
        lambda folder: (folder / "link").symlink_to("/etc/passwd"),
        lambda folder: os.mkfifo(folder / "pipe"),
    ],
)
def test_a_broken_output_is_never_published(tmp_path: Path, spoil: object) -> None:
    store = Store(tmp_path)
    with store.building(KEY, lambda: None, never) as folder:
        assert folder is not None
        fill(folder)
        spoil(folder)  # type: ignore[operator]
        with pytest.raises(ArtifactError):
            store.publish(folder, KEY, SPEC.outputs, {})
    assert store.find(KEY) is None
    assert not any((tmp_path / "building").iterdir())


def test_making_again_replaces_the_artifact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    publish(store, content="{}")
    publish(store, content="[1]")
    assert (store.find(KEY).path / "out.json").read_text() == "[1]"  # type: ignore[union-attr]


def test_making_again_works_where_names_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_one: Path, _other: Path) -> None:  # stands for NFS, which cannot be mounted here
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(durable, "exchange", refuse)
    test_making_again_replaces_the_artifact(tmp_path)
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_an_artifact_with_an_unreadable_record_is_put_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    publish(store)
    (tmp_path / "objects" / KEY / "record.json").write_text("{")
    assert store.find(KEY) is None
    assert (tmp_path / "objects" / KEY).exists()  # a look moves nothing: somebody may be publishing
    publish(store)
    assert [path.name.partition(".")[0] for path in (tmp_path / "quarantine").iterdir()] == [KEY]


def test_one_builder_at_a_time_and_the_waiter_is_told(tmp_path: Path) -> None:
    store, order, waiting = Store(tmp_path), [], threading.Event()

    def second() -> None:
        with store.building(KEY, waiting.set, never):
            order.append("second")

    with store.building(KEY, lambda: None, never):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_who_waits_can_be_stopped(tmp_path: Path) -> None:
    store, stop = Store(tmp_path), threading.Event()
    with store.building(KEY, lambda: None, never), store.building(KEY, stop.set, stop.is_set) as folder:
        assert folder is None


def hold(root: Path, ready: object) -> None:
    with Store(root).building(KEY, lambda: None, never) as folder:
        fill(folder)  # type: ignore[arg-type]
        ready.set()  # type: ignore[attr-defined]
        time.sleep(60)


def test_a_killed_builder_leaves_nothing_and_lets_go(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    store = Store(tmp_path)
    assert store.find(KEY) is None
    with store.building(KEY, lambda: pytest.fail("the kernel has not let go"), never) as folder:
        assert folder is not None
        assert list(folder.iterdir()) == []


def test_a_kill_at_any_file_operation_leaves_the_artifact_complete_or_absent(tmp_path: Path) -> None:
    for count in range(1, 60):
        root = tmp_path / str(count)
        child = os.fork()
        if child == 0:
            _die_at(count)
            publish(Store(root))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        found = Store(root).find(KEY)
        if found is not None:
            assert (found.path / "out.json").read_text() == "{}"
            assert (found.path / "files.json").exists()
        if os.waitstatus_to_exitcode(status) == 0:
            assert found is not None
            return
    pytest.fail("publishing takes more file operations than were tried")


def _die_at(count: int) -> None:
    """Kill this process at its `count`-th operation that changes a file."""
    import sys

    seen = 0

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"):
            seen += 1
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)


class StoreMachine(RuleBasedStateMachine):
    """Publish, spoil, find and replace in any order: what is found is always what was last published."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name))
        self.model: dict[str, str] = {}

    @rule(target=keys, letter=st.sampled_from("abc"))
    def name(self, letter: str) -> str:
        return letter * 64

    @rule(key=keys, number=st.integers())
    def publish(self, key: str, number: int) -> None:
        publish(self.store, key, str(number))
        self.model[key] = str(number)

    @rule(key=keys)
    def spoil(self, key: str) -> None:
        if key in self.model:
            (self.store.root / "objects" / key / "record.json").unlink()
            del self.model[key]

    @rule(key=keys, label=st.sampled_from(["x", "y/z"]))
    def remember(self, key: str, label: str) -> None:
        self.store.remember(label, key)
        assert (self.store.last(label) is not None) == (key in self.model)

    @invariant()
    def finds_what_was_published(self) -> None:
        for letter in "abc":
            found = self.store.find(letter * 64)
            assert (found is not None) == (letter * 64 in self.model)
            if found is not None:
                assert (found.path / "out.json").read_text() == self.model[letter * 64]

    def teardown(self) -> None:
        self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)


@given(st.text("abc/", min_size=1, max_size=6).filter(lambda text: text.strip("/")))
@settings(max_examples=20, deadline=None)
def test_labels_are_kept_apart_by_name(tmp_path_factory: pytest.TempPathFactory, label: str) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    assert store.last(label) is None


def test_a_note_is_written_by_two_machines_at_once_though_their_processes_have_one_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Store(tmp_path), Store(tmp_path)
    passed = uses.gate
    meanwhile = iter([lambda: there.remember("thing", "b" * 64)])

    def gate(root: Path, *, alone: bool) -> contextlib.AbstractContextManager[None]:
        next(meanwhile, lambda: None)()
        return passed(root, alone=alone)

    monkeypatch.setattr(uses, "gate", gate)
    here.remember("thing", "a" * 64)
    assert [path.name for path in (tmp_path / "last").iterdir()] == ["thing"]
    assert (tmp_path / "last" / "thing").read_text() == "a" * 64
