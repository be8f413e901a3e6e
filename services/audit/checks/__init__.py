"""The check of the whole log, part by part, and its schedule."""
