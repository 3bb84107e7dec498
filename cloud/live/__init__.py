"""The live view: what the journal holds beyond the tables, and who listens to it.

The way of a block: `step` decodes the next ones of the journal into a batch of the `tail`, whose
rows are kept encoded (`packed`, `packed_join`); `live` joins that with the tables at one offset,
and `view` is one such moment, as a query holds it. `series` is the book of all series with their
counts and latest readings, `joined` the same as operations joined them, and `catalogue` finds among
them by name (`sorted_names` is what it keeps of names, `sift` what it asks of them). `feed` tells
whoever listens what is new.
"""
