"""Models made from history: what is read for it, how it is fitted, proved, tried and kept.

In the order of a training run: `chosen` says which series, `history` streams their readings and
what people said of them, `runs` and `frames` are what may be learned from; `predictor`, `pattern`,
`fault` and `pca` fit; `proof` holds the exported graph to what was fitted; `replay` and `backtest`
try a package on history, `report` draws what came of it; `shelf` keeps packages.
"""
