"""The contract between edge and cloud: the sync service, the block codec, limits, golden vectors."""
