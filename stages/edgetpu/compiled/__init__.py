"""Reading what the compiler writes: the packages inside a compiled file."""
