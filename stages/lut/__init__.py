"""Networks whose neuron is one lookup table: what they are, how they are kept in a file, and what they answer."""
