"""Retention: how long history is kept by rule, how it leaves, and what is told of it then."""
