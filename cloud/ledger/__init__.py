"""The ledger: what was expected, stored, archived, and why not.

`account` has the rules, `of_lake` counts the lake's files for it, `of_files` is the ledger of a
cloud that does not run.
"""
