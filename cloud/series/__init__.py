"""Series as people see them: operations that join stored ones, units, marks."""
