"""The edge half: one reading's way from a sensor to the uplink.

The stages, in the order a reading meets them::

    ingest → reading → detect → seal → store → sync → uplink
                         └→ alert (local MQTT, works offline)

A message is acknowledged to the broker (PUBACK) only after `store` committed what it said.
"""
