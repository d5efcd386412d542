"""Opens a stick so that libedgetpu loads its firmware, and ends: `python -m stages.benchmark.wake usb:0`."""

from __future__ import annotations

import sys

from tflite_runtime.interpreter import load_delegate

from stages.benchmark.edgetpu import LIBRARY

if __name__ == "__main__":
    load_delegate(LIBRARY, {"device": sys.argv[1]})
