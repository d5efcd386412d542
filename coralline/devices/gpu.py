"""NVIDIA GPUs of this host, as far as their driver's files tell of them."""

from __future__ import annotations

from pathlib import Path


def trouble(root: Path = Path("/")) -> str | None:
    """Say why there is no GPU to use, or None."""
    if (root / "dev/nvidia0").exists() and (root / "dev/nvidiactl").exists():
        return None
    return "no NVIDIA GPU (looked for /dev/nvidia0 and /dev/nvidiactl)"


def identity(root: Path = Path("/")) -> str:
    """Return what the driver says of itself and of its cards; empty without one."""
    cards = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    return "".join(_text(path) for path in (root / "proc/driver/nvidia/version", *cards))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""
