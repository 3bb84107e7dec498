"""Detection where readings arise: models, rules, thresholds, episodes, alerts, commands.

The order a batch meets them::

    routing (which model) → rolling (windows, all series at once) → models (one call)
    → threshold → bench, score → judged
    rules (limits, rates, silence, stuck values) → watching → judged
                                                           └→ commander (commands of rules)
    judged → runs → episode, episodes → found → its commit
                                          └→ standing → alert (local broker)

A model of several metrics gets frames of a device where others get the windows of a series:
places (which series is which channel) → frames → frame_bench (its scores, and what led).

`detection` is what the collect thread asks; `learned` keeps what was learned over a restart. What
is found goes along with the readings; the cloud keeps it, and people review it there.
"""
