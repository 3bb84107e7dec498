"""The live view: what the journal holds beyond the tables, and who listens to it."""
