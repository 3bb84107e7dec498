"""Who may ask what of page and API: roles, users, sessions and API tokens.

`role` orders what somebody may do, `people` is who is known, `password` and `secret` make and check
what they prove it by, `attempts` bounds guessing, `access` answers who a request is of, and
`local` lets the owner of a home ask his own cloud.
"""
