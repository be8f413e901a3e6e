"""What Kindred says of other people's files, and which rule says so: one judgement for the report and for the test."""
