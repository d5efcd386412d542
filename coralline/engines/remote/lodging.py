"""What this process keeps on a Docker daemon of another machine: its presence there, containers, volumes.

Nobody can see from here whether a process of a third machine still lives. So each process that keeps something there
also holds the line to a container that does nothing: its presence, which ends when its input closes. What carries the
name of a guest that is not present any more is garbage, and whoever comes next removes it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coralline.engines.attach import Attachment
from coralline.engines.container import KEY_LABEL
from coralline.engines.docker import ended
from coralline.engines.owner import is_gone as owner_is_gone
from coralline.engines.owner import owner
from coralline.engines.remote import parcel
from coralline.engines.remote.leftovers import GUEST_LABEL, ROLE_LABEL, SEAL, age_s, listed, parsed_time, remove, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from coralline.engines.container import Container
    from docker import APIClient

PRESENCE, PARTIAL = "presence", "partial"
USER = 65_534  # nobody: the caller's own number means something else there
SHELF = Path("/shelf")
ATTEMPTS = 5
QUESTION_S = 60
KEPT_S = 7 * 86_400.0  # how long the unfinished work of a guest that is gone waits for somebody to go on with it
_gone: set[str] = set()  # guests of this very process that lost their line: their presence may seem to run on
_numbers = itertools.count(1)


class Lodging:
    """A place on another daemon for as long as the line `is_open`; `image` is any that the daemon has."""

    def __init__(self, api: APIClient, image: str, is_open: Callable[[], bool]) -> None:
        self._api = api
        self._image = image
        self._is_open = is_open
        self.guest = f"{owner()} {next(_numbers)}"
        self._presence = self._appear()
        self._shelves: dict[Path, str] = {}
        self._used: Counter[Path] = Counter()
        self._lock = threading.Lock()

    def labels(self, **further: str) -> dict[str, str]:
        """Return the labels of something that is ours."""
        return {GUEST_LABEL: self.guest, **{f"coralline.{name}": value for name, value in further.items()}}

    def close(self) -> None:
        """Take everything of ours away, if the daemon still answers, and end the presence."""
        _gone.add(self.guest)
        self._attempt(self._leave)
        self._presence[1].close()

    def _leave(self) -> None:
        ours = [[one for one in found if self._is_ours(one["Labels"])] for found in listed(self._api)]
        remove(self._api, *ours)

    def holds(self) -> bool:
        """Whether our presence still runs there: else the line was lost, and what we left there is up for removal."""
        return bool(self._attempt(lambda: self._api.inspect_container(self._presence[0])["State"]["Running"]))

    def new(self, role: str, **labels: str) -> str:
        """Make an empty volume and return its name."""
        return str(self._api.create_volume(labels=self.labels(role=role, **labels))["Name"])

    @contextlib.contextmanager
    def volume(self, role: str) -> Iterator[str]:
        """Have an empty volume that is gone on return."""
        name = self.new(role)
        try:
            yield name
        finally:
            self.forget(name)

    def seal(self, name: str) -> None:
        """Say that all that was to be sent to a volume has arrived: labels can be given only to what is made anew."""
        self._api.create_volume(f"{name}.{SEAL}", labels=self.labels(role=SEAL))

    def forget(self, name: str) -> None:
        """Remove a volume and its seal; what is in use or out of reach is left to who comes next."""
        for one in (name, f"{name}.{SEAL}"):
            self._attempt(functools.partial(self._api.remove_volume, one, force=True))

    def kept(self, source: Path, fill: Callable[[str], None]) -> str:
        """Return the volume that holds `source`, sent at its first use; it stays until it is dropped."""
        with self._lock:
            if source not in self._shelves:
                name = self.new("input")
                try:
                    fill(name)
                except BaseException:
                    self.forget(name)
                    raise
                self._shelves[source] = name
            return self._shelves[source]

    @contextlib.contextmanager
    def using(self, sources: Iterable[Path]) -> Iterator[None]:
        """Have what was sent of `sources` stay; drop what no step reads now: the other machine may have little room."""
        wanted = set(sources)
        with self._lock:
            self._used.update(wanted)
            for source in set(self._shelves) - set(self._used):
                self.forget(self._shelves.pop(source))
        try:
            yield
        finally:
            with self._lock:
                self._used -= Counter(wanted)

    def send(self, volume: str, source: parcel.Parcel, sent: parcel.Count) -> None:
        """Fill a volume with a parcel that is called as the shelf is."""
        with self._shelf(volume) as container:
            self._api.put_archive(container, str(SHELF.parent), source.stream(sent))

    def fetch(self, volume: str, target: Path, received: parcel.Count) -> None:
        """Unpack what is in a volume into an existing folder; raises what `unpack` does."""
        with self._shelf(volume) as container:
            pieces, _ = self._api.get_archive(container, str(SHELF))
            parcel.unpack(pieces, target, received)

    def output(self, image: str, command: list[str], places: dict[Path, Path]) -> bytes:
        """Return what a command prints that only looks at folders of the machine; raises what the SDK does."""
        from docker.types import Mount

        mounts = [Mount(str(inside), str(outside), type="bind", read_only=True) for outside, inside in places.items()]
        config = self._api.create_host_config(
            mounts=mounts, network_mode="none", read_only=True, cap_drop=["ALL"], pids_limit=64, init=True
        )
        name = self._created(command, config, "question", image)
        try:
            self._api.start(name)
            self._api.wait(name, timeout=QUESTION_S)
            return bytes(self._api.logs(name, stdout=True, stderr=False))
        finally:
            self._take_away(name)

    @contextlib.contextmanager
    def started(self, planned: Container) -> Iterator[tuple[Attachment, str]]:
        """Have a container run whose output nothing is missing of; it is gone on return."""
        name = planned.create(self._api)
        try:
            attachment = Attachment(self._api, name)
            try:
                self._api.start(name)
                yield attachment, name
            finally:
                attachment.close()
        finally:
            self._take_away(name)

    def ended(self, name: str, cancelled: threading.Event) -> dict[str, Any]:
        """Return the state of a container once it has ended; a cancelled one is killed."""
        import requests

        if not self._is_open():
            raise requests.ConnectionError("the line was closed")
        return ended(self._api, name, cancelled)

    def left_behind(self, key: str) -> list[str]:
        """Return the volumes in which guests that are gone left what they had of the step of that key."""
        filters = {"label": [f"{ROLE_LABEL}={PARTIAL}", f"{KEY_LABEL}={key}"]}
        found = self._api.volumes(filters=filters)["Volumes"] or []
        whole = sealed(listed(self._api)[1])
        is_gone = self._who_is_gone()
        return [one["Name"] for one in found if one["Name"] in whole and is_gone(one["Labels"][GUEST_LABEL])]

    def sweep(self) -> list[str]:
        """Remove what guests left behind that are gone; return what it was.

        Unfinished work of a step stays for a while: who makes the same step again goes on with it.
        """
        containers, volumes = listed(self._api)
        now = parsed_time(self._api.info()["SystemTime"])
        unfinished = sealed(volumes)
        fresh = [one for one in volumes if one["Name"] in unfinished and age_s(one, now) < KEPT_S]
        is_gone = self._who_is_gone()  # asked last: whoever has something there was present before it came to be
        garbage = [one for one in volumes if is_gone(one["Labels"][GUEST_LABEL]) and one not in fresh]
        return remove(self._api, [one for one in containers if is_gone(one["Labels"][GUEST_LABEL])], garbage)

    def _is_ours(self, labels: dict[str, str]) -> bool:
        return labels[GUEST_LABEL] == self.guest and labels.get(ROLE_LABEL) not in (PARTIAL, SEAL, PRESENCE)

    def _who_is_gone(self) -> Callable[[str], bool]:
        found = self._api.containers(filters={"label": f"{ROLE_LABEL}={PRESENCE}"})
        present = {one["Labels"][GUEST_LABEL] for one in found} | {self.guest}

        def is_gone(guest: str) -> bool:
            process = guest.rpartition(" ")[0]
            return guest not in present or guest in _gone or owner_is_gone(process, running=True)

        return is_gone

    def _attempt(self, what: Callable[[], Any]) -> Any:
        """Do something that need not succeed; nothing when the line is known to be lost."""
        import requests
        from docker.errors import DockerException

        if not self._is_open():
            return None
        try:
            return what()
        except (DockerException, requests.RequestException):
            return None

    def _take_away(self, container: str) -> None:
        self._attempt(lambda: self._api.remove_container(container, force=True, v=True))

    @contextlib.contextmanager
    def _shelf(self, volume: str) -> Iterator[str]:
        """Have a container that never starts, through which a volume is filled and read."""
        from docker.types import Mount

        mounts = [Mount(str(SHELF), volume, type="volume", no_copy=True)]
        config = self._api.create_host_config(mounts=mounts, network_mode="none")
        name = self._created(["true"], config, "shelf")
        try:
            yield name
        finally:
            self._take_away(name)

    def _appear(self) -> tuple[str, Attachment]:
        """Start the presence. Another guest may sweep it in the moment before it runs: then once more."""
        from docker.errors import NotFound

        config = self._api.create_host_config(
            network_mode="none", read_only=True, cap_drop=["ALL"], pids_limit=16, auto_remove=True, init=True
        )
        for attempt in itertools.count(1):
            name = self._created(["cat"], config, PRESENCE)
            attachment = Attachment(self._api, name)
            try:
                self._api.start(name)
            except NotFound:
                attachment.close()
                if attempt == ATTEMPTS:
                    raise
            else:
                return name, attachment
        raise AssertionError  # the loop returns or raises

    def _created(self, command: list[str], config: Any, role: str, image: str | None = None) -> str:
        created = self._api.create_container(
            image or self._image,
            command,
            user=f"{USER}:{USER}",
            labels=self.labels(role=role),
            stdin_open=role == PRESENCE,
            host_config=config,
        )
        return str(created["Id"])
