"""Detection where readings arise: models and rules, windows, thresholds, episodes, alerts.

The order a batch meets them::

    rolling (windows, all series at once) → models (one call) → threshold → score → judged
    judged → runs → episode, episodes → found → its commit
                                          └→ standing → alert (local broker)

`detection` is what the collect thread asks; `learned` keeps what was learned over a restart. What
is found goes along with the readings; the cloud keeps it, and people review it there.
"""
