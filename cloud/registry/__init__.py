"""The registry: who may connect, what people said of series, and the audit trail.

`registry` is what is used: one `file` (its tables are `schema`, brought forward step by step, its
rows `rows`) with `certificates`, `marks`, `verdicts`, `operations` and `people`.
"""
