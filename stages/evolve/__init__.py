"""Makes a network of lookup tables: a gradient finds a start, a genetic algorithm the wiring that hardware can have."""
