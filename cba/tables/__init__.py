"""Every table of an appraisal, grouped by what it answers; workings in, frames out."""
