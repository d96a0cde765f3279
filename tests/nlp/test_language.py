"""The language of a text, however short; what lies outside the supported four; and what the hint may and may not do."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.language import LanguageDetector

SHORT = {
    "pl": """brak | drogo | nic | wszystko ok | jest dobrze | bez uwag | polecam | nie wiem | za drogo | miła obsługa
        | szybko i sprawnie | słabo | nie mam | zawsze na czas | długie kolejki | dziekuje bardzo | zadowolony
        | w porządku | tragedia | fajnie | szybka dostawa | tak | wszystko super | obsluga | Najlepszy sklep
        | nigdy więcej""",
    "uk": """дорого й довго | все добре | нічого | так | дякую | довго чекав | не подобається | жахливо | все чудово
        | швидка доставка | немає зауважень | якість | привітний персонал | зручно | погано | задоволена | раджу всім
        | дуже дякую | немає | хороша ціна, дякую | зламався | я не знаю що | кур'єр запізнився | кур’єр | нема
        | ще чекаю""",
    "ru": """всё хорошо | ничего | да | спасибо | долго ждал | не нравится | ужасно | отлично | быстрая доставка
        | нет замечаний | качество | вежливый персонал | удобно | плохо | всё устраивает | советую всем | нет
        | хорошие цены | сломался | курьер опоздал | очень медленно | никогда больше | приятные люди | всё ок
        | нормальный сервис | обманули""",
    "en": """good | slow | nothing | all good | too expensive | none | great service | friendly staff | not sure | bad
        | it broke | very poor | never again | excellent | no comment | still waiting | love it | nice people | price
        | quick delivery | awful | works well | the app | could be better | thank you | yes""",
}

LONG = {
    "pl": """Kurier spóźnił się trzy dni i nikt nie przeprosił | dziekuje za szybka obsluge i mila rozmowe
        | Aplikacja zawiesza się przy każdym logowaniu | w sklepie zawsze jest czysto a ceny sa niskie
        | Nie mogę dodzwonić się na infolinię od tygodnia | Bank pobrał opłatę, o której nikt mi nie powiedział
        | bardzo dobra jakosc, ale za dlugo czekalem na paczke | Pani w okienku była opryskliwa i niekompetentna
        | zwrot pieniedzy dopiero po dwoch miesiacach | Telefon działa bez zarzutu, bateria trzyma dwa dni
        | Pokój brudny, śniadanie zimne, a cena jak w pałacu | polecam wszystkim, swietny kontakt ze sprzedawca
        | Umówiona wizyta została odwołana bez słowa wyjaśnienia | Produkt zgodny z opisem, szybka przesyłka
        | prosze o zmiane godzin otwarcia w sobote | Strona jest nieczytelna i nie da się zapłacić kartą
        | Lekarz wysłuchał mnie i wszystko wytłumaczył | nie polecam, buty rozkleily sie po tygodniu
        | Internet zrywa się wieczorami, a technik nie przyjeżdża | Ceny poszły w górę, a jakość w dół
        | reklamacja odrzucona bez podania przyczyny | Obsługa na medal, na pewno wrócę
        | jedzenie smaczne tylko porcje male | Zamówiłem iPhone 14 Pro, a przyszedł inny model
        | Świetny wybór i konkurencyjne ceny, oby tak dalej | Nikt nie odpowiada na maile ani na czacie""",
    "uk": """Кур'єр запізнився на три дні і ніхто не вибачився | Дуже швидка доставка та приємний персонал
        | Застосунок постійно вилітає під час оплати | не можу додзвонитися до оператора вже тиждень
        | Банк зняв комісію, про яку мене не попередили | У магазині завжди чисто, а продавці уважні
        | Товар прийшов пошкоджений, гроші не повертають | Лікар усе пояснив, дуже задоволена прийомом
        | Номер брудний, сніданок холодний, а ціна висока | рекомендую всім друзям, чудовий сервіс
        | Довго чекали на замовлення, але смак чудовий | Подобається що можна все зробити онлайн
        | Замовляла два рази, обидва рази переплутали розмір | телефон працює добре, батарея тримає два дні
        | Зателефонуйте мені, будь ласка, щодо повернення | Інтернет зникає щовечора, а майстер не приходить
        | Ціни зросли, а якість стала гіршою | вода тече зі стелі, нікому немає діла
        | Хочу щоб працювали також у неділю | Зручно платити карткою, але черги довгі
        | Взуття розклеїлось за тиждень носіння | все сподобалось, тільки порції замалі
        | Менеджер допоміг з вибором і не нав'язував зайвого | Обіцяли знижку, а на касі її не було
        | Дитина була у захваті від подарунка | Не раджу зв'язуватися з цією компанією""",
    "ru": """Курьер опоздал на три дня и никто не извинился | Очень быстрая доставка и приятный персонал
        | Приложение постоянно вылетает во время оплаты | не могу дозвониться до оператора уже неделю
        | Банк снял комиссию, о которой меня не предупредили | В магазине всегда чисто, а продавцы внимательные
        | Товар пришёл повреждённый, деньги не возвращают | Врач всё объяснил, очень довольна приёмом
        | Номер грязный, завтрак холодный, а цена высокая | рекомендую всем друзьям, отличный сервис
        | Долго ждали заказ, но вкус прекрасный | Нравится что можно всё сделать онлайн
        | Заказывала два раза, оба раза перепутали размер | телефон работает хорошо, батарея держит два дня
        | Позвоните мне, пожалуйста, по поводу возврата | Интернет пропадает каждый вечер, а мастер не приходит
        | Цены выросли, а качество стало хуже | вода течет с потолка, никому нет дела
        | Хочу чтобы работали также в воскресенье | Удобно платить картой, но очереди длинные
        | Обувь расклеилась за неделю носки | все понравилось, только порции маленькие
        | Менеджер помог с выбором и не навязывал лишнего | Обещали скидку, а на кассе ее не было
        | Ребенок был в восторге от подарка | Не советую связываться с этой компанией""",
    "en": """The courier was three days late and nobody apologised | Very quick delivery and friendly staff
        | The app keeps crashing when I try to pay | cannot reach anyone on the phone for a week
        | The bank charged a fee nobody told me about | The store is always clean and the staff attentive
        | The parcel arrived damaged and I got no refund | The doctor explained everything, very happy
        | Dirty room, cold breakfast, high price | would recommend to all my friends, brilliant service
        | We waited ages for our order but the taste was great | I like that everything can be done online
        | Ordered twice, both times the wrong size | phone works well, battery lasts two days
        | Please call me about my refund | The internet drops every evening and no technician comes
        | Prices went up and quality went down | water dripping from the ceiling, nobody cares
        | I wish you were open on Sundays too | Easy to pay by card but long queues
        | Shoes fell apart after a week | liked everything, only the portions are small
        | The manager helped me choose and did not push | Promised a discount that was missing at the till
        | My daughter loved her present | Stay away from this company""",
}

