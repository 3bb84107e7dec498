"""Taking blocks in: the Sync service, its streams, and who may speak to it."""
