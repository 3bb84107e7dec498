"""Is history whole? Everything counted again and held against each other.

`whole` is the verdict; `chain` proves every journalled block, `rollups` that they account for the
readings, `bounds` that the logs of the tables tell the truth of their files.
"""
