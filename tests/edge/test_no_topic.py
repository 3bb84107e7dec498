import pytest

from edge.message import UNREADABLE_TOPIC
from edge.mqtt_wire import Splitter
from edge.payload.said import ReadingLimits, Unreadable
from edge.recognition import Recognition


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\0b", b"a/+", b"#", b"a#b", b"\xed\xa0\x80"])
@pytest.mark.parametrize("v5", [True, False])
def test_what_is_no_topic_is_said_to_be_none_and_its_message_becomes_a_reject(
    name: bytes, v5: bool
) -> None:
    body = len(name).to_bytes(2, "big") + name + b"\0\x07" + (b"\0" if v5 else b"") + b"21.5"
    told, others = Splitter(v5=v5).feed((b"\x32" + bytes((len(body),)) + body) * 2)
    assert others == []
    assert told.topics == [UNREADABLE_TOPIC] * 2
    assert told.payloads == [b"21.5"] * 2
    with pytest.raises(Unreadable, match="its topic is none"):
        Recognition(ReadingLimits()).read(told.topics[0], told.payloads[0])
