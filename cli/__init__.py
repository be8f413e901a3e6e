"""The `kindred` command: runs the system on one machine and speaks to its services."""
