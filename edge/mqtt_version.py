"""Pure: the versions of MQTT that the gateway speaks with a broker."""

from enum import StrEnum


class MqttVersion(StrEnum):
    """Which MQTT to speak; AUTO tries 5 and falls back to 3.1.1 when the broker has no 5."""

    AUTO = "auto"
    V311 = "3.1.1"
    V5 = "5"
