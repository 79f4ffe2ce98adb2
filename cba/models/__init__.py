"""Models fitted to the inputs: business as usual and the effects; the only room that imports PyMC."""
