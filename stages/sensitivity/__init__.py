"""The sensitivity stage: what each layer of a network costs at few bits."""
