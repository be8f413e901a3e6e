"""Matching's rules: who may come, who first and why, and the life of an offer; standard library only."""
