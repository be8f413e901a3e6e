"""The words people read: templates per language, rendered without a single fact about the peer."""
