"""A service of its own that copies the floor plan of chassis/README.md; the doors' contract tests run it."""
