"""Detection where readings arise: models and rules, windows, thresholds, alerts.

The order a batch meets them::

    routing (which model) → rolling (windows, all series at once) → models (one call)
    → threshold → score → alert

What is found goes along with the readings; the cloud keeps it, and people review it there.
"""
