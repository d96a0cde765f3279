"""Sixty made-up answers about three problems in four languages, by problem and language."""

TEXTS: dict[str, dict[str, tuple[str, ...]]] = {
    "delivery": {
        "en": (
            "The courier came three days late and nobody told me anything.",
            "My parcel arrived a week after the promised day.",
            "Delivery was late again, I waited at home for nothing.",
            "The package came two days later than the courier had promised.",
            "I waited five days too long for the delivery of my parcel.",
        ),
        "pl": (
            "Kurier przyjechał trzy dni za późno i nikt mnie nie uprzedził.",
            "Paczka dotarła tydzień po obiecanym terminie.",
            "Dostawa znowu się spóźniła, czekałam w domu na darmo.",
            "Przesyłka przyszła dwa dni później, niż obiecał kurier.",
            "Na dostawę paczki czekałem o pięć dni za długo.",
        ),
        "uk": (
            "Кур'єр приїхав на три дні пізніше, і ніхто мене не попередив.",
            "Посилка прийшла через тиждень після обіцяного дня.",
            "Доставка знову запізнилася, я марно чекала вдома.",
            "Пакунок привезли на два дні пізніше, ніж обіцяв кур'єр.",
            "Доставки посилки довелося чекати на п'ять днів довше.",
        ),
        "ru": (
            "Курьер приехал на три дня позже, и никто меня не предупредил.",
            "Посылка пришла через неделю после обещанного дня.",
            "Доставка опять опоздала, я зря ждала дома.",
            "Посылку привезли на два дня позже, чем обещал курьер.",
            "Доставки посылки пришлось ждать на пять дней дольше.",
        ),
    },
    "charge": {
        "en": (
            "You charged my card twice for the same invoice.",
            "The money for one bill was taken from my account two times.",
            "My card was charged double and nobody gave the money back.",
            "I paid the invoice once, but the payment was taken twice.",
            "A double payment was booked on my bank account for one bill.",
        ),
        "pl": (
            "Obciążyliście moją kartę dwa razy za tę samą fakturę.",
            "Pieniądze za jeden rachunek pobrano z konta dwukrotnie.",
            "Z karty ściągnięto podwójną kwotę i nikt nie oddał pieniędzy.",
            "Zapłaciłem fakturę raz, a płatność pobrano dwa razy.",
            "Na koncie zaksięgowano podwójną płatność za jeden rachunek.",
        ),
        "uk": (
            "Ви двічі зняли гроші з моєї картки за той самий рахунок.",
            "Гроші за один рахунок списали з картки два рази.",
            "З картки зняли подвійну суму, і ніхто не повернув грошей.",
            "Я оплатив рахунок один раз, а платіж списали двічі.",
            "З банківського рахунку двічі списали оплату за одну квитанцію.",
        ),
        "ru": (
            "Вы дважды сняли деньги с моей карты за один и тот же счёт.",
            "Деньги за один счёт списали с карты два раза.",
            "С карты сняли двойную сумму, и никто не вернул денег.",
            "Я оплатил счёт один раз, а платёж списали дважды.",
            "С банковского счёта дважды списали оплату за одну квитанцию.",
        ),
    },
    "crash": {
        "en": (
            "The app crashes every time I try to log in.",
            "Since the update the application closes right after the password.",
            "I cannot sign in, the mobile app freezes on the login screen.",
            "Your app keeps crashing at login on my phone.",
            "The application hangs when I enter my password.",
        ),
        "pl": (
            "Aplikacja wyłącza się za każdym razem, gdy próbuję się zalogować.",
            "Od aktualizacji aplikacja zamyka się zaraz po wpisaniu hasła.",
            "Nie mogę się zalogować, aplikacja zawiesza się na ekranie logowania.",
            "Wasza aplikacja ciągle się wysypuje przy logowaniu na telefonie.",
            "Aplikacja zawiesza się, gdy wpisuję hasło.",
        ),
        "uk": (
            "Застосунок вилітає щоразу, коли я намагаюся увійти.",
            "Після оновлення застосунок закривається одразу після введення пароля.",
            "Не можу увійти, мобільний застосунок зависає на екрані входу.",
            "Ваш застосунок постійно вилітає під час входу на телефоні.",
            "Застосунок зависає, коли я вводжу пароль.",
        ),
        "ru": (
            "Приложение вылетает каждый раз, когда я пытаюсь войти.",
            "После обновления приложение закрывается сразу после ввода пароля.",
            "Не могу войти, мобильное приложение зависает на экране входа.",
            "Ваше приложение постоянно вылетает при входе на телефоне.",
            "Приложение зависает, когда я ввожу пароль.",
        ),
    },
}
