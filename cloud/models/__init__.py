"""Models made from history: `shelf` keeps their packages."""
