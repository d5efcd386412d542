"""The parity stage: how far the runtimes agree that should agree on one int8 file."""
