"""Detection where readings arise: models and rules, windows, thresholds, alerts.

The order a batch meets them::

    rolling (windows, all series at once) → models (one call) → threshold → score → alert

A model of several metrics gets frames of a device where others get the windows of a series:
places (which series is which channel) → frames → frame_bench (its scores, and what led).

What is found goes along with the readings; the cloud keeps it, and people review it there.
"""
