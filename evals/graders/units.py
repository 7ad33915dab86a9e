"""Units by their many names: kilometres and km, hours and h, per and /.

Rule: names are made one, sizes are not: whoever asked for kilometres is not answered in metres.
"""

from __future__ import annotations

import re

_NAMES = {
    "m": "metre metres meter meters", "km": "kilometre kilometres kilometer kilometers kms",
    "cm": "centimetre centimetres centimeter centimeters", "mm": "millimetre millimetres millimeter millimeters",
    "mi": "mile miles", "yd": "yard yards yds", "ft": "foot feet", "in": "inch inches",
    "kg": "kilogram kilograms kilogramme kilogrammes kgs", "g": "gram grams gramme grammes",
    "mg": "milligram milligrams", "t": "tonne tonnes", "lb": "pound pounds lbs", "oz": "ounce ounces",
    "l": "litre litres liter liters", "ml": "millilitre millilitres milliliter milliliters",
    "gal": "gallon gallons", "pt": "pint pints", "cup": "cups", "tbsp": "tablespoon tablespoons",
    "tsp": "teaspoon teaspoons",
    "s": "second seconds sec secs", "ms": "millisecond milliseconds", "min": "minute minutes mins",
    "h": "hour hours hr hrs", "day": "days d", "week": "weeks", "month": "months", "year": "years yr yrs",
    "B": "byte bytes", "bit": "bits", "kB": "KB kilobyte kilobytes", "MB": "megabyte megabytes",
    "GB": "gigabyte gigabytes", "TB": "terabyte terabytes", "KiB": "kibibyte kibibytes",
    "MiB": "mebibyte mebibytes", "GiB": "gibibyte gibibytes", "TiB": "tebibyte tebibytes",
    "kb": "Kb kilobit kilobits kbit", "Mb": "megabit megabits Mbit mbit", "Gb": "gigabit gigabits Gbit gbit",
    "w": "watt watts W", "kw": "kilowatt kilowatts", "kwh": "kilowatthour kilowatthours", "j": "joule joules",
    "kj": "kilojoule kilojoules", "kcal": "kilocalorie kilocalories", "n": "newton newtons", "pa": "pascal pascals",
    "°c": "celsius centigrade c", "°f": "fahrenheit f", "k": "kelvin kelvins",
    "%": "percent", "°": "degree degrees deg",
    "usd": "$ dollar dollars", "eur": "€ euro euros", "gbp": "£ sterling", "jpy": "¥ yen", "chf": "franc francs",
}  # fmt: skip
_KNOWN = {name: unit for unit, names in _NAMES.items() for name in (unit, *names.split())}
_WHOLE = {"per": "/", "·": "*"} | dict.fromkeys(("kmh", "kph", "kmph"), ("km", "/", "h")) | {"mph": ("mi", "/", "h")}
_POWERS = {"²": "^2", "³": "^3"}
_TOKEN = re.compile(r"[°]?[A-Za-zµμΩ]+|[%$€£¥°]|[/·*^]|-?\d+")
_SHAPES = {"square": "^ 2", "sq": "^ 2", "cubic": "^ 3", "cu": "^ 3"}
JOINS = frozenset({"/", "*", "^"})


def parts_of(text: str) -> list[str]:
    """The unit that a text begins with, in the names of this table: `kilometres per hour` is km / h."""
    for sign, written in _POWERS.items():
        text = text.replace(sign, written)
    found: list[str] = []
    shape, end = "", -1
    for match in _TOKEN.finditer(text):
        word, joined, end = match[0], match.start() == end, match.end()
        if word.isdecimal() and joined and found and found[-1] not in JOINS:
            found.append("^")  # m2 is m^2
        if word.lower() in _SHAPES:
            shape = _SHAPES[word.lower()]
            continue
        found += _named(word)
        if shape:
            found, shape = [*found, *shape.split()], ""
    return _degrees(found)


def same_unit(expected: str, said: str) -> bool:
    """Does the text begin with the unit? More words may follow, but none that make it another unit."""
    wanted, parts = parts_of(expected), parts_of(said)
    if parts[: len(wanted)] != wanted or not wanted:
        return False
    following = parts[len(wanted) :]
    return not following or following[0] not in JOINS


def _named(word: str) -> list[str]:
    small = word.lower()
    if small in _WHOLE:
        return list(_WHOLE[small])
    return [_KNOWN.get(word) or _KNOWN.get(small) or _singular(small)]


def _singular(word: str) -> str:
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _degrees(parts: list[str]) -> list[str]:
    """`degrees Celsius` is one unit, though it is two words."""
    found: list[str] = []
    for part in parts:
        if part in ("°c", "°f", "k") and found and found[-1] == "°":
            found.pop()
        found.append(part)
    return found
