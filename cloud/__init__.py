"""The cloud half: from a gateway's block to history on a page.

The stages, in the order a block meets them::

    ingest → journal → lake → query → serve → web/
                └→ live (the tail: journalled, not yet in the lake) ─┘

A block is acknowledged `stored` only after the journal's fsync, `archived` only after the lake's.
"""
