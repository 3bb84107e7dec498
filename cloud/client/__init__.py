"""A running cloud as the command line asks it, over HTTP.

`history` finds series and reads history page by page, `series` says the operations on them; `wire`
is how a cloud is reached, and what lets us in. What people import as `tidegate` lies here too, a
package of its own that imports nothing of this.
"""
