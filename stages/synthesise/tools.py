"""Runs one tool after the other in a folder, each bounded in time, everything they say kept in one log."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Sequence, Tuple

from stages.contract import InputError

LIMIT_S = 600
SHOWN = 800  # of what a tool said, in a message
VERSIONS = {
    "ghdl": ("ghdl", "--version"),
    "iverilog": ("iverilog", "-V"),
    "yosys": ("yosys", "-V"),
    "nextpnr-ice40": ("nextpnr-ice40", "--version"),
}


@dataclass(frozen=True)
class Tools:
    """The tools, working in `folder`; what they say goes to the file `log`."""

    folder: Path
    log: Path

    def run(self, *command: str) -> str:
        """Run a tool and return what it said.

        Raises:
            RuntimeError: it failed.
        """
        text, code = self.tried(command)
        if code:
            raise RuntimeError("%s ended with code %d: %s" % (command[0], code, text[-SHOWN:]))
        return text

    def tried(self, command: Sequence[str]) -> Tuple[str, int]:
        """Run a tool and return what it said with its exit code."""
        program = shutil.which(command[0])
        if program is None:
            raise InputError(
                "%s is not installed in this environment" % command[0], "use the synthesise image: --engine docker"
            )
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        text = done.stdout.decode("utf-8", "replace")
        with self.log.open("a", encoding="utf-8") as file:
            file.write("$ %s\n%s\n" % (" ".join(command), text.rstrip()))
        return text, done.returncode

    def versions(self) -> Dict[str, str]:
        """Ask every tool for its version: the first line of what it says."""
        return {name: self.tried(command)[0].strip().splitlines()[0] for name, command in VERSIONS.items()}
