"""The words of alarms in pl, uk, ru and en, in every form that a number asks for (Unicode CLDR's plural rules)."""

from typing import Literal

Form = Literal["one", "few", "many", "other"]

ANSWERS: dict[str, dict[str, str]] = {
    "pl": {"one": "odpowiedź", "few": "odpowiedzi", "many": "odpowiedzi"},
    "uk": {"one": "відповідь", "few": "відповіді", "many": "відповідей"},
    "ru": {"one": "ответ", "few": "ответа", "many": "ответов"},
    "en": {"one": "answer", "other": "answers"},
}
COMPLAINTS: dict[str, dict[str, str]] = {
    "pl": {"one": "skarga", "few": "skargi", "many": "skarg"},
    "uk": {"one": "скарга", "few": "скарги", "many": "скарг"},
    "ru": {"one": "жалоба", "few": "жалобы", "many": "жалоб"},
    "en": {"one": "complaint", "other": "complaints"},
}
ABOUT: dict[str, dict[str, str]] = {
    "theme": {
        "pl": "na temat „{name}”",
        "uk": "на тему «{name}»",
        "ru": "на тему «{name}»",
        "en": "about {name}",
    },
    "cluster": {
        "pl": "o problemie „{name}”",
        "uk": "про проблему «{name}»",
        "ru": "о проблеме «{name}»",
        "en": "about {name}",
    },
    "touchpoint": {
        "pl": "z punktu kontaktu „{name}”",
        "uk": "з точки контакту «{name}»",
        "ru": "из точки контакта «{name}»",
        "en": "from {name}",
    },
}
SINCE_HOURS = {
    "pl": "w ciągu ostatnich 24 godzin",
    "uk": "за останні 24 години",
    "ru": "за последние 24 часа",
    "en": "in the last 24 hours",
}
WEEKDAYS: dict[str, tuple[str, ...]] = {
    "pl": (
        *("od poniedziałku", "od wtorku", "od środy", "od czwartku"),
        *("od piątku", "od soboty", "od niedzieli"),
    ),
    "uk": (
        *("з понеділка", "з вівторка", "із середи", "із четверга"),
        *("з п’ятниці", "із суботи", "з неділі"),
    ),
    "ru": (
        *("с понедельника", "со вторника", "со среды", "с четверга"),
        *("с пятницы", "с субботы", "с воскресенья"),
    ),
    "en": (
        *("since Monday", "since Tuesday", "since Wednesday", "since Thursday"),
        *("since Friday", "since Saturday", "since Sunday"),
    ),
}
SINCE_DATE = {"pl": "od {day} {month}", "uk": "з {day} {month}", "ru": "с {day} {month}", "en": "since {day} {month}"}
MONTHS: dict[str, tuple[str, ...]] = {
    "pl": (
        *("stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca"),
        *("lipca", "sierpnia", "września", "października", "listopada", "grudnia"),
    ),
    "uk": (
        *("січня", "лютого", "березня", "квітня", "травня", "червня"),
        *("липня", "серпня", "вересня", "жовтня", "листопада", "грудня"),
    ),
    "ru": (
        *("января", "февраля", "марта", "апреля", "мая", "июня"),
        *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
EXPECTED = {
    "pl": "oczekiwano {number}",
    "uk": "очікувалося {number}",
    "ru": "ожидалось {number}",
    "en": "{number} expected",
}
FEWER_THAN_ONE = {
    "pl": "oczekiwano mniej niż jednej",
    "uk": "очікувалося менше однієї",
    "ru": "ожидалось меньше одного",
    "en": "fewer than one expected",
}
NEGATIVE = {
    "pl": "{share}% negatywnych",
    "uk": "{share} % негативних",
    "ru": "{share} % негативных",
    "en": "{share} % negative",
}
SHARES: dict[str, dict[str, str]] = {
    "touchpoint": {
        "pl": "{share}% z punktu kontaktu „{name}”",
        "uk": "{share} % з точки контакту «{name}»",
        "ru": "{share} % из точки контакта «{name}»",
        "en": "{share} % from {name}",
    },
    "unit": {
        "pl": "{share}% z jednostki „{name}”",
        "uk": "{share} % з підрозділу «{name}»",
        "ru": "{share} % из подразделения «{name}»",
        "en": "{share} % from unit {name}",
    },
    "language": {
        "pl": "{share}% {name}",
        "uk": "{share} % {name}",
        "ru": "{share} % {name}",
        "en": "{share} % {name}",
    },
}
LANGUAGE_NAMES: dict[str, dict[str, str]] = {
    "pl": {"pl": "po polsku", "uk": "po ukraińsku", "ru": "po rosyjsku", "en": "po angielsku"},
    "uk": {"pl": "польською", "uk": "українською", "ru": "російською", "en": "англійською"},
    "ru": {"pl": "на польском", "uk": "на украинском", "ru": "на русском", "en": "на английском"},
    "en": {"pl": "in Polish", "uk": "in Ukrainian", "ru": "in Russian", "en": "in English"},
}
NONE_BEFORE = {
    "pl": "wcześniej przez {days} dni ani jednej",
    "uk": "до цього жодної за {days} дн.",
    "ru": "до этого ни одного за {days} дн.",
    "en": "none in the {days} days before",
}


def plural(number: int, language: str) -> Form:
    """CLDR's category of a whole number."""
    if language == "en":
        return "one" if number == 1 else "other"
    if language == "pl" and number == 1:
        return "one"
    tens, ones = number % 100 // 10, number % 10
    if language != "pl" and ones == 1 and tens != 1:
        return "one"
    return "few" if 2 <= ones <= 4 and tens != 1 else "many"
