"""The qat stage: the weights of a trained network are trained on while int8 is simulated."""
