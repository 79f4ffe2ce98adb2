"""Kinds of effect: what money buys, how it changes starts, stays, exits, placements and prices; one file each.

Effects are data (`[[effect]]` of an option, ``priors/interventions.toml``); a kind is the only thing that
needs Python.
"""
