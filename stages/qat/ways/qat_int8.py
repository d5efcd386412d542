"""qat-int8's way: the int8 file itself is simulated, and learns from what the float network says."""

from __future__ import annotations

from stages.qat.distilled import Distilled

WAY = Distilled
