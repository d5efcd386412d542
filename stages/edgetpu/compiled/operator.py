"""What a TFLite file gives to an operator that runs on the Edge TPU: a map with the packages in it.

Keys: google-coral/libedgetpu, tflite/custom_op_data.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from stages.edgetpu.compiled.package import Package, read_package
from stages.tflite.flat import Buffer, MalformedFile, reading
from stages.tflite.flex import Value, read_map

CUSTOM_CODE = "edgetpu-custom-op"
VERSION, CACHING, PACKAGE, PREFERENCE, CHIPS, FURTHER = "1", "3", "4", "5", "6", "7"


@dataclass(frozen=True)
class CustomOperator:
    """One operator for the Edge TPU; the runtime runs its first package and knows no file with more.

    `chip_codes` is None where the file, an old one, has no such list; so are `version` and `preference`.
    """

    keys: Tuple[str, ...]
    version: Optional[int]
    preference: Optional[int]
    chip_codes: Optional[Tuple[int, ...]]
    packages: Tuple[Package, ...]

    @property
    def package(self) -> Package:
        """The package that runs."""
        return self.packages[0]


def read_custom_operator(payload: Buffer) -> CustomOperator:
    """Read what the operator was given.

    Raises:
        MalformedFile: it is damaged; the message says where.
    """
    values = read_map(payload)
    packages = []
    for index, part in enumerate(_package_parts(values)):
        with reading("package %d" % index):
            packages.append(read_package(part))
    return CustomOperator(
        keys=tuple(values),
        version=_number(values, VERSION),
        preference=_number(values, PREFERENCE),
        chip_codes=_chip_codes(values),
        packages=tuple(packages),
    )


def _package_parts(values: Dict[str, Value]) -> List[Buffer]:
    """Find the bytes of all packages: the first has a key of its own."""
    first, further = values.get(PACKAGE), values.get(FURTHER, ())
    if not isinstance(first, Buffer):
        raise MalformedFile("no package under the key %r" % PACKAGE)
    parts = [first, *(further if isinstance(further, tuple) else (further,))]
    strings = [part for part in parts if isinstance(part, Buffer)]
    if len(strings) < len(parts):
        raise MalformedFile("the key %r holds something that is no package" % FURTHER)
    return strings


def _chip_codes(values: Dict[str, Value]) -> Optional[Tuple[int, ...]]:
    codes = values.get(CHIPS)
    if codes is None:
        return None
    numbers = tuple(code for code in codes if isinstance(code, int)) if isinstance(codes, tuple) else ()
    if not isinstance(codes, tuple) or len(numbers) < len(codes):
        raise MalformedFile("the key %r holds something that is no list of chips" % CHIPS)
    return numbers


def _number(values: Dict[str, Value], key: str) -> Optional[int]:
    value = values.get(key)
    return value if isinstance(value, int) else None
