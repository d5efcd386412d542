"""Edge TPU sticks and GPUs of this host, read from sysfs and device files; no library, no root."""

from __future__ import annotations

from pathlib import Path

# USB identities of the Edge TPU: Global Unichip before its firmware is loaded, Google after (coral.ai, "Get started
# with the USB Accelerator"; google-coral/edgetpu issue 536).
EDGETPU_IDENTITIES = {("1a6e", "089a"), ("18d1", "9302")}


def missing(need: str, root: Path = Path("/")) -> str | None:
    """Say why the device that a variant `needs` is not there, or None when it is. `root` is the tree to look in."""
    return {"edgetpu": _no_edgetpu, "gpu": _no_gpu}[need](root)


def identity(need: str | None, root: Path = Path("/")) -> str:
    """Return what distinguishes the device that is measured: the GPUs and their driver, or the sticks' bus speed."""
    if need == "gpu":
        cards = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
        return "".join(_text(path) for path in (root / "proc/driver/nvidia/version", *cards))
    if need == "edgetpu":
        return " ".join(sorted(_word(device / "speed") for device in _edgetpus(root)))
    return ""


def remedy(need: str, *, present: bool = False) -> str:
    """Say what to do about a missing device, or about a `present` one that cannot be used."""
    if present:
        return "mend that, or leave --edgetpu or --gpus away to go on without it"
    return {
        "edgetpu": "plug the accelerator into a USB 3 port, or leave --edgetpu away to go on without it",
        "gpu": "install the NVIDIA driver and container toolkit, or leave --gpus away to use the CPU",
    }[need]


def _no_edgetpu(root: Path) -> str | None:
    if _edgetpus(root):
        return None
    return "no Edge TPU on USB (looked for 1a6e:089a and 18d1:9302)"


def _edgetpus(root: Path) -> list[Path]:
    found = (root / "sys/bus/usb/devices").glob("*")
    return [
        device for device in found if (_word(device / "idVendor"), _word(device / "idProduct")) in EDGETPU_IDENTITIES
    ]


def _no_gpu(root: Path) -> str | None:
    if (root / "dev/nvidia0").exists() and (root / "dev/nvidiactl").exists():
        return None
    return "no NVIDIA GPU (looked for /dev/nvidia0 and /dev/nvidiactl)"


def _word(path: Path) -> str:
    return _text(path).strip().lower()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
