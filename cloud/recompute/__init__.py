"""Days recomputed from the journal: compared with the tables, or put right."""
