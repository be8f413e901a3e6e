"""The named reports: what each asks, the rule it follows, its rows, and the files they leave as."""
