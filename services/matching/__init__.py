"""Matching: who has walked the same road, and who of them comes."""
