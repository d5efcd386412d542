"""Why a compilation failed and what to do: the compiler's own words, with a remedy where they are known.

Sources of the texts: public issues of google-coral/edgetpu, numbers beside them.
"""

from __future__ import annotations

from typing import Sequence

from stages.contract import InputError

# Failures for which the model is the reason, in the order in which they are looked for.
REMEDIES = (
    ("Compilation timeout", "give it longer with compile.timeout_s, or use smaller inputs"),  # 686
    ("large activation tensors", "use smaller inputs: an activation does not fit on the chip"),  # 439, 557
    ("dynamic-sized tensors", "convert with a batch of exactly one image"),  # 586, 829
    ("Didn't find op for builtin opcode", "convert with TensorFlow 2.15 or older, or change the layer"),  # 631, 845
    ("Op builtin_code out of range", "replace the layer: its operator is newer than the compiler"),
    ("unresolved custom op", "cut the network before the custom operator"),
    ("no_integer_overflow_from_quantization", "calibrate with more images: a weight's scale is too small"),  # 453
    ("Model not quantized", "compile a recipe that quantises all tensors, such as ptq-int8"),  # 168, 313
)
MOST_LINES = 5
NO_REASON = "it gave no reason"


class CompilerError(RuntimeError):
    """The compiler failed and the model is not known to be the reason."""


def failure(reasons: Sequence[str], code: object) -> Exception:
    """Make the exception for a failed run: `InputError` where the model is the reason."""
    words = quote(reasons)
    for text, remedy in REMEDIES:
        if text in " ".join(reasons):
            return InputError("the Edge TPU compiler refuses the model: %s" % words, remedy)
    ended = "was ended after its time limit" if code is None else "ended with exit code %s" % code
    return CompilerError("the Edge TPU compiler %s: %s" % (ended, words))


def quote(reasons: Sequence[str]) -> str:
    """Quote the compiler's words, the last ones where there are many."""
    return " / ".join(reasons[-MOST_LINES:]) or NO_REASON
