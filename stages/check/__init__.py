"""The check stage: what the Edge TPU would make of an int8 file, known without compiler and stick."""