FOREIGN = [
    ("be", "Кур'ер прыехаў позна і ніхто не патлумачыў чаму"),
    ("be", "Вельмі добры магазін, усё спадабалася, дзякуй"),
    ("bg", "Много добро обслужване, доставката беше бърза и точна"),
    ("bg", "Всичко е наред, благодаря за бързата доставка"),
    ("sr", "Достава је каснила три дана и нико се не јавља"),
    ("cs", "Kurýr přijel pozdě a nikdo mi nezavolal"),
    ("cs", "vsechno bylo v poradku a dodani bylo rychle"),
    ("sk", "Veľmi dobrá obsluha, všetko bolo v poriadku"),
    ("de", "Der Kundenservice ist leider sehr langsam"),
    ("de", "sehr schön"),
    ("pt", "A entrega demorou muito e ninguém respondeu"),
    ("es", "El servicio fue muy malo y nadie contesta"),
    ("fr", "Le livreur était en retard et personne ne répond"),
    ("it", "Il servizio clienti non risponde mai al telefono"),
    ("nl", "De bezorging was te laat en niemand neemt op"),
    ("ro", "Livrarea a întârziat și nimeni nu răspunde la telefon"),
    ("hu", "A szállítás nagyon lassú volt és senki nem válaszolt"),
    ("lt", "Kurjeris vėlavo ir niekas neatsiliepė į skambučius"),
    ("tr", "Kargo çok geç geldi ve kimse telefona bakmadı"),
    ("kk", "Жеткізу өте баяу болды және ешкім жауап бермеді"),
    ("el", "Η παράδοση άργησε πολύ"),
    ("ka", "მომსახურება ძალიან კარგია"),
    ("zh", "服务很好"),
]


