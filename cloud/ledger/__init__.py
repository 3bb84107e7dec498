"""The ledger: what was expected, stored, archived, and why not."""
