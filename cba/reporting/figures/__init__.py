"""Figures of the report, grouped by what they show."""
