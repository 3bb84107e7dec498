"""Detection where readings arise: models and rules, windows, thresholds, episodes, alerts.

The order a batch meets them::

    routing (which model) → rolling (windows, all series at once) → models (one call)
    → threshold → bench, score → judged
    judged → runs → episode, episodes → found → its commit
                                          └→ standing → alert (local broker)

A model of several metrics gets frames of a device where others get the windows of a series:
places (which series is which channel) → frames → frame_bench (its scores, and what led).

`detection` is what the collect thread asks; `learned` keeps what was learned over a restart. What
is found goes along with the readings; the cloud keeps it, and people review it there.
"""
