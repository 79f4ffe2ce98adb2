"""Beliefs other than the evidence as it stands: mixtures, the review taken at its word, the priors alone."""
