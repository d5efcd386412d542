"""Files of small networks for microcontrollers: C source, and the memory that running them takes."""
