"""What it costs to understand a message in full, by convention, beside decoding its JSON alone.

CPU µs a message in this process, the best of several rounds; the baseline is msgspec's untyped
decoding of the same payload (for Sparkplug: protobuf's parsing). Known shapes are read by plans and
cost less. Run as ``python -m benchmarks.conventions``; the last line is one JSON object.
"""

import json
import time
from collections.abc import Callable, Sequence

import msgspec

from edge.payload.said import NotData
from edge.recognition import Recognition
from protos import sparkplug_pb2 as pb

ROUNDS = 7
MESSAGES = 4000
ARRIVAL_US = 1_700_000_000_000_000
METRICS = 50

CASES: dict[str, tuple[str, str]] = {
    "scalar": ("hall/temp", "21.5"),
    "json": ("plant/pump1", '{"ts":1700000000.123,"flow":3.2,"ok":true,"t":1.5}'),
    "zigbee2mqtt": (
        "zigbee2mqtt/hall",
        '{"battery":97,"contact":true,"device_temperature":25,"humidity":44.72,"linkquality":112,'
        '"occupancy":false,"pressure":1012.3,"state":"ON","temperature":27.34,"voltage":3005}',
    ),
    "tasmota": (
        "tele/shed/SENSOR",
        '{"Time":"2017-02-16T10:13:52","AM2301":{"Temperature":20.6,"Humidity":50.1,'
        '"DewPoint":10},"TempUnit":"C"}',
    ),
    "shelly": (
        "plug/status/switch:0",
        '{"id":0,"source":"WS_in","output":true,"apower":8.9,"voltage":237.5,"current":0.053,'
        '"aenergy":{"total":6.532,"minute_ts":1626935779},"temperature":{"tC":23.5,"tF":74.4}}',
    ),
    "openmqttgateway": (
        "home/OMG/BTtoMQTT/A4C138A1B2C3",
        '{"id":"A4:C1:38:A1:B2:C3","rssi":-67,"tempc":22.1,"tempf":71.78,"hum":44.5,"batt":88}',
    ),
    "chirpstack": (
        "application/8b0c/device/0101010101010101/event/up",
        '{"deduplicationId":"@","time":"2022-07-18T09:34:15.775023242+00:00","fCnt":4,'
        '"deviceInfo":{"deviceName":"hall"},"object":{"t":1.5,"h":3},"rxInfo":[{"rssi":-48}]}',
    ),
    "senml": (
        "s",
        '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},'
        '{"n":"current","u":"A","v":1.2}]',
    ),
}


def best_us(call: Callable[[bytes, int], object], payloads: Sequence[bytes]) -> float:
    """CPU µs a call, in the best round."""
    rounds = []
    for round_no in range(ROUNDS):
        begun = time.process_time()
        for number, data in enumerate(payloads):
            call(data, round_no * len(payloads) + number)
        rounds.append((time.process_time() - begun) / len(payloads) * 1e6)
    return min(rounds)


def measured(topic: str, text: str) -> tuple[float, float]:
    """CPU µs of reading in full, and of decoding alone."""
    payloads = [text.replace("@", str(number)).encode() for number in range(MESSAGES)]
    reader = Recognition()

    def read(data: bytes, number: int) -> None:
        if b'"deduplicationId"' in data:  # it is new each time, as it would be
            data = data.replace(b'Id":"', b'Id":"%d.' % number, 1)
        reader.read(topic, data, ARRIVAL_US + number)

    return best_us(read, payloads), best_us(lambda data, _: msgspec.json.decode(data), payloads)


def by_alias() -> tuple[float, float]:
    """The same of Sparkplug data with `METRICS` metrics by alias; the baseline is parsing."""
    reader = Recognition()
    birth = pb.Payload(timestamp_ms=ARRIVAL_US // 1000, seq=0)
    for alias in range(METRICS):
        birth.metrics.add(name=f"m/{alias}", alias=alias, datatype=9, float_value=1.5)
    reader.read("spBv1.0/g/NBIRTH/n", birth.SerializeToString(), ARRIVAL_US)
    payloads = []
    for seq in range(256):
        data = pb.Payload(timestamp_ms=ARRIVAL_US // 1000, seq=(seq + 1) % 256)
        for alias in range(METRICS):
            data.metrics.add(alias=alias, float_value=1.5)
        payloads.append(data.SerializeToString())
    read = best_us(lambda data, n: reader.read("spBv1.0/g/NDATA/n", data, ARRIVAL_US + n), payloads)
    return read, best_us(lambda data, _: pb.Payload.FromString(data), payloads)


def main() -> None:
    """Print a line a convention, then all of them as JSON."""
    found: dict[str, dict[str, float]] = {}
    for name, (topic, text) in CASES.items():
        found[name] = told(name, *measured(topic, text))
    found[f"sparkplug_{METRICS}"] = told(f"sparkplug, {METRICS} by alias", *by_alias())
    print(json.dumps({"benchmark": "conventions", "cpu_us": found}))


def told(name: str, read_us: float, decode_us: float) -> dict[str, float]:
    """Print one line, and give it as figures."""
    ratio = read_us / decode_us
    print(f"{name:24} {read_us:6.1f} µs   decoding alone {decode_us:5.2f} µs   ratio {ratio:5.1f}")
    return {"read": round(read_us, 2), "decode": round(decode_us, 3), "ratio": round(ratio, 1)}


if __name__ == "__main__":
    try:
        main()
    except NotData as error:
        raise SystemExit(f"a case is no reading: {error.reason}") from error
