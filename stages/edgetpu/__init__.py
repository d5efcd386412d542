"""What is known of the Edge TPU, its compiler and its files; standard library only."""
