"""Everything the package reads: published series, priors, evidence, options and analyses; nothing else reads inputs."""
