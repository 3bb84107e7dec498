"""The lake: what consolidation makes of the journal, from a pass over blocks to durable tables."""
