"""What is sealed and under which key: bodies, entries, and the keys of people."""
