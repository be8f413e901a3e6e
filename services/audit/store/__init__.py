"""What audit keeps in MongoDB: entries, rows, tiles and heads of each log, and what officers keep beside them."""
