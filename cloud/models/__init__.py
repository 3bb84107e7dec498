"""Models made from history."""
