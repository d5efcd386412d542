"""qat-int4's way: as qat-int8's, with the weights of 1x1 convolutions on steps of four bits whose sizes are learnt."""

from __future__ import annotations

from stages.qat.few_bits import FewBits


class FourBits(FewBits):
    """A student with weights of four bits where the file can have them."""

    bits = 4


WAY = FourBits
