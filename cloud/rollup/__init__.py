"""Rollups: aggregates of readings per series and bucket, by rules that know no disk."""
