"""Places: which series is which channel of which device."""

from edge.catalog import Catalog
from edge.detect.places import Places
from protos.model_manifest import Applies, Manifest, Takes
from protos.series import SeriesKind

Labels = tuple[tuple[str, str], ...]


def manifest(**more: object) -> Manifest:
    told = {"name": "m", "version": "1", "window": 2, "takes": Takes.FRAME, "channels": ("a", "b")}
    return Manifest(**{**told, **more})  # type: ignore[arg-type]


def catalog() -> Catalog:
    return Catalog(salt=lambda: bytes(16))


def add(
    names: Catalog, device: str, metric: str, unit: str = "", labels: Labels = (),
    kind: SeriesKind = SeriesKind.GAUGE,
) -> int:  # fmt: skip
    return names.add(device, (metric, kind, unit, labels))


def test_a_device_has_a_place_once_all_channels_were_heard_from_it() -> None:
    names, places = catalog(), Places(manifest())
    add(names, "pump", "b")
    add(names, "fan", "a")
    places.learn(names)
    assert (places.device == -1).all()
    add(names, "pump", "c")
    add(names, "pump", "a")
    places.learn(names)
    assert places.device.tolist() == [-1, 0, -1, -1, 0]
    assert places.channel.tolist() == [-1, 1, -1, -1, 0]
    assert places.series.tolist() == [[4, 1]]


def test_series_with_other_labels_are_not_mixed() -> None:
    names, places = catalog(), Places(manifest())
    for core in ("1", "2"):
        add(names, "cpu", "a", labels=(("core", core),))
    add(names, "cpu", "b", labels=(("core", "2"),))
    places.learn(names)
    assert places.device.tolist() == [-1, -1, 0, 0]


def test_a_series_whose_unit_is_learned_later_takes_its_channel_over() -> None:
    names, places = catalog(), Places(manifest())
    add(names, "pump", "a")
    add(names, "pump", "b")
    places.learn(names)
    add(names, "pump", "a", unit="bar")
    places.learn(names)
    assert places.device.tolist() == [-1, 0, 0, 0]
    assert places.series.tolist() == [[3, 2]]


def test_only_what_the_manifest_is_for_has_a_place() -> None:
    names = catalog()
    for device in ("pump-1", "fan-1"):
        for metric in ("a", "b"):
            add(names, device, metric)
    add(names, "pump-2", "a", kind=SeriesKind.STATE)
    add(names, "pump-2", "b")
    places = Places(manifest(applies=Applies(device=("pump-*",))))
    places.learn(names)
    assert places.device.tolist() == [-1, 0, 0, -1, -1, -1, -1]
