"""All databases at one moment, as files, and back."""
