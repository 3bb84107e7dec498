"""The HTTP API and the page: questions read strictly, answers written.

`routes` is the one table of routes (`endpoint` is one, `fields` a row of its answer): `app` serves
it, `params` and `kinds` check against it, `openapi` documents it. An answer has a module each:
`status`, `fleet` (of `backlog` and `totals`), `series`, `history` (and `history_*`), `events`,
`episodes`, `ledger`, `quarantine`, `marks`, `verdicts`, `operations` (and `operation_made`),
`told`, `stream`; `shown` and `shown_events` tell series as operations joined them, `site` is what
all are made from, `formats` the form they go out in, `body` what is sent in. `shell` surrounds
every one with its headers, `needs` says which role each takes, `guard` holds requests against that,
`session` signs in and out, `forwarded` believes proxies, `reach` and `certificate` decide at the
start who can come by which wire. `turns` says whose turn it is, `asked` counts, and `page_door` is
the server. `prometheus/` answers as Prometheus does, with a table of routes of its own.
"""

from cloud.serve.app import build_app

__all__ = ["build_app"]
