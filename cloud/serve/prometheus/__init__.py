"""The part of the Prometheus HTTP API that Grafana uses, under `/api/prometheus/api/v1/`.

`questions` is the table of its routes, `params` reads what is asked, `door` serves and documents
it. `labelled` finds series by their labels, `source` brings history to `cloud.promql`, `values` and
`names` answer, `written` writes numbers as Prometheus does.
"""
