"""`tidegate-edge doctor`: what is wrong with a gateway, and what to do about it.

`kind` says what a finding is, `case` what is known of the gateway before anybody looks, `examine`
runs the themes side by side, each with a time limit, and `words` tells it to an operator. A theme
is a module that looks at one part, with a table of all that it may find; `themes` lists them.

Nothing here changes anything, on the gateway or at the other end of a line, and no secret is told.
"""
