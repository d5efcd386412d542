"""TensorFlow set up for a quantisation-aware training, as for a float one but for what a GPU cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.train import runtime

if TYPE_CHECKING:
    from stages.contract import Step
    from stages.qat.settings import Settings

UNREPEATABLE = (
    "TensorFlow has no repeatable gradient of simulated quantisation on a GPU: another training gives other weights"
)


def configure(step: Step, settings: Settings) -> None:
    """Fix threads, device and seeds, and on a processor the order of additions; call once, before any TensorFlow."""
    runtime.configure(settings.device, step.threads, settings.seed)
    if settings.device == "gpu":
        _allow_any_order()
        step.warning(UNREPEATABLE)


def _allow_any_order() -> None:
    """Without it the gradient is refused (OpDeterminismRequired in tensorflow/core/kernels/fake_quant_ops.cc)."""
    from tensorflow.python.framework.config import disable_op_determinism  # no public name in TensorFlow 2.15

    disable_op_determinism()
