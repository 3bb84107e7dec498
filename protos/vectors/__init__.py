"""Golden vectors: blocks, bodies and entries of every committed version, which decode for ever.

``v1/*.bin`` are bytes as they were written then, ``v1/*.json`` what they must decode to.
"""
