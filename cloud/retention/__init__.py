"""Retention: how history leaves, by rule or by order, and what is told of it then.

`rules` decide of series and rows, `removal` takes due rows out of tables, `retired` remembers how
many went, `preview` is the command: what would go, or that it goes. An `order` is given and counted
by `erasure` and carried out by `erase`; `spare` keeps what it took from coming back, and `rewrite`
writes a file without some of its rows.
"""
