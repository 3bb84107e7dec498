"""Pure: units that are known, and the exact line y = a·x + b from one to another of its quantity.

Factors are fractions, so that °F to °C and back is nothing at all, and 212 °F is 100 °C to the last
digit. Spellings are matched as they are written after Unicode's NFKC (`m³` is `m3`, `℃` is `°C`);
case counts (mW is no MW), but for whole words. Definitions: SI brochure (9th edition), NIST SP 811
appendix B for the others. A unit that is not here is convertible with nothing but itself.
"""

import difflib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FACTOR_BITS_MAX: Final = 512
"""Of a numerator or denominator: conversions of conversions end here, not in endless digits."""
_EXACT_MAX: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class Factor:
    """The line y = a·x + b; ``a`` is never 0."""

    a: Fraction = Fraction(1)
    b: Fraction = Fraction(0)

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return self.a == 1 and self.b == 0

    @property
    def is_usable(self) -> bool:
        """Whether it is a line, and its digits are within FACTOR_BITS_MAX."""
        parts = (self.a.numerator, self.a.denominator, self.b.numerator, self.b.denominator)
        return self.a != 0 and all(abs(part).bit_length() <= FACTOR_BITS_MAX for part in parts)

    @property
    def floats(self) -> tuple[float, float, float]:
        """``up``, ``by``, ``over`` of y = (up·x + by) / over: whole, so that it is rounded once."""
        over = lcm(self.a.denominator, self.b.denominator)
        up, by = int(self.a * over), int(self.b * over)
        if max(abs(up), abs(by), over) < _EXACT_MAX:
            return float(up), float(by), float(over)
        return float(self.a), float(self.b), 1.0

    def then(self, after: "Factor") -> "Factor":
        """This one first, then ``after``."""
        return Factor(after.a * self.a, after.a * self.b + after.b)

    def back(self) -> "Factor":
        """The reverse."""
        return Factor(1 / self.a, -self.b / self.a)

    def of(self, values: NDArray[Any], count: NDArray[Any] | int = 1) -> NDArray[Any]:
        """The line over floats, rising or falling with them; NaN stays NaN.

        ``count``: of how many readings each value is the sum.
        """
        if self.is_identity:
            return values
        up, by, over = self.floats
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray((values * up + by * count) / over)


IDENTITY: Final = Factor()


def _linear(*rows: tuple[str, str | int | Fraction]) -> Mapping[str, Factor]:
    """Spellings (by spaces) and how many of the quantity's first unit one of them is."""
    return {_spelt(name): Factor(Fraction(of)) for names, of in rows for name in names.split()}


_KELVIN: Final = Factor(Fraction(1), Fraction("-273.15"))
_FAHRENHEIT: Final = Factor(Fraction(5, 9), Fraction(-160, 9))
_INCH: Final = Fraction("0.0254")
_POUND: Final = Fraction("0.45359237")
_GRAVITY: Final = Fraction("9.80665")
_GALLON: Final = Fraction("3.785411784")
_MERCURY: Final = Fraction("13.5951") * _GRAVITY
"""One millimetre of mercury in pascals: its density at 0 °C, conventional."""
_BTU: Final = Fraction("1055.05585262")


def _spelt(unit: str) -> str:
    text = unicodedata.normalize("NFKC", unit).strip()
    return text.replace("^", "").replace("·", "").replace("º", "°")


