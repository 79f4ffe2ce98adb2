"""Everything the package reads: series, priors, evidence, options and analyses; no other room reads inputs."""
