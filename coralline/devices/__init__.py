"""Edge TPU sticks and GPUs of this host, read from sysfs and device files; no library, no root."""

from __future__ import annotations

from pathlib import Path

from coralline.devices import edgetpu, gpu


def missing(need: str, root: Path = Path("/")) -> str | None:
    """Say why the device that a variant `needs` is not there or closed to this user, or None when it can be used.

    `root` is the tree to look in.
    """
    return {"edgetpu": edgetpu.trouble, "gpu": gpu.trouble}[need](root)


def identity(need: str | None, root: Path = Path("/")) -> str:
    """Return what distinguishes the device that is measured: the GPUs and their driver, or the stick's bus speed."""
    if need == "gpu":
        return gpu.identity(root)
    return edgetpu.identity(root) if need == "edgetpu" else ""


def remedy(need: str, *, present: bool = False, root: Path = Path("/")) -> str:
    """Say what to do about a missing or closed device, or about a `present` one that cannot be used."""
    if present:
        return "mend that, or leave --edgetpu or --gpus away to go on without it"
    if need == "gpu":
        return "install the NVIDIA driver and container toolkit, or leave --gpus away to use the CPU"
    return f"{edgetpu.remedy(root)}, or leave --edgetpu away to go on without it"
