"""Reading TFLite files without TensorFlow."""
