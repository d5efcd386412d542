"""Edge TPU sticks and GPUs of this host, read from sysfs and device files; no library, no root."""

from __future__ import annotations

from pathlib import Path

# USB identities of the Edge TPU: Global Unichip before its firmware is loaded, Google after (coral.ai, "Get started
# with the USB Accelerator"; google-coral/edgetpu issue 536).
EDGETPU_IDENTITIES = {("1a6e", "089a"), ("18d1", "9302")}


def missing(need: str, root: Path = Path("/")) -> str | None:
    """Say why the device that a variant `needs` is not there, or None when it is. `root` is the tree to look in."""
    return {"edgetpu": _no_edgetpu, "gpu": _no_gpu}[need](root)


def remedy(need: str) -> str:
    """Say what to do about a missing device."""
    return {
        "edgetpu": "plug the accelerator into a USB 3 port, or leave --edgetpu away to go on without it",
        "gpu": "install the NVIDIA driver and container toolkit, or leave --gpus away to use the CPU",
    }[need]


def _no_edgetpu(root: Path) -> str | None:
    for device in (root / "sys/bus/usb/devices").glob("*"):
        identity = (_word(device / "idVendor"), _word(device / "idProduct"))
        if identity in EDGETPU_IDENTITIES:
            return None
    return "no Edge TPU on USB (looked for 1a6e:089a and 18d1:9302)"


def _no_gpu(root: Path) -> str | None:
    if (root / "dev/nvidia0").exists() and (root / "dev/nvidiactl").exists():
        return None
    return "no NVIDIA GPU (looked for /dev/nvidia0 and /dev/nvidiactl)"


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip().lower()
    except (OSError, UnicodeDecodeError):
        return ""
