"""The journal: the contract every journal keeps, the rules of delivery, and the one of SQLite.

`contract` says what a journal promises. The rules are pure: `cursor` is the cloud's side of one
gateway's delivery, `hello` how sessions and epochs begin, `restore` what an older copy changes,
`counts` how much was ever stored. `sqlite/` is the journal that is used.
"""
