"""Runs tools in a folder, each bounded in time, and keeps everything that they say but how long they took."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

from stages.contract import InputError

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 600
SHOWN = 800  # of what a tool said, in a message
# Where nextpnr 0.4 tells its own times: without them equal work leaves equal bytes.
TIMES = re.compile(r"\b\d+\.\d+s\b|(?<=\|)(?: +\d+\.\d\d){2}(?=\|$)", re.MULTILINE)
VERSIONS = {"ghdl": "--version", "iverilog": "-V", "yosys": "-V"}


@dataclass(frozen=True)
class Tools:
    """The tools, working in `folder`; `said` grows by a line for each command and what it said."""

    folder: Path
    said: List[str] = field(default_factory=list)

    def apart(self, name: str, files: Sequence[str]) -> Tools:
        """Return tools that work in a folder of their own, with copies of some files: beside these and others."""
        folder = self.folder / name
        folder.mkdir()
        for file in files:
            shutil.copyfile(self.folder / file, folder / file)
        return Tools(folder)

    def run(self, *command: str) -> str:
        """Run a tool and return what it said.

        Raises:
            InputError: it is not installed, or took too long.
            RuntimeError: it failed.
        """
        text, code = self.tried(*command)
        if code:
            raise RuntimeError("%s ended with code %d: %s" % (command[0], code, text[-SHOWN:]))
        return text

    def tried(self, *command: str) -> Tuple[str, int]:
        """Run a tool and return what it said with its exit code.

        Raises:
            InputError: it is not installed, or took too long.
        """
        if shutil.which(command[0]) is None:
            raise InputError(
                "%s is not installed in this environment" % command[0],
                "use the synthesise image (--engine docker), or install Debian's packages of docker/synthesise",
            )
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            self._keep(command, error.output or b"")
            raise InputError(
                "%s was not done after %d s" % (command[0], LIMIT_S),
                "give a smaller network (evolve.layers, evolve.fan_in) or fewer vectors (synthesise.vectors)",
            ) from error
        return self._keep(command, done.stdout), done.returncode

    def _keep(self, command: Sequence[str], output: bytes) -> str:
        """Note what a tool said, and return it."""
        text = output.decode("utf-8", "replace")
        self.said.extend(["$ %s" % " ".join(command), TIMES.sub(" -", text.rstrip())])
        return text


def versions(tools: Tools) -> Dict[str, str]:
    """Ask tools for their versions: the first line of what each says."""
    return {name: tools.tried(name, option)[0].strip().splitlines()[0] for name, option in VERSIONS.items()}
