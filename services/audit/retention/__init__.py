"""What ends: a person's entries when their keys are destroyed, and whole periods when their time is over."""
