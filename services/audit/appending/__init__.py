"""Appending to the log: one sequencer for each, and the next log when a quarter is over."""
