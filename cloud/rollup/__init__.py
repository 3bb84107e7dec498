"""Rollups: aggregates of readings per series and bucket, by rules that know no disk.

`partials` are made so that any split of the readings merges to the same; beside their numbers they
have lists: `bins` of values (`quantiles` are told from them) and `states`, laid out by `ragged`.
`time` is what a series did over time, `rows` the columns of all of it.
"""
