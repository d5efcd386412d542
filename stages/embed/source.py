"""A file as C source that C11 and C++11 compilers take: an aligned constant array, its length and a header."""

from __future__ import annotations

import hashlib
from string import Template

PER_LINE = 12
ALIGNMENT = 16  # bytes; TensorFlow Lite for Microcontrollers reads the flatbuffer where it lies

HEADER = Template("""\
#ifndef ${upper}_H
#define ${upper}_H

/* Bytes of all activations by Coralline's plan; the interpreter's own structs and scratch come on top. */
#define ${upper}_ACTIVATION_BYTES ${arena}

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char ${name}[${size}];
extern const unsigned int ${name}_bytes;

#ifdef __cplusplus
}
#endif

#endif
""")
SOURCE = Template("""\
/* A TFLite file of ${size} bytes, written by Coralline.
   SHA-256 ${digest} */
#include "${name}.h"

#ifdef __cplusplus
#define ALIGNED alignas(${alignment})
#else
#define ALIGNED _Alignas(${alignment})
#endif

ALIGNED const unsigned char ${name}[${size}] = {
${bytes}
};
const unsigned int ${name}_bytes = ${size};
""")


def header(name: str, size: int, arena: int) -> str:
    """Return the text of `NAME.h`; `arena` is the planned size of the activations in bytes."""
    return HEADER.substitute(upper=name.upper(), name=name, size=size, arena=arena)


def source(name: str, content: bytes) -> str:
    """Return the text of `NAME.c` with all bytes of the file."""
    digest, size = hashlib.sha256(content).hexdigest(), len(content)
    rows = [content[at : at + PER_LINE] for at in range(0, size, PER_LINE)]
    lines = "\n".join("  %s," % ", ".join("0x%02x" % byte for byte in row) for row in rows)
    return SOURCE.substitute(name=name, size=size, digest=digest, alignment=ALIGNMENT, bytes=lines)
