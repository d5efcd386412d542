"""The paper's tables and figures from our own measurements, next to its values."""
