from __future__ import annotations

import itertools
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coralline.engines.remote.leftovers import GUEST_LABEL, ROLE_LABEL
from coralline.engines.remote.lodging import PARTIAL, Lodging

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW, OLD = "2026-11-21T12:00:00.123456789Z", "2026-11-01T12:00:00Z"


class FakeDaemon:
    """Containers and volumes by name with their labels, as far as a lodging asks for them."""

    def __init__(self) -> None:
        self.containers_: dict[str, dict[str, Any]] = {}
        self.volumes_: dict[str, dict[str, Any]] = {}
        self._names = map(str, itertools.count())
        self.lines: list[socket.socket] = []

    def create_host_config(self, **words: Any) -> dict[str, Any]:
        return words

    def create_container(self, image: str, command: list[str], *, labels: dict[str, str], **_: Any) -> dict[str, str]:
        name = next(self._names)
        self.containers_[name] = {"Id": name, "Labels": labels, "State": "created", "what": (image, command)}
        return {"Id": name}

    def attach_socket(self, _name: str, **_: Any) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.lines += [ours, theirs]
        return ours

    def start(self, name: str) -> None:
        self.containers_[name]["State"] = "running"

    def inspect_container(self, name: str) -> dict[str, Any]:
        return {"State": {"Running": self.containers_[name]["State"] == "running"}}

    def create_volume(self, name: str = "", *, labels: dict[str, str], created: str = NOW) -> dict[str, str]:
        name = name or next(self._names)
        self.volumes_[name] = {"Name": name, "Labels": labels, "CreatedAt": created}
        return {"Name": name}

    def containers(self, *, all: bool = False, filters: dict[str, str]) -> list[dict[str, Any]]:  # noqa: A002 - the SDK's name
        name, _, value = filters["label"].partition("=")
        found = [one for one in self.containers_.values() if all or one["State"] == "running"]
        return [one for one in found if name in one["Labels"] and value in ("", one["Labels"][name])]

    def volumes(self, *, filters: dict[str, Any]) -> dict[str, Any]:
        wanted = [filters["label"]] if isinstance(filters["label"], str) else filters["label"]
        pairs = [label.partition("=") for label in wanted]
        found = [*self.volumes_.values()]
        for name, _, value in pairs:
            found = [one for one in found if name in one["Labels"] and value in ("", one["Labels"][name])]
        return {"Volumes": [*found] or None}

    def info(self) -> dict[str, str]:
        return {"SystemTime": NOW}

    def remove_container(self, name: str, **_: Any) -> None:
        del self.containers_[name]

    def remove_volume(self, name: str, **_: Any) -> None:
        self.volumes_.pop(name, None)

    def die(self, guest: str) -> None:
        """End a guest's presence, as its daemon does when the line closes."""
        for name, one in list(self.containers_.items()):
            if one["Labels"].get(GUEST_LABEL) == guest and one["State"] == "running":
                del self.containers_[name]


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    made = FakeDaemon()
    yield made
    for line in made.lines:
        line.close()


def lodge(daemon: FakeDaemon) -> Lodging:
    return Lodging(daemon, "image", lambda: True)  # type: ignore[arg-type]


def stranger(daemon: FakeDaemon, *, present: bool) -> dict[str, str]:
    """Return the labels of a guest from another machine, whose process nobody here can look at."""
    labels = {GUEST_LABEL: "another-boot pid:[1] 7 99 1"}
    if present:
        daemon.start(daemon.create_container("image", ["cat"], labels={**labels, ROLE_LABEL: "presence"})["Id"])
    return labels


def test_what_a_present_guest_keeps_is_left_alone(daemon: FakeDaemon) -> None:
    labels = stranger(daemon, present=True)
    daemon.create_volume("theirs", labels={**labels, ROLE_LABEL: "input"})
    daemon.create_container("image", ["true"], labels={**labels, ROLE_LABEL: "shelf"})
    assert lodge(daemon).sweep() == []
    assert "theirs" in daemon.volumes_
    assert len(daemon.containers_) == 3


def test_what_a_guest_left_that_is_gone_is_removed_and_what_is_nobodys_is_not(daemon: FakeDaemon) -> None:
    labels = stranger(daemon, present=False)
    daemon.create_volume("theirs", labels={**labels, ROLE_LABEL: "input"})
    daemon.create_container("image", ["true"], labels={**labels, ROLE_LABEL: "shelf"})
    daemon.create_volume("foreign", labels={"coralline.owner": "an engine of that machine itself"})
    assert sorted(lodge(daemon).sweep()) == ["input", "shelf"]
    assert set(daemon.volumes_) == {"foreign"}


def test_unfinished_work_waits_when_it_is_whole_and_not_too_old(daemon: FakeDaemon) -> None:
    labels = {**stranger(daemon, present=False), ROLE_LABEL: PARTIAL, "coralline.key": "key"}
    for name, created in (("whole", NOW), ("half", NOW), ("old", OLD)):
        daemon.create_volume(name, labels=labels, created=created)
    for name, created in (("whole.seal", NOW), ("old.seal", OLD)):
        daemon.create_volume(name, labels={**labels, ROLE_LABEL: "seal"}, created=created)
    lodging = lodge(daemon)
    lodging.sweep()
    assert set(daemon.volumes_) == {"whole", "whole.seal"}
    assert lodging.left_behind("key") == ["whole"]


def test_leaving_takes_all_but_unfinished_work(daemon: FakeDaemon) -> None:
    lodging = lodge(daemon)
    lodging.new("input")
    partial = lodging.new(PARTIAL, key="k")
    lodging.seal(partial)
    lodging.close()
    assert set(daemon.volumes_) == {partial, f"{partial}.seal"}
    assert lodge(daemon).left_behind("k") == [partial]


def test_a_presence_that_ended_is_a_lost_line(daemon: FakeDaemon) -> None:
    lodging = lodge(daemon)
    assert lodging.holds()
    daemon.containers_[next(iter(daemon.containers_))]["State"] = "exited"
    assert not lodging.holds()


def test_inputs_are_sent_once_and_dropped_when_no_step_reads_them(daemon: FakeDaemon) -> None:
    lodging, sent = lodge(daemon), list[str]()
    data, one, two = Path("data"), Path("one"), Path("two")
    with lodging.using([data, one]):
        for source in (data, one, data):
            lodging.kept(source, sent.append)
        with lodging.using([data, two]):  # another step at the same time
            lodging.kept(two, sent.append)
            assert len(daemon.volumes_) == 3
    assert len(sent) == 3
    with lodging.using([data, two]):
        assert lodging.kept(data, sent.append) == sent[0]
        assert set(daemon.volumes_) == {sent[0], sent[2]}


def test_what_could_not_be_sent_is_not_kept(daemon: FakeDaemon) -> None:
    def fail(_volume: str) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        lodge(daemon).kept(Path("data"), fail)
    assert not daemon.volumes_
