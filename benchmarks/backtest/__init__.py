"""The edge's detection over public labelled sets, beside baselines that know nothing.

`python -m benchmarks.backtest --nab DIR [--skab DIR]`; the sets are given, none comes with it.
"""
