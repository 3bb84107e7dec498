"""The lake: what consolidation makes of the journal, from a pass over blocks to durable tables.

A pass, in the order a block meets it::

    loop → consolidator → plan, groups → embedded (columns, names) → derive (rollup, days, lists)
         → made → table/ → level, floors

`loop` is the thread, `consolidator` a pass through a crash at any step, `attempts` the marker of a
block that kills, `standstill` notices that nothing is heard of it any more. Beside filling them,
`upkeep` lets tables be merged (`merge`), sorted (`sorter`, `sort_plan`, `sort`, `sort_stream`) and
rid of what retention says. Rows that are there already are put right by `correction` (the rules),
`correct`, `correct_anomalies` and `mend`; `release` brings in what an operator released from
quarantine. `passes`, `rebuild` and `vacuum` are what commands do to a lake whose cloud is stopped,
which `alone` and `lock` see to.
"""
