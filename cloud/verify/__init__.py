"""Is history whole? Everything counted again and held against each other.

`whole` is the verdict; `chain` proves every journalled block, `rollups` that they account for the
readings.
"""
