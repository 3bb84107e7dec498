"""A part of PromQL over history: what Grafana asks most, read strictly, evaluated in columns.

`words` cuts a query into words, which `cursor` reads one by one; `parser` makes a tree of them
(`tree`), `refused` says what there is not and what is nearest. `matchers` pick series by their
labels, which `labels` makes of our names. `steps` are the times of an answer and the windows before
them, `cells` what a series says in each, `evaluate` the whole. All of it is pure: readings come
from an `evaluate.Source`.
"""
