"""Takes a network of lookup tables to hardware: VHDL, proof that it answers as Python does, area and delay."""
