"""Roles in processes of their own: what crosses the borders, and who starts and ends them.

The process that an operator starts takes blocks in, writes the journal and answers; it is the
`consolidation` role's parent where `roles.consolidation` says so. `wire` is what both say, on one
socket that dies with either; `keeper` is the parent's side, `consolidator` the child's program.
"""