@pytest.fixture(scope="module")
def detector() -> LanguageDetector:
    return LanguageDetector()


def rows(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(code, " ".join(text.split())) for code, texts in table.items() for text in texts.split("|")]


@pytest.mark.parametrize(("code", "text"), rows(SHORT) + rows(LONG))
def test_supported_languages(detector: LanguageDetector, code: str, text: str) -> None:
    language = detector.detect(text)
    assert (language.code, language.supported) == (code, True)


@pytest.mark.parametrize(("code", "text"), FOREIGN)
def test_other_languages_come_out_as_themselves(detector: LanguageDetector, code: str, text: str) -> None:
    language = detector.detect(text)
    assert (language.code, language.supported) == (code, False)


@pytest.mark.parametrize("hint", ["uk", "ru"])
@pytest.mark.parametrize("text", ["ок", "дно", "норм", "супер", "за упаковку", "все ок"])
def test_a_hint_decides_where_both_languages_write_the_same(detector: LanguageDetector, text: str, hint: str) -> None:
    assert detector.detect(text, hint).code == hint
    assert detector.detect(text, f"{hint.upper()}-UA").code == hint


@pytest.mark.parametrize("hint", ["pl", "en"])
@pytest.mark.parametrize("text", ["ok", "super", "n/a", "xd"])
def test_a_hint_decides_between_latin_languages(detector: LanguageDetector, text: str, hint: str) -> None:
    assert detector.detect(text, hint).code == hint


@pytest.mark.parametrize(("code", "text"), [row for row in rows(LONG) if len(row[1]) > 30])
@pytest.mark.parametrize("hint", ["pl-PL", "uk", "ru_RU", "en", "de", "nonsense", ""])
def test_a_hint_does_not_command(detector: LanguageDetector, code: str, text: str, hint: str) -> None:
    assert detector.detect(text, hint).code == code


@pytest.mark.parametrize("text", ["", "  \n", "10/10", "👍👍", "!!!", "<PHONE>", "<EMAIL> 5", "https://shop.pl/buty"])
@pytest.mark.parametrize(("hint", "code"), [(None, "und"), ("uk-UA", "uk"), ("PL", "pl"), ("de", "und"), ("", "und")])
def test_without_letters_the_hint_is_all_there_is(
    detector: LanguageDetector, text: str, hint: str | None, code: str
) -> None:
    language = detector.detect(text, hint)
    assert (language.code, language.supported) == (code, True)
    assert language.confidence == 0.0


def test_placeholders_do_not_count(detector: LanguageDetector) -> None:
    for text in ("дякую", "drogo", "плохо"):
        assert detector.detect(f"@shop {text} <PHONE> <ID_CARD> <NAME>") == detector.detect(text)


def test_other_languages_can_be_supported() -> None:
    german = LanguageDetector(("de", "pl")).detect("Der Kundenservice ist leider sehr langsam")
    assert (german.code, german.supported) == ("de", True)


def test_confidence_grows_with_what_there_is_to_read(detector: LanguageDetector) -> None:
    assert detector.detect("ок").confidence < 0.7
    assert detector.detect("Кур'єр запізнився на три дні і ніхто не вибачився").confidence > 0.95


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from([None, "pl", "uk", "ru-RU", "x", "-", "de"]))
def test_any_text_has_an_answer_and_always_the_same(detector: LanguageDetector, text: str, hint: str | None) -> None:
    language = detector.detect(text, hint)
    assert 0.0 <= language.confidence <= 1.0
    assert language.code
    assert language.supported == (language.code in {"pl", "uk", "ru", "en", "und"})
    assert detector.detect(text, hint) == language


def test_one_detector_serves_many_threads() -> None:
    shared = LanguageDetector()
    texts = [text for _, text in rows(LONG)] * 2
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shared.detect, texts)) == [shared.detect(text) for text in texts]


def test_the_model_is_not_loaded_before_it_is_needed() -> None:
    script = "import sys, nlp.language as l; l.LanguageDetector(); sys.exit('py3langid' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], timeout=60, check=False)
    assert run.returncode == 0
