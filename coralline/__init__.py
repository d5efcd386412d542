"""Host side: what to make, from what, and where. Never imports TensorFlow, NumPy or the code of a stage."""

__version__ = "0.1.0"
