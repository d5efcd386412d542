"""The benchmark stage: accuracy and latency of one file on one runtime."""
