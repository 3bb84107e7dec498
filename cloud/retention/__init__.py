"""Retention: how long history is kept by rule, how it leaves, and what is told of it then.

`rules` decide of series and rows, `removal` takes due rows out of tables, `retired` remembers how
many went, `preview` is the command: what would go, or that it goes.
"""