_QUANTITIES: Final[tuple[Mapping[str, Factor], ...]] = (
    {  # temperature
        **dict.fromkeys(("°C", "C", "degC", "celsius"), IDENTITY),
        **dict.fromkeys(("K", "kelvin"), _KELVIN),
        **dict.fromkeys(("°F", "F", "degF", "fahrenheit"), _FAHRENHEIT),
    },
    _linear(  # pressure
        ("Pa pascal", 1), ("hPa mbar", 100), ("kPa", 1000), ("MPa", 10**6), ("bar", 10**5),
        ("psi PSI", _POUND * _GRAVITY / _INCH**2), ("mmHg", _MERCURY), ("inHg", _MERCURY * 127 / 5),
        ("atm", 101_325), ("Torr torr", Fraction(101_325, 760)),
    ),
    _linear(  # energy
        ("J joule", 1), ("kJ", 1000), ("MJ", 10**6), ("GJ", 10**9), ("mWh", "3.6"), ("Wh", 3600),
        ("kWh", 3_600_000), ("MWh", 36 * 10**8), ("GWh", 36 * 10**11), ("cal", "4.184"),
        ("kcal", 4184), ("BTU Btu", _BTU),
    ),
    _linear(  # power
        ("W watt", 1), ("mW", "0.001"), ("kW", 1000), ("MW", 10**6), ("GW", 10**9),
        ("hp", "745.69987158227022"), ("BTU/h Btu/h", _BTU / 3600),
    ),
    _linear(("VA", 1), ("kVA", 1000), ("MVA", 10**6)),
    _linear(("var", 1), ("kvar", 1000), ("Mvar", 10**6)),
    _linear(("varh", 1), ("kvarh", 1000)),
    _linear(  # length
        ("m metre meter", 1), ("nm", "1e-9"), ("µm", "1e-6"), ("mm", "0.001"), ("cm", "0.01"),
        ("dm", "0.1"), ("km", 1000), ("in inch", _INCH), ("ft", _INCH * 12), ("yd", _INCH * 36),
        ("mi", "1609.344"), ("nmi", 1852),
    ),
    _linear(  # speed, precipitation among it
        ("m/s", 1), ("km/h kph", Fraction(5, 18)), ("mph", "0.44704"), ("mm/s", "0.001"),
        ("kn kt", Fraction(1852, 3600)), ("ft/s", _INCH * 12), ("mm/h", Fraction(1, 3_600_000)),
        ("in/h", _INCH / 3600), ("mm/d", Fraction(1, 86_400_000)),
    ),
    _linear(("m/s2 m/s²", 1), ("mm/s2 mm/s²", "0.001")),
    _linear(  # mass
        ("kg", 1), ("g", "0.001"), ("mg", "1e-6"), ("µg", "1e-9"), ("t", 1000), ("lb", _POUND),
        ("oz", _POUND / 16),
    ),
    _linear(  # volume
        ("L l litre liter", 1), ("mL ml", "0.001"), ("cL cl", "0.01"), ("hL hl", 100),
        ("m³", 1000), ("ft³", (_INCH * 12) ** 3 * 1000), ("gal", _GALLON),
    ),
    _linear(  # flow
        ("L/min l/min", 1), ("L/s l/s", 60), ("L/h l/h", Fraction(1, 60)),
        ("m³/h", Fraction(1000, 60)), ("m³/s", 60_000), ("gal/min gpm", _GALLON),
    ),
    _linear(("V volt", 1), ("µV", "1e-6"), ("mV", "0.001"), ("kV", 1000)),
    _linear(("A ampere", 1), ("µA", "1e-6"), ("mA", "0.001"), ("kA", 1000)),
    _linear(("Ah", 1), ("mAh", "0.001")),
    _linear(("Ω ohm", 1), ("mΩ", "0.001"), ("kΩ kohm", 1000), ("MΩ", 10**6)),
    _linear(
        ("Hz hertz", 1), ("mHz", "0.001"), ("kHz", 1000), ("MHz", 10**6), ("GHz", 10**9),
        ("rpm", Fraction(1, 60)),
    ),
    _linear(
        ("s second seconds", 1), ("ns", "1e-9"), ("µs", "1e-6"), ("ms", "0.001"),
        ("min minute minutes", 60), ("h hour hours", 3600), ("d day days", 86_400),
    ),
    _linear(
        ("B byte bytes", 1), ("bit bits", Fraction(1, 8)), ("kB KB", 1000), ("MB", 10**6),
        ("GB", 10**9), ("TB", 10**12), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ),
    _linear(("%", 1), ("‰", "0.1"), ("ppm", "1e-4"), ("ppb", "1e-7")),
    _linear(("lx lux", 1), ("klx", 1000)),
    _linear(("g/m³", 1), ("mg/m³", "0.001"), ("µg/m³", "1e-6")),
    _linear(("S/cm", 1), ("mS/cm", "0.001"), ("µS/cm", "1e-6"), ("S/m", "0.01")),
    _linear(("W/m²", 1), ("kW/m²", 1000)),
)  # fmt: skip
"""Each quantity's units, by how they become its first one."""
_WORD_CHARS_MIN: Final = 4


def _all() -> Iterator[tuple[str, tuple[int, Factor]]]:
    for number, units in enumerate(_QUANTITIES):
        for name, factor in units.items():
            yield name, (number, factor)


_KNOWN: Final[Mapping[str, tuple[int, Factor]]] = dict(_all())
assert len(_KNOWN) == sum(len(units) for units in _QUANTITIES), "a spelling of two quantities"


def conversion(unit: str, to: str) -> Factor | None:
    """From one unit to another; None where they are not known to be of one quantity.

    Equal texts are one unit, whatever they mean, also the empty one.
    """
    if unit == to:
        return IDENTITY
    first, second = _find(unit), _find(to)
    if first is None or second is None or first[0] != second[0]:
        return None
    return first[1].then(second[1].back())


def misspelt(unit: str) -> str:
    """The known unit that one that is not here comes nearest to; empty where none does."""
    spelt = _spelt(unit)
    if not spelt or _find(unit) is not None:
        return ""
    near = [name for name in _KNOWN if name.casefold() == spelt.casefold()]
    return (near or difflib.get_close_matches(spelt, _KNOWN, 1, 0.7) or [""])[0]


def _find(unit: str) -> tuple[int, Factor] | None:
    spelt = _spelt(unit)
    word = spelt.casefold()
    known = _KNOWN.get(spelt)
    return known if known is not None or len(word) < _WORD_CHARS_MIN else _KNOWN.get(word)
