"""Questions to history: planned, read from tables and tail, joined at the watermark."""
