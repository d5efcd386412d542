"""The Docker client that can build here, and its builds: logged, with the reason when one fails.

The SDK drives only the old builder (docker/docker-py#2230), so images are built by the client on PATH.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coralline import daemon
from coralline.errors import EngineError, ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CREDENTIALS = re.compile(r"//[^/@\s]*@")  # in the address of an index or a proxy; a log must not keep them
TAIL = 200  # lines in which the reason of a failure is looked for
BLOCKED = "coralline-blocked: "  # as docker/fetch.py says it
NETWORK = re.compile(
    r"Temporary failure in name resolution|Temporary failure resolving|Name or service not known|no such host|"
    r"Could not resolve|Network is unreachable|NewConnectionError|ConnectTimeoutError|i/o timeout|Connection timed out|"
    r"Failed to establish a new connection|Could not connect to"
)
CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate signed by unknown authority")
PREFIX = re.compile(r"^#\d+ (?:\d+\.\d+ )?")  # BuildKit's step number and seconds
REPEATED = re.compile(r"executor failed running|did not complete successfully|returned a non-zero code|^-+$|^ ?> \[|^>")
NOISE = re.compile(r"^(?:DONE|CACHED|sha256:|transferring|extracting|naming to|exporting|writing|-+>|\s*$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A Docker client and the builder that it can use: `buildx`, `buildkit` (inside the daemon) or `classic`."""

    program: str
    builder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One build: `context` holds all that the Dockerfile copies, `passed` names variables of ours that it is given."""

    name: str
    context: Path
    dockerfile: Path
    tag: str
    arguments: dict[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    fresh: bool = False


def build(wanted: Build, log: Path, on_line: Callable[[str], None]) -> str:
    """Build an image and return its id; `on_line` gets what the builder says, `log` all of it.

    Raises:
        ImageError: it cannot be built: why, and what to do.
        EngineError: there is no Docker client.
    """
    with_id = log.with_suffix(".iid")
    with_id.unlink(missing_ok=True)
    chosen = client()
    lines = run(_command(chosen, wanted, with_id), log, on_line, builder=chosen.builder)
    if lines is not None:
        raise failure(f"the image {wanted.name}", lines, log)
    image_id = with_id.read_text(encoding="ascii").strip()
    with_id.unlink()
    return image_id


def run(
    command: list[str],
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    *,
    builder: str = "classic",
    limit_s: float | None = None,
) -> list[str] | None:
    """Run a command with its output in `log`; return None when it succeeds, else its last lines.

    An exception, such as Ctrl-C or one that `on_line` raises, ends the command; so does `limit_s`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    last: deque[str] = deque(maxlen=TAIL)
    with (
        log.open("ab") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(builder),
        ) as process,
    ):
        file.write(f"> {CREDENTIALS.sub('//', shlex.join(command))}\n".encode())
        watch = threading.Timer(limit_s or 0, process.kill)
        try:
            if limit_s is not None:
                watch.start()
            for line in _lines(process):
                file.write(line)
                last.append(line.decode("utf-8", "replace").rstrip())
                _tell(last[-1], on_line)
        except BaseException:
            process.kill()
            raise
        finally:
            watch.cancel()
    return None if process.returncode == 0 else [*last]


def environment(builder: str = "classic") -> dict[str, str]:
    """Return the variables for the client: the daemon that the engine uses, the builder that was chosen."""
    ours = {
        "DOCKER_HOST": f"unix://{daemon.socket_path()}",
        "DOCKER_BUILDKIT": "0" if builder == "classic" else "1",
        "BUILDKIT_PROGRESS": "plain",
    }
    return {name: value for name, value in os.environ.items() if name != "DOCKER_CONTEXT"} | ours


@functools.cache
def client() -> Client:
    """Choose the client: with buildx, else one whose daemon-side BuildKit works without it, else the old builder.

    Raises:
        EngineError: no Docker client is on PATH.
    """
    programs = list(_on_path("docker"))
    if not programs:
        raise EngineError(
            "no Docker client on PATH", hint="install one (Debian: docker.io), or choose `--engine local`"
        )
    found = [Client(program=program, builder=_builder_of(program)) for program in programs]
    return min(found, key=lambda known: ("buildx", "buildkit", "classic").index(known.builder))


