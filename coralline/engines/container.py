"""What the container of a step is: its mounts, limits, user and labels, for the SDK and as a command line.

Pure: looks at the host where it must (user, USB bus), starts nothing.
"""

from __future__ import annotations

import csv
import io
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coralline.engines.base import Job, Places, environment, step_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

CODE = Path("/coralline")
STEP = Path("/step.json")
PIDS = 4096  # TensorFlow takes a few threads for each processor; a fork bomb stops here
SHARED_MEMORY_BYTES = 256 << 20
USB = Path("/dev/bus/usb")
# An Edge TPU leaves the bus and comes back under another number at its first use, so a single device node is not
# enough: the whole bus is bound and major 189 (USB) allowed. https://github.com/google-coral/edgetpu/issues/143
USB_RULE = "c 189:* rmw"
RUN_LABEL, STAGE_LABEL, KEY_LABEL = "coralline.run", "coralline.stage", "coralline.key"
OWNER_LABEL = "coralline.owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """One folder or file of the host, or a volume of the daemon, inside the container."""

    source: Path
    target: Path
    writable: bool = False
    volume: bool = False

    @property
    def kind(self) -> Literal["bind", "volume"]:
        """What the daemon calls it."""
        return "volume" if self.volume else "bind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One step's container. Without network, capabilities or a writable root; `user` is `uid:gid`."""

    image: str
    command: tuple[str, ...]
    user: str
    binds: tuple[Bind, ...]
    variables: dict[str, str]
    memory_bytes: int
    labels: dict[str, str] = field(default_factory=dict)
    groups: tuple[int, ...] = ()
    gpu: bool = False
    usb: bool = False

    @property
    def scratch(self) -> str:
        """Options of the scratch folder: it lives in memory and counts as the step's own."""
        return f"rw,noexec,nosuid,nodev,mode=1777,size={self.memory_bytes // 4}"

    def create(self, api: APIClient) -> str:
        """Create the container through the SDK, with standard input held open for one client; return its id."""
        created = api.create_container(
            self.image,
            list(self.command),
            user=self.user,
            environment=self.variables,
            labels=self.labels,
            stdin_open=True,  # and closed by the daemon as soon as we are gone: the leash of stages/contract.py
            working_dir="/",
            host_config=self._host_config(api),
        )
        return str(created["Id"])

    def _host_config(self, api: APIClient) -> Any:
        from docker.types import DeviceRequest, LogConfig, Mount

        return api.create_host_config(
            mounts=[
                Mount(str(b.target), str(b.source), type=b.kind, read_only=not b.writable, no_copy=b.volume)
                for b in self.binds
            ],
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=PIDS,
            mem_limit=self.memory_bytes,
            memswap_limit=self.memory_bytes,  # memory and swap together: no swap
            shm_size=SHARED_MEMORY_BYTES,
            tmpfs={"/tmp": self.scratch},  # noqa: S108 - inside the container
            init=True,
            log_config=LogConfig(type="none"),  # the output comes to us as it is printed; no second copy on disk
            group_add=[str(group) for group in self.groups],
            device_requests=[DeviceRequest(count=-1, capabilities=[["gpu"]])] if self.gpu else None,
            device_cgroup_rules=[USB_RULE] if self.usb else None,
        )

    def command_line(self) -> str:
        """Return the shell command that does the same by hand."""
        folders = [str(bind.source) for bind in self.binds if bind.writable]  # a failed step's are gone
        run = ["docker", "run", "--rm", *self._options(), self.image, *self.command]
        return f"mkdir -p {shlex.join(folders)} && {shlex.join(run)}"

    def _options(self) -> Iterator[str]:
        yield from ("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        yield from ("--pids-limit", str(PIDS), "--init", "--user", self.user, "--workdir", "/")
        yield from ("--memory", str(self.memory_bytes), "--memory-swap", str(self.memory_bytes))
        yield from ("--shm-size", str(SHARED_MEMORY_BYTES), "--tmpfs", f"/tmp:{self.scratch}")  # noqa: S108 - inside the container
        for group in self.groups:
            yield from ("--group-add", str(group))
        if self.gpu:
            yield from ("--gpus", "all")
        if self.usb:
            yield from ("--device-cgroup-rule", USB_RULE)
        for name, value in self.variables.items():
            if name != "CORALLINE_LEASH":  # by hand nobody holds the other end
                yield from ("--env", f"{name}={value}")
        for bind in self.binds:
            mode = () if bind.writable else ("readonly",)
            yield from ("--mount", _csv("type=bind", f"source={bind.source}", f"target={bind.target}", *mode))


def _csv(*fields: str) -> str:
    """Write fields as `--mount` reads them: a comma, as in the label of a step of a sweep, needs quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def describe(job: Job, image: str, *, user: str, owner: str) -> Container:
    """Return the container for a job; `owner` is who may remove it."""
    usb = "edgetpu" in job.devices and USB.is_dir()
    return confined(
        job,
        image,
        binds=tuple(_binds(job, usb=usb)),
        user=user,
        labels={OWNER_LABEL: owner},
        groups=tuple(sorted(os.getgroups())) if usb else (),  # the stick's nodes belong to a group, often plugdev
        usb=usb,
    )


def confined(
    job: Job,
    image: str,
    *,
    binds: tuple[Bind, ...],
    user: str,
    labels: dict[str, str],
    step: Path = STEP,
    groups: tuple[int, ...] = (),
    usb: bool = False,
) -> Container:
    """Return a container that runs the job's stage on what `binds` gives it; `step` is its step.json inside."""
    return Container(
        image=image,
        command=("python3", "-m", f"stages.{job.stage}"),
        user=user,
        binds=binds,
        variables={
            **environment(job),
            "CORALLINE_STEP": str(step),
            "HOME": "/tmp",  # noqa: S108 - inside the container, the only place to write but /out
            "USER": "coralline",  # libraries ask for the name of a user that the image does not know
        },
        memory_bytes=job.memory_bytes,
        labels={RUN_LABEL: job.run_id, STAGE_LABEL: job.stage, KEY_LABEL: job.key, **labels},
        groups=groups,
        gpu="gpu" in job.devices,
        usb=usb,
    )


def inside(job: Job) -> Places:
    """Return where the step sees its folders."""
    return Places(
        inputs={name: Path("/in") / name for name in job.inputs},
        out=Path("/out"),
        partial=None if job.partial is None else Path("/partial"),
    )


def _binds(job: Job, *, usb: bool) -> Iterator[Bind]:
    seen = inside(job)
    yield Bind(source=job.code.absolute() / "stages", target=CODE / "stages")
    yield Bind(source=step_path(job).absolute(), target=STEP)
    for name, place in job.inputs.items():
        yield Bind(source=place.absolute(), target=seen.inputs[name])
    yield Bind(source=job.out.absolute(), target=seen.out, writable=True)
    if job.partial is not None and seen.partial is not None:
        yield Bind(source=job.partial.absolute(), target=seen.partial, writable=True)
    if usb:
        yield Bind(source=USB, target=USB, writable=True)
