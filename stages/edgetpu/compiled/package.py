"""A DarwiNN package: what the compiler made of one partition of a graph, for one chip.

Field numbers are those of google-coral/libedgetpu, executable/executable.fbs, tables Package and MultiExecutable.
Packages for several chips at once, which the runtime refuses, are told by their `virtual_chip_id` and not read further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from stages.edgetpu.compiled.executable import (
    EXECUTION_ONLY,
    PARAMETER_CACHING,
    STAND_ALONE,
    Executable,
    read_executable,
)
from stages.tflite.flat import INT32, Buffer, MalformedFile, reading


@dataclass(frozen=True)
class Package:
    """One package; `compiler_version` is the compiler's internal one and not the number that the user knows.

    `size_bytes` includes the padding to whole pages.
    """

    identifier: str
    min_runtime_version: int
    compiler_version: str
    virtual_chip_id: int
    model_identifier: str
    size_bytes: int
    executables: Tuple[Executable, ...]

    @property
    def running(self) -> Executable:
        """The program that the runtime runs: of one the only one, whatever its type, of three the stand-alone one.

        So libedgetpu chooses, in driver/package_registry.cc.

        Raises:
            MalformedFile: there is none.
        """
        if len(self.executables) == 1:
            return self.executables[0]
        wanted = EXECUTION_ONLY if len(self.executables) == 2 else STAND_ALONE
        chosen = self._of_type(wanted)
        if chosen is None:
            what = "no executable that runs among %d, for virtual chip %d"
            raise MalformedFile(what % (len(self.executables), self.virtual_chip_id))
        return chosen

    @property
    def caching(self) -> Optional[Executable]:
        """The program that loads parameters into the chip once, used only beside one that relies on it."""
        return self._of_type(PARAMETER_CACHING) if len(self.executables) == 2 else None

    def _of_type(self, wanted: int) -> Optional[Executable]:
        return next((each for each in self.executables if each.type == wanted), None)


def read_package(buffer: Buffer) -> Package:
    """Read one package.

    Raises:
        MalformedFile: it is damaged; the message says in which executable.
    """
    root = buffer.root()
    return Package(
        identifier=bytes(buffer.part(4, 4).content).decode("ascii", "replace"),
        min_runtime_version=root.number(0, INT32, 0),
        compiler_version=root.text(4),
        virtual_chip_id=root.number(5, INT32, 0),
        model_identifier=root.text(7),
        size_bytes=len(buffer.content),
        executables=_read_executables(root.part(1)),
    )


def _read_executables(buffer: Buffer) -> Tuple[Executable, ...]:
    """Read the programs in a package, none when it has no room for them."""
    if not len(buffer.content):
        return ()
    found = []
    for index, part in enumerate(buffer.root().parts(0)):
        with reading("executable %d" % index):
            found.append(read_executable(part))
    return tuple(found)
