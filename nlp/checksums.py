"""The checks that tell a personal number from a number that only looks like one."""

from collections.abc import Callable
from unicodedata import decimal

import phonenumbers
from phonenumbers import PhoneNumberType
from stdnum import iban, luhn
from stdnum.pl import nip, pesel, regon
from stdnum.ru import inn
from stdnum.ua import rntrc

Check = Callable[[str, str | None], bool]

_MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
# ICAO 9303 letter values (A = 10) under the weights that Poland prints: the total is a multiple of ten.
_ID_CARD_WEIGHTS = (7, 3, 1, 9, 7, 3, 1, 7, 3)
_PASSPORT_WEIGHTS = (7, 3, 9, 1, 7, 3, 1, 7, 3)
# The first SNILS whose last two digits are a checksum.
_SNILS_FIRST_CHECKED = 1_001_998
_SNILS_MODULUS = 101
_CARD_LENGTHS = frozenset(range(13, 20))
# First digits of payment schemes: Mir, Visa, Mastercard, Amex, Diners, Maestro, UnionPay.
_CARD_FIRST_DIGITS = frozenset("23456")


def digits_of(candidate: str) -> str:
    """The decimal digits of a candidate, in ASCII whatever script they were typed in."""
    return "".join(str(decimal(char)) for char in candidate if char.isdecimal())


def _alphanumeric(candidate: str) -> str:
    return "".join(str(decimal(char)) if char.isdecimal() else char for char in candidate.upper() if char.isalnum())


def _card(candidate: str, _: str | None) -> bool:
    number = digits_of(candidate)
    varied = len(set(number)) > 1
    return len(number) in _CARD_LENGTHS and number[0] in _CARD_FIRST_DIGITS and varied and luhn.is_valid(number)


def _nrb(candidate: str, _: str | None) -> bool:
    return iban.is_valid("PL" + digits_of(candidate))


def _polish_document(candidate: str, letters: int, weights: tuple[int, ...]) -> bool:
    number = _alphanumeric(candidate)[:letters] + digits_of(candidate)
    if len(number) != len(weights) or not number.isascii():
        return False
    return sum(weight * int(char, 36) for weight, char in zip(weights, number, strict=True)) % 10 == 0


def _snils(candidate: str, _: str | None) -> bool:
    number = digits_of(candidate)
    if len(number) != 11 or int(number[:9]) < _SNILS_FIRST_CHECKED:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(range(9, 0, -1), number, strict=False))
    return total % _SNILS_MODULUS % 100 == int(number[9:])


def _number(candidate: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(candidate, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _phone(candidate: str, region: str | None) -> bool:
    return _number(candidate, region) is not None


def _mobile(candidate: str, region: str | None) -> bool:
    number = _number(candidate, region)
    return number is not None and phonenumbers.number_type(number) in _MOBILE


def _international(candidate: str, _: str | None) -> bool:
    """A number dialled from abroad, with `+`, with `00` or with the country code alone."""
    return _number("+" + digits_of(candidate).removeprefix("00"), None) is not None


def _international_mobile(candidate: str, _: str | None) -> bool:
    return _mobile("+" + digits_of(candidate), None)


CHECKS: dict[str, Check] = {
    "card": _card,
    "iban": lambda candidate, _: iban.is_valid(_alphanumeric(candidate)),
    "inn": lambda candidate, _: inn.is_valid(digits_of(candidate)),
    "international": _international,
    "international_mobile": _international_mobile,
    "mobile": _mobile,
    "nip": lambda candidate, _: nip.is_valid(digits_of(candidate)),
    "nrb": _nrb,
    "pesel": lambda candidate, _: pesel.is_valid(digits_of(candidate)),
    "phone": _phone,
    "pl_id_card": lambda candidate, _: _polish_document(candidate, 3, _ID_CARD_WEIGHTS),
    "pl_passport": lambda candidate, _: _polish_document(candidate, 2, _PASSPORT_WEIGHTS),
    "regon": lambda candidate, _: regon.is_valid(digits_of(candidate)),
    "rnokpp": lambda candidate, _: rntrc.is_valid(digits_of(candidate)),
    "snils": _snils,
}
