"""Reporting: appraisals of a run as one HTML page, figures for a notebook, and a result card.

Nothing here computes a result: what is shown is looked up in the appraisal, rounded and put into words.
"""