def failure(what: str, lines: list[str], log: Path) -> ImageError:
    """Say why a build failed, from its last lines, and what to do."""
    text = "\n".join(lines)
    if (start := text.rfind(BLOCKED)) >= 0:
        return ImageError(text[start + len(BLOCKED) :].splitlines()[0], hint=f"see {log}; try again: ./run image.build")
    for pattern, reason, hint in _known_reasons():
        if pattern.search(text):
            return ImageError(f"{what} cannot be built: {reason}", hint=f"{hint}; the log is {log}")
    return ImageError(f"{what} cannot be built: {_last_words(lines)}", hint=f"the log is {log}")


def _last_words(lines: list[str]) -> str:
    """Return the line that most likely says why: builders repeat the failed command after it, in words of their own."""
    said = [PREFIX.sub("", line) for line in lines if line.strip() and not REPEATED.search(line)]
    telling = [line for line in said if re.search(r"error|not found|E:", line, re.IGNORECASE)]
    return next(reversed(telling or said or ["no reason given"]))


def _known_reasons() -> list[tuple[re.Pattern[str], str, str]]:
    return [
        (
            re.compile(r"DO NOT MATCH THE HASHES"),
            "a package is not the one that the lock pins",
            "check the package index that is used (PIP_INDEX_URL), or refresh the lock: ./run image.lock",
        ),
        (
            re.compile(r"[Nn]o space left on device"),
            "no space left on the disk",
            "free some: docker system df shows what images take",
        ),
        (CERTIFICATE, "a server's certificate is not trusted", "set SSL_CERT_FILE to the bundle of your authorities"),
        (NETWORK, "no network", "connect this machine, or set PIP_INDEX_URL to an index that it reaches"),
        (
            re.compile(r"mmdebstrap is not installed"),
            "no container registry answers, and mmdebstrap is not installed",
            "install mmdebstrap, or bring the images from where a registry answers: ./run pack --images",
        ),
        (re.compile(r"No matching distribution"), "a locked package is not on the index", "check PIP_INDEX_URL"),
    ]


def _command(chosen: Client, wanted: Build, with_id: Path) -> list[str]:
    command = [
        chosen.program,
        *(("buildx", "build", "--builder", "default", "--load") if chosen.builder == "buildx" else ("build",)),
    ]
    command += ["--file", os.fspath(wanted.dockerfile), "--tag", wanted.tag, "--iidfile", os.fspath(with_id)]
    for name, value in wanted.arguments.items():
        command += ["--build-arg", f"{name}={value}"]
    for name in wanted.passed:  # without its value: every user of this machine sees the words of a process
        command += ["--build-arg", name]
    for name, value in wanted.labels.items():
        command += ["--label", f"{name}={value}"]
    return [*command, *(["--no-cache"] if wanted.fresh else []), os.fspath(wanted.context)]


def _on_path(name: str) -> Iterator[str]:
    for folder in dict.fromkeys(os.environ.get("PATH", "").split(os.pathsep)):
        found = shutil.which(name, path=folder) if folder else None
        if found is not None:
            yield found


def _builder_of(program: str) -> str:
    if _says(program, "buildx", "version") is not None:
        return "buildx"
    version = _says(program, "version", "--format", "{{.Client.Version}}") or ""
    major = version.split(".")[0]
    # From 23 on the client builds with BuildKit only through buildx.
    return "buildkit" if major.isdigit() and int(major) < 23 else "classic"


def _says(*command: str) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)
    return done.stdout.strip() if done.returncode == 0 else None


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    return iter(process.stdout)


def _tell(line: str, on_line: Callable[[str], None]) -> None:
    words = PREFIX.sub("", line)
    if not NOISE.match(words):
        on_line(words)
