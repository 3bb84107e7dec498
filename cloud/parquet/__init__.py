"""Parquet as bytes: pages read alone, and forms written that no library writes."""
