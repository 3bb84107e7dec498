"""Being told: what stands that a person should know of, and the way of the word to them.

`settings` says what is told to whom (`rule`, `channel`). The way of a word: `watch` looks at what
the cloud knows (`silence`, `buffers`, `certificates`, `gaps`, `episodes` and `limits`, one file a
kind), `standing` says what began and what ended, `grouping` which of that becomes one message and
when it may go (`quiet`), `wording` what it says. `file` is `notify.db`, in which it is before it is
sent (`standings`, `outbox`); `delivery` brings each channel its messages by `webhook` or `mail`.
`notifier` runs it.
"""
