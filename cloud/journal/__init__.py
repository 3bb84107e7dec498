"""The journal: the contract every journal keeps, the rules of delivery, and the one of SQLite."""
