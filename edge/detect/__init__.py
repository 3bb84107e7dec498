"""Detection where readings arise: models and rules, windows, thresholds, alerts, commands.

The order a batch meets them::

    rolling (windows, all series at once) → models (one call) → threshold → score ┐
    rules (limits, rates, silence, stuck values) ─────────────────────────────────┴→ watching

    watching → alert, and commander for the commands of rules

What is found goes along with the readings; the cloud keeps it, and people review it there.
"""
