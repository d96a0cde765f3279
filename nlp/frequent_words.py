"""Very frequent short words by language, for texts too short for letter statistics; typed with and without accents."""

import unicodedata

_WORDS = {
    "pl": """
        a albo ale ani apka bank bardziej bardzo bez beznadzieja beznadziejnie bo brak brawo brud by byli bym być był
        była było cena ceny cenę chamstwo chyba ciekawe ciągle ciężko co coś czas czasem czekam czy czyli często dalej
        daleko dał dała dla dlaczego dno do dobra dobre dobry dobrze dostawa dostawy dość dramat drogie drogo drożej
        dużo dwa dziesięć dzień dzięki dziękuję długo ekstra fajna fajne fajnie fajny fatalna fatalnie fatalny gdy
        gdzie go godzina godziny gorzej gówno i ich ile inne inny ja jak jaka jakie jako jakości jakość jeden jest
        jestem jeszcze jeśli już karta kasa kasy każdy kicha kiedy kiepska kiepski kiepsko klient klienta kod kolejka
        kolejki kolejny komentarza kontakt konto koszmar kpina kto która które który kurier lepiej lepszy lipa lub
        ludzie ma mają mam masakra mega mi miejsca miejsce miła miło miły mnie moja moje może można mój na nadal
        najlepsza najlepsze najlepszy nam nasz nawet nic nie niestety niezła nieźle nigdy nikt niż normalnie nowy
        numer o obsługa obsługi obsługę ocena od odpowiedzi odradzam ok okej on ona oni opinii opłaty oszustwo oszuści
        paczka paczki pan pani panie pieniądze pięć po poczta pod polecam polecę pomoc pomocy ponieważ poprawa porażka
        powinno pozdrawiam poziom poziomie pracownicy pracownik prawie problem problemy problemów produkt proste
        prosto prosty proszę prowizja przeciętnie przed przez przy przyjemnie punktualnie rachunek raczej razem
        reklamacja rewelacja rozczarowanie siebie się sklep skąd slabiutko smacznie spoko sprawnie strona super syf
        szybka szybko są słaba słabe słabo słaby ta tak taka taki takie tam tanio te tego tej telefon temu ten to
        tragedia troche trochę trudno trzy tu tutaj tych tyle tylko tym u umowa uprzejma uprzejmi uwag w wam was we
        wiem więc więcej wolna wolno wolny wszyscy wszystko wygoda wygodnie wyjątkowo wysoka wysokie wystarczy za
        zadowolona zadowolony zamówienie zawiodłem zawsze zbyt zdania ze zero zgodnie zimno zmienić zwrot zwroty zła
        złe złodzieje zły ładne ładnie ładny średnia średnio świetna świetnie świetny źle żaden żadna żadnych że
        żenada żona życzliwi""",
    "uk": """
        а або адже але без безкоштовно би бо бракує був була були було більше варто вас ввічливо ввічливі вдячна
        вдячний вже взагалі ви виконано все всього всюди всі всім вчасно від відділення відмінно відповідають
        відповідь відповіді гаразд гарна гарне гарний гарно гривень грошей гроші дай дали де день дешево дешевше для
        дно до добра добре добрий добрі довго доволі довіряю допомога допомогли дорого дорогувато дорожче досить
        доставка доставки дуже дякую дякуємо ефективно жаль жах жахлива жахливий жахливо жодних з за завелика завжди
        задоволена задоволений задоволені замало замовлення замовляв замовляла занадто зарплата зате зауважень зв'язок
        звичайно звісно зле знижка знижки зробили зробіть зрозуміло зручна зручний зручно зі й його кепсько клас
        класно кльово коли коментарів комісія краще кращий кур'єр лише люблю людей люди магазин майже мало маю мають
        має мене менше мені могли може можна можу молодці моя моє мої мій на навіть навіщо нажаль нам нас наш не
        незручно нема немає непогано неприємно неякісно норм нормальна нормальне нормально нормас нудно ні нікого
        ніколи нікому ніхто нічогенько нічого обман обслуговування один окей оператор от охайно оцінка очікував
        очікування п'ять персонал поверніть повільно погана погане поганенько поганий погано подзвоніть подобається
        поки покращити помилка помилки працюють працює привезли привіт привітні прийшла прийшов приємно про проблем
        проблема просто проте пізно після раджу рекомендую робота розумію рівень сайт свою свої себе сервіс скажу
        складно скільки слабко смачно сподобалось справді супер та так така таке такий там те теж телефон ти товар
        того той тому топ треба трохи тут тільки у увічливі усе усього усі усім файно хай хамство хотілося хочеться
        хочу хто це цей ця ці ціна ціни ціною час часто чекав чекала чекаю черга черги через чи чисто чому чудова
        чудове чудовий чудово швидка швидкий швидко шкода щаслива щасливий щастя ще щиро що щоб щодо щось як яка якби
        яке який якості які якісно якість є і із інколи іноді інше їх її""",
    "ru": """
        а адекватно без безобразие благодарен благодарна благодарю более больше будет бы был была были было быстрая
        быстро быстрый в вам вас ваш вежливо вежливые вежливый везде великолепно верните вкусно во возможно вообще вот
        время все всегда всего всем всё вы высокая высокие где грубо грязно да даже дайте два дело денег день деньги
        дешево для дно до доволен довольна довольно довольны долго должны дорого дороговато доставка доставки достойно
        дёшево его ее если есть еще ещё жаль ждал ждать жду же за замечательно затрудняюсь здесь и из или именно
        иногда интересно их к каждый как какая какой качества качественно качество класс классная классно когда
        комиссия комментариев конечно кошмар круто кто куда курьер лень лет лучше лучший люблю людей люди магазин мало
        мда медленно меня мне много могли могу мое может можно мой молодцы мошенники моя моё мы на надо нам нас наш не
        невозможно недорого незнаю ней некогда неплохо нет неудобно нечего никак никаких никакого никогда никому никто
        ничего но норм нормальная нормально нормальный нравится нужно о обман обманули обслуживание обслуживания
        обслуживают один однако он она они оператор от отвратительно отзыв отличная отлично отличный отстой отсутствие
        оформление очень очереди очередь ошибка ошибки персонал плохая плохие плохо плохой по под пожалуйста пока
        помогли помощь понравилось понятно после потому почему почти прекрасно привезли привет приятно про проблем
        проблема проблемы просто против пять работа работает работают раз рекомендую рублей с сайт самый свои свою
        себя сейчас сервис сервиса сказать скидка скидки сколько скорость слабо слишком сложно сломался со сотрудники
        спасибо спс средне стало стоит супер такая такое такой там телефон тем то товар того тоже только тот точно
        трудно туда ты тянет у удобная удобно удобный ужас ужасно ужасный уже улучшить успех устраивает фу хамство
        хорошая хороший хорошо хотелось хочу хуже цена ценой цены час часто чего чем через чисто что чтобы эта эти это
        этого этот я яркий""",
    "en": """
        a about absolutely after again all also always am amazing an and annoying any anything app are as at average
        awesome awful bad bank be because been before being best better big bit boring brilliant but buy by call can
        can't cannot cant card changing cheap cheaper clean close cold comment comments confusing could crap customer
        customers delivery did didn't didnt dirty disappointed disappointing do does doesn't doesnt don't done dont
        down easy enough even ever every everyone everything excellent expectations expensive fair fast fee fees few
        fine first food for friendly from garbage get give good got great had happy hard has have he help helpful her
        here him his horrible how i i'm idk if im in into is isn't it it's its joke just kind know lack late later
        less like long lot love lovely make many me mediocre meh mine money more most much my na nah name need needs
        never new nice no nobody none nope not nothing now of off ok okay old on once one only or order other our out
        outstanding over overpriced people perfect pleasant please poor poorly pretty price prices pricey problem
        problems product professional quality queue quick quickly quite rather ratings really recommend refund
        reliable rubbish rude same satisfied say see service she should simple site slow slowly smooth so some
        something sorry staff star still stuff such sucks super support sure take terrible than thank thanks that
        that's thats the their them then there they thing things think this time to too top two ugly unhelpful until
        up us use useful useless value very wait waiting want was wasn't waste way we well went were what when where
        which while who why will with won't work worked working works worse worst worth would wrong yep yes you your
        yours""",
}
# What only one of two close languages puts at the end of a word.
_ENDINGS = {
    "uk": "ння ття ти тися лася лися вся ний ський ська цтво ував увала ець ею",
    "ru": "ть тся лась лись лся ние ния ость ая яя ое ее ие ой ешь ишь тво ец вь бь мь пь рь чь",
}
_ACCENTED_L = str.maketrans("łŁ", "lL")


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.translate(_ACCENTED_L))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _lexicon(language: str) -> frozenset[str]:
    words = frozenset(_WORDS[language].split())
    # Polish is often typed on an English keyboard; Cyrillic letters with marks are letters of their own.
    return words | {_plain(word) for word in words} if language == "pl" else words


FREQUENT: dict[str, frozenset[str]] = {language: _lexicon(language) for language in _WORDS}
ENDINGS: dict[str, tuple[str, ...]] = {language: tuple(ends.split()) for language, ends in _ENDINGS.items()}
