"""Runs: executed, stored whole or not at all, fingerprinted, found again and checked for damage."""
