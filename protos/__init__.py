"""The contract between edge and cloud: sync service, block codec, limits, golden vectors.

Both halves import this package, it imports neither. ``sync.proto`` and ``health.proto`` are what is
said over gRPC; ``records`` what a block carries, ``block`` how it is kept; ``series`` how a series
is named; ``limits`` bounds them all; ``sparkplug.proto`` is what Sparkplug B
nodes say. Byte layouts: docs/format/.
"""
