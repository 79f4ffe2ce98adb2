"""One appraisal: inputs, fits, workings, the quantities of the headline and the frozen record."""
