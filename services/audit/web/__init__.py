"""The compliance console: search, timelines, reports, reviews and the log's health, in English and Spanish."""
