"""Simulated charge-stability diagrams of a double quantum dot: what a charge sensor shows, and where the lines are.

A simulation by the constant-interaction model (van der Wiel et al., Reviews of Modern Physics 75, 1, 2003) and no
measurement. Not included: tunnel coupling, excited states, latching, telegraph noise and a drifting sensor.
"""
