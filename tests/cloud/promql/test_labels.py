"""Names of ours are names that Prometheus may have, and none is lost."""

import pytest

from cloud.lake.names import Name
from cloud.promql.labels import LABEL, METRIC, labels_of, metric_name, own_labels


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("temperature", "temperature"),
        ("bus/volts.1", "bus_volts_1"),
        ("2nd", "_2nd"),
        ("", "_"),
        ("Wärme", "W_rme"),
        ("node:cpu", "node:cpu"),
    ],
)
def test_a_metric_is_called_as_prometheus_may_call_it(metric: str, name: str) -> None:
    assert metric_name(metric) == name
    assert METRIC.fullmatch(name)


def test_a_series_has_its_names_and_its_own_labels() -> None:
    name = Name("north", "pump", "bus/volts", "V", '{"room":"hall","2 x":"y","empty":""}', 0, 1)
    assert labels_of(name) == {
        "__name__": "bus_volts", "gateway": "north", "device": "pump", "metric": "bus/volts",
        "unit": "V", "room": "hall", "_2_x": "y",
    }  # fmt: skip


def test_a_series_without_a_unit_has_no_such_label() -> None:
    assert "unit" not in labels_of(Name("north", "pump", "t", "", "{}", 0, 1))


def test_own_labels_never_stand_for_ours_or_for_each_other() -> None:
    told = '{"device":"a","series":"b","__name__":"c","a-b":"1","a.b":"2","a_b":"3"}'
    labels = own_labels(told)
    assert labels == {
        "exported_device": "a", "exported_series": "b", "exported___name__": "c",
        "a_b": "1", "a_b_2": "2", "a_b_3": "3",
    }  # fmt: skip
    assert all(LABEL.fullmatch(label) for label in labels)
