"""Days recomputed from the journal: compared with the tables, or put right.

`days` does it: `journal` gives the rows again, `lake` what tables hold of them, `rows` and
`comparison` hold one against the other, `write` puts right what differs, `outcome` tells it.
"""
