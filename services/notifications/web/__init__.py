"""Pages: my inbox and preferences for whoever hears from us; how notices stand for who runs the system."""
