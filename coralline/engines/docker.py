"""Runs steps in containers, one for each step, and leaves none behind.

The SDK is imported when the first step runs: a run that reuses everything never loads it.
"""

from __future__ import annotations

import functools
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from coralline import daemon
from coralline.engines import base, container
from coralline.engines.owner import is_gone, owner
from coralline.errors import EngineError, ImageError
from coralline.images import Images

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from coralline.engines.base import Event, Job, OnEvent, Outcome
    from docker import APIClient

KILLED = 137  # 128 + SIGKILL
API_TIMEOUT_S = 60
POLL_S = 0.01  # its output has ended, so the container ends within milliseconds


class DockerEngine:
    """Runs steps through the Docker daemon of this machine."""

    name = "docker"

    def __init__(self, project: Path, artifacts: Path) -> None:
        self.images = Images(project, artifacts / "images")

    def available(self) -> str | None:
        """Say why Docker cannot be used here, or None when its daemon answers."""
        return daemon.trouble()

    def recipe(self, image: str) -> dict[str, Any]:
        """Return digests of the Dockerfile, the lock and the base."""
        return self.images.recipe(image)

    def blocked(self, image: str) -> str | None:
        """Say why the image could not be built lately, or None."""
        return None if self.images.recorded(image) else self.images.unavailable(image)

    def prepare(self, image: str, progress: OnEvent) -> None:
        """Build the image unless the daemon has it."""
        if self.images.find(image) is None:
            self.images.build(image, progress)

    def identity(self, image: str) -> dict[str, str]:
        """Return the image's id and the base that it was built on."""
        return self.images.identity(image)

    def replay(self, job: Job) -> str:
        """Return the `docker run` command of the step."""
        with _docker_trouble():
            return self._container(job, self._image_id(job)).command_line()

    def run(self, job: Job, on_event: OnEvent, cancelled: threading.Event) -> Outcome:
        """Run the step in a container of its own, which is gone on return."""
        base.write_step(job, container.inside(job))
        with _docker_trouble():
            planned = self._container(job, self._image_id(job))
        listener = base.Listener(job.log, on_event)
        try:
            with _docker_trouble():
                return self._run(planned, listener, cancelled)
        finally:
            listener.close()

    def sweep(self) -> list[str]:
        """Remove the containers of host processes that are gone; return their labels' steps."""
        with _docker_trouble():
            return _sweep(connect())

    @functools.cached_property
    def _api(self) -> APIClient:
        api = connect()
        _sweep(api)  # once for each process that runs steps
        return api

    @functools.cached_property
    def _user(self) -> str:
        return user(self._api.info())

    def _image_id(self, job: Job) -> str:
        found = self.images.find(job.image)
        if found is None:
            raise ImageError(f"the image {job.image} is not built", hint=f"build it: ./run image.build {job.image}")
        return found

    def _container(self, job: Job, image: str) -> container.Container:
        return container.describe(job, image, user=self._user, owner=owner())

    def _run(self, planned: container.Container, listener: base.Listener, cancelled: threading.Event) -> Outcome:
        from coralline.engines.attach import Attachment

        with _created(self._api, planned) as name:
            attachment = Attachment(self._api, name)
            try:
                self._api.start(name)
                attachment.listen(listener, cancelled)
                state = ended(self._api, name, cancelled)
            finally:
                attachment.close()
        listener.close()  # the last line may be the error event
        code = int(state["ExitCode"])
        return base.Outcome(exit_code=code, reason=reason(planned, code, oom=state["OOMKilled"]), error=listener.error)


def user(info: dict[str, Any]) -> str:
    """Return `uid:gid` for containers, so that what they write belongs to the caller.

    Under a daemon without root the caller is root inside its containers, and nowhere else.
    """
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"


def connect() -> APIClient:
    """Return the SDK's client of this machine's daemon."""
    from docker import APIClient

    address = f"unix://{daemon.socket_path()}"
    with _docker_trouble():
        return APIClient(base_url=address, version="auto", timeout=API_TIMEOUT_S)


@contextmanager
def _created(api: APIClient, planned: container.Container) -> Iterator[str]:
    from docker.errors import NotFound

    name = planned.create(api)
    try:
        yield name
    finally:
        with suppress(NotFound):  # somebody else swept it
            api.remove_container(name, force=True)


def ended(api: APIClient, name: str, cancelled: threading.Event) -> dict[str, Any]:
    """Return the container's state once it has ended; a cancelled one is killed."""
    from docker.errors import APIError

    killed = False
    while True:
        state: dict[str, Any] = api.inspect_container(name)["State"]
        if not state["Running"]:
            return state
        if cancelled.is_set() and not killed:
            with suppress(APIError):  # it ended by itself meanwhile
                api.kill(name)
            killed = True
        time.sleep(POLL_S)


def reason(planned: container.Container, code: int, *, oom: bool) -> str | None:
    """Say what is known of a bad end beyond its exit code."""
    if code and oom:
        return f"out of memory: limit {base.gibibytes(planned.memory_bytes)}"
    return "killed" if code == KILLED else None


def _sweep(api: APIClient) -> list[str]:
    from docker.errors import APIError

    removed = []
    for found in api.containers(all=True, filters={"label": container.OWNER_LABEL}):
        labels: Event = found["Labels"]
        if is_gone(labels[container.OWNER_LABEL], running=found["State"] == "running"):
            with suppress(APIError):  # another process sweeps too
                api.remove_container(found["Id"], force=True)
                removed.append(
                    f"{labels.get(container.STAGE_LABEL, '?')} of run {labels.get(container.RUN_LABEL, '?')}"
                )
    return removed


@contextmanager
def _docker_trouble() -> Iterator[None]:
    """Turn what the SDK raises into an EngineError with the daemon's own words."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise EngineError(f"Docker refused: {error.explanation or error}", hint="see the daemon's log") from error
    except (DockerException, requests.RequestException) as error:
        raise EngineError(f"the Docker daemon does not answer: {error}", hint=daemon.START) from error
