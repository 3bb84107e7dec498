"""Questions to history: planned, read from tables and tail, joined at the watermark.

`history` answers, from one view: `plan` chooses the resolution and where buckets lie (`grid` as
callers name them), `one` says what a series is made of, `series` reads tables (`lake`) and tail as
one, `rows` puts the answer in order. Around that: `joined` for series that operations joined,
`clean` without bad readings, `over` and `exact` for what only neighbours or readings know, `states`
for stretches, `events` and `event_rows` for anomalies, episodes and gaps.

Below it `index` knows where a series stands in files, `files` and `pages` read just that, and
`columns` says of which columns; `sql` and `pool` ask the engine what pages do not tell.
"""
