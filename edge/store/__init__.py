"""The buffer: what was taken in stays here, sealed, until the cloud has archived it.

`store` has the calls, from any thread; `thread` runs them one by one on the `buffer`, whose parts
are `commit` (chunks in), `blocks` (numbered when they leave) and `release` (what may go).
"""

from edge.store.store import Store

__all__ = ["Store"]
