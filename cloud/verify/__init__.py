"""Is history whole? Everything counted again and held against each other."""
