"""The compile stage: a quantised TFLite file becomes one for the Edge TPU."""
