"""Personal data goes, whatever form it is typed in; what only looks like it stays. All numbers are invented."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nlp.redact import Redactor, parse_patterns

POLICY = Path(__file__).parents[2] / "data" / "policies" / "redaction.yaml"


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor(parse_patterns(yaml.safe_load(POLICY.read_text(encoding="utf-8")), POLICY.name))


PERSONAL = [
    ("pisz na jan.kowalski+sklep@poczta.com.pl.", "pisz na <EMAIL>."),
    ("пошта: оля@укрпошта.укр", "пошта: <EMAIL>"),
    ("mail me:o'neil_99@my-shop.co.uk, please", "mail me:<EMAIL>, please"),
    ("jan.kowalski (at) wp.pl", "<EMAIL>"),
    ("ivan[собака]mail.ru", "<EMAIL>"),
    ("proszę o telefon 600123456", "proszę o telefon <PHONE>"),
    ("600-123-456", "<PHONE>"),
    ("Tel. 600 123 456, po 17", "Tel. <PHONE>, po 17"),
    ("+48 600 123 456 po 17", "<PHONE> po 17"),
    ("0048 600123456", "<PHONE>"),
    ("mój numer: (22) 621 45 67", "mój numer: <PHONE>"),
    ("dzwońcie 22 621 45 67", "dzwońcie <PHONE>"),
    ("Zamówienie 512345678, proszę o telefon 600123456", "Zamówienie 512345678, proszę o telefon <PHONE>"),
    ("Paczka zaginęła. 600123456", "Paczka zaginęła. <PHONE>"),
    ("Передзвоніть 0671234567", "Передзвоніть <PHONE>"),
    ("067 123 45 67", "<PHONE>"),
    ("38 097 123 45 67", "<PHONE>"),
    ("tel600123456", "tel<PHONE>"),
    ("(067) 123-45-67 Оксана", "<PHONE> Оксана"),
    ("+38 (067) 123-45-67", "<PHONE>"),
    ("380671234567", "<PHONE>"),
    ("мій номер 671234567", "мій номер <PHONE>"),
    ("перезвоните 8 912 345 67 89", "перезвоните <PHONE>"),
    ("8(912)345-67-89", "<PHONE>"),
    ("89123456789", "<PHONE>"),
    ("+7 912 345-67-89, звоните", "<PHONE>, звоните"),
    ("мой номер 9123456789", "мой номер <PHONE>"),
    ("call me on +44 20 7946 0958", "call me on <PHONE>"),
    ("my cell is +1 (212) 555-2368", "my cell is <PHONE>"),
    ("zwrot na PL38 1020 2629 0000 9802 0123 4567 NA JUŻ", "zwrot na <IBAN> NA JUŻ"),
    ("38102026290000980201234567", "<IBAN>"),
    ("38 1020 2629 0000 9802 0123 4567", "<IBAN>"),
    ("UA233052990000260012345678901", "<IBAN>"),
    ("iban de89 3704 0044 0532 0130 00 please", "iban <IBAN> please"),
    ("karta 5375 4141 0001 2342", "karta <CARD>"),
    ("карта 2200-3000-1111-2222", "карта <CARD>"),
    ("4532015112830366", "<CARD>"),
    ("amex 3782 000001 23455", "amex <CARD>"),
    ("card 378200000123455", "card <CARD>"),
    ("85071212347", "<PESEL>"),
    ("mój pesel to 022503 19879", "mój pesel to <PESEL>"),
    ("NIP 525-104-71-31", "NIP <NIP>"),
    ("faktura na NIP: 5251047131", "faktura na NIP: <NIP>"),
    ("PL5251047131", "<NIP>"),
    ("REGON 142558918", "REGON <REGON>"),
    ("мій ІПН 3124567896", "мій ІПН <RNOKPP>"),
    ("ідентифікаційний код 28 45 12 34 53", "ідентифікаційний код <RNOKPP>"),
    ("ИНН 7712345671", "ИНН <INN>"),
    ("ИНН физлица: 771987654388", "ИНН физлица: <INN>"),
    ("160-722-394 47", "<SNILS>"),
    ("СНИЛС 16072239447", "СНИЛС <SNILS>"),
    ("mój dowód CDE 100237", "mój dowód <ID_CARD>"),
    ("dowód osobisty ayx100242", "dowód osobisty <ID_CARD>"),
    ("CDE100248", "<ID_CARD>"),
    ("dowód osobisty seria CDE nr 100237", "dowód osobisty seria <ID_CARD>"),
    ("id-картка 001234567", "id-картка <ID_CARD>"),
    ("паспорт КЕ 123456", "паспорт <ID_CARD>"),
    ("паспорт серия 45 08 № 123456", "паспорт серия <ID_CARD>"),
    ("паспорт 4508 123456", "паспорт <ID_CARD>"),
    ("EH1000244", "<PASSPORT>"),
    ("закордонний паспорт FA123456", "закордонний паспорт <PASSPORT>"),
    ("загранпаспорт 75 1234567", "загранпаспорт <PASSPORT>"),
    ("link https://shop.pl/reset?token=abc123 nie działa", "link <URL> nie działa"),
    ("https://shop.pl/o/550e8400-e29b-41d4-a716-446655440000.", "<URL>."),
    ("https://shop.pl/konto?lang=pl&email=jan%40wp.pl", "<URL>"),
    ("https://shop.pl/klient/jan@wp.pl/zamowienia", "<URL>"),
    ("wa.me/48600123456", "<URL>"),
    ("https://wa.me/48600123456", "<URL>"),
    ("http://www.t.me/annakow", "<URL>"),
    ("Kod nie działa 601 234 567 proszę zadzwonić", "Kod nie działa <PHONE> proszę zadzwonić"),
    ("заказ не пришёл 89161234567 перезвоните", "заказ не пришёл <PHONE> перезвоните"),
    ("посилка не прийшла 067 123 45 67 передзвоніть", "посилка не прийшла <PHONE> передзвоніть"),
    ("IBAN UA 213223130000026007233566001", "IBAN <IBAN>"),
    ("DE 89 3704 0044 0532 0130 00", "<IBAN>"),
    ("kom601234567", "kom<PHONE>"),
    ("телефон0671234567", "телефон<PHONE>"),
    ("jan.kowalski @ gmail.com", "<EMAIL>"),
    ("моє імʼя Олена", "моє імʼя <NAME>"),
    ("https://x.io/s/9f8a7b6c5d4e3f2a1b0c", "<URL>"),
    ("nazywam się Jan Kowalski i mam problem", "nazywam się <NAME> i mam problem"),
    ("nazywam sie jan kowalski i mam problem", "nazywam sie <NAME> i mam problem"),
    ("NAZYWAM SIĘ JAN KOWALSKI I JESTEM ZŁY", "NAZYWAM SIĘ <NAME> I JESTEM ZŁY"),
    ("Dzień dobry, z tej strony Jan Kowalski z Krakowa", "Dzień dobry, z tej strony <NAME> z Krakowa"),
    ("Z tej strony Anna.", "Z tej strony <NAME>."),
    ("mam na imię anna, czekam", "mam na imię <NAME>, czekam"),
    ("Rezerwacja na nazwisko Nowak-Wójcik zniknęła", "Rezerwacja na nazwisko <NAME> zniknęła"),
    ("Fatalnie.\nPozdrawiam, Anna Nowak", "Fatalnie.\nPozdrawiam, <NAME>"),
    ("Pozdrawiam. Jan Kowalski", "Pozdrawiam. <NAME>"),
    ("Pozdrawiam Jan Kowalski 601234567", "Pozdrawiam <NAME> <PHONE>"),
    ("Z poważaniem, Anna Nowak, tel. 601234567", "Z poważaniem, <NAME>, tel. <PHONE>"),
    ("С уважением, Иван Петров, +7 916 123-45-67", "С уважением, <NAME>, <PHONE>"),
    ("Pozdrawiam Anna 😊", "Pozdrawiam <NAME> 😊"),
    ("Мене звати Оля, чекаю", "Мене звати <NAME>, чекаю"),
    ("мене звуть Марʼяна Петренко", "мене звуть <NAME>"),
    ("мене звати тарас шевчук купив у вас", "мене звати <NAME> купив у вас"),
    ("З повагою, Іван Франко", "З повагою, <NAME>"),
    ("Меня зовут Анна Петровна Иванова, жду", "Меня зовут <NAME>, жду"),
    ("меня зовут анна купила телефон", "меня зовут <NAME> купила телефон"),
    ("Заказ на имя Сергей Ким потеряли", "Заказ на имя <NAME> потеряли"),
    ("My name is John F. Kennedy and I waited", "My name is <NAME> and I waited"),
    ("my name is mary smith and i waited", "my name is <NAME> and i waited"),
    ("My name's Mrs. Smith", "My name's <NAME>"),
    ("I am called Bob", "I am called <NAME>"),
    ("Jan: jan@wp.pl, 600123456", "Jan: <EMAIL>, <PHONE>"),
]

HARMLESS = [
    "Szkoda nr 512345678",
    "nr zlecenia 512345678",
    "claim number 601234567",
    "Номер претензии 512345678",
    "Особовий рахунок 0671234567",
    "Zamówienie numer 601234567, proszę o telefon",
    "https://sklep.pl/produkt/601234567",
    "kolacja @ 19.30 była zimna",
    "zamówienie 512345678 nie przyszło",
    "Numer zamówienia: 5251047131",
    "zamówienie nr 85071212347",
    "замовлення 3124567896 загубили",
    "заказ № 7712345671 потеряли",
    "order 4532015112830366 never came",
    "5251047131",
    "3124567896 - і що це?",
    "16072239447 пришло",
    "ТТН 20450123456789",
    "paczka 520000014238745123456789",
    "tracking 1Z999AA10123456784",
    "faktura FV/2024/05/123456",
    "FV 123456/05/2024 bez rabatu",
    "Zapłaciłem 1 234 567,89 zł",
    "kosztuje 500 600 700 zł",
    "ціна 600 123 456 грн",
    "12.05.2024 14:30 do 16:00",
    "2024-05-12 14:30:22",
    "12/05/2024-14/06/2024",
    "w latach 2019-2023 było lepiej",
    "iPhone 14 Pro 128",
    "Samsung Galaxy S23 Ultra 512GB i WH-1000XM5",
    "10/10, 24/7, +20%, 100%",
    "99,9% z 1000000 osób",
    "lot LO 3905 i FR 1234",
    "00-950 Warszawa",
    "01001 Київ, 101000 Москва",
    "artykuł 5901234123457",
    "EAN 5901234123457",
    "артикул 123456789",
    "kod 123456",
    "SMS 123456 nie doszedł",
    "ABC 123 456",
    "nr 100237 poz 100242",
    "Xiaomi 13T 8/256, 5000 mAh",
    "IP 192.168.100.200",
    "wersja 10.15.7 build 19H2026",
    "wynik 3:0, 1234 punktów",
    "https://shop.pl/buty",
    "https://shop.pl/buty?size=42&color=red",
    "https://allegro.pl/oferta/buty-zimowe-512345678",
    "www.shop.pl/iphone-14-pro-128gb-czarny-zimowe-etui",
    "sklep.pl lepszy niż inny.com.ua",
    "@obsluga dzięki, cena 5@10",
    "z tej strony Wisły jest sklep",
    "z tej strony nie wchodzę",
    "mówi Pan bzdury",
    "Pozdrawiam serdecznie cały zespół",
    "Pozdrawiam! Obsługa była 5 na 5",
    "Pozdrawiam. Dramat.",
    "Pozdrawiam Panią z okienka, super obsługa",
    "меня зовут только когда надо",
    "меня никто не зовет",
    "мене звати не треба",
    "my name is not on the list",
    "my name is misspelled",
    "I am called every day by your bot",
    "this is Terrible service",
    "user wrote <PHONE> and <EMAIL>",
    "Kurier spóźnił się trzy dni, a na infolinii nikt nie odbiera.",
    "👍👍👍",
    "",
]


@pytest.mark.parametrize(("text", "expected"), PERSONAL)
def test_personal_data_is_taken_out(redactor: Redactor, text: str, expected: str) -> None:
    assert redactor.redact(text).text == expected


@pytest.mark.parametrize("text", HARMLESS)
def test_look_alikes_stay(redactor: Redactor, text: str) -> None:
    redacted = redactor.redact(text)
    assert redacted.text == text
    assert redacted.redactions == ()


def test_offsets_count_code_points_of_the_redacted_text(redactor: Redactor) -> None:
    redacted = redactor.redact("😀 Jan, jan@wp.pl, tel. 600 123 456 👍 <PHONE>")
    assert redacted.text == "😀 Jan, <EMAIL>, tel. <PHONE> 👍 <PHONE>"
    assert [(r.kind, r.start, r.end) for r in redacted.redactions] == [("EMAIL", 7, 14), ("PHONE", 21, 28)]


def test_the_longest_match_names_an_overlap(redactor: Redactor) -> None:
    assert redactor.redact("https://shop.pl/k?email=jan@wp.pl&tel=+48600123456").text == "<URL>"


def test_a_context_word_decides_between_kinds_of_one_length(redactor: Redactor) -> None:
    assert redactor.redact("NIP 525-104-71-31, tel. 601-123-456").text == "NIP <NIP>, tel. <PHONE>"
    assert redactor.redact("ИНН 7712345671").text == "ИНН <INN>"
    assert redactor.redact("РНОКПП 2845123453").text == "РНОКПП <RNOKPP>"


def test_a_context_word_that_a_placeholder_brings_near_still_counts(redactor: Redactor) -> None:
    text = f"nip: {'x' * 60}@wp.pl 5251047131"
    assert redactor.redact(text).text == "nip: <EMAIL> <NIP>"


PIECES = st.sampled_from(
    [text for text, _ in PERSONAL]
    + HARMLESS
    + [" ", "\n", ", ", "tel ", "NIP ", "<PHONE>", "<", ">", "+", "48", "/", "nr "]
)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=5).map("".join), st.text("0123456789 +-()@.<>telNIP")))
def test_redaction_is_idempotent_and_offsets_hold(redactor: Redactor, text: str) -> None:
    redacted = redactor.redact(text)
    assert redactor.redact(redacted.text).text == redacted.text
    end = 0
    for redaction in redacted.redactions:
        assert redaction.start >= end
        end = redaction.end
        assert redacted.text[redaction.start : end] == f"<{redaction.kind}>"


@pytest.mark.parametrize("unit", ["a", "1", "1 ", "a.", "a@", "+4", "www.", "a-", "мене звати ", "A1"])
def test_a_text_of_the_greatest_length_takes_no_more_than_its_share(redactor: Redactor, unit: str) -> None:
    text = unit * (10_000 // len(unit))
    redacted = redactor.redact(text)
    assert redactor.redact(redacted.text).text == redacted.text
