"""The appraisal as a workbook: every table on a sheet of its own."""
