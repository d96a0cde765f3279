"""The words of messages to people, in the languages a channel may choose."""

from collections.abc import Mapping

Words = Mapping[str, str]
"""By language."""

TITLES: Mapping[str, Words] = {
    "response.thanked": {
        "pl": "Klient, któremu warto podziękować",
        "uk": "Клієнт, якому варто подякувати",
        "ru": "Клиент, которого стоит поблагодарить",
        "en": "A customer to thank",
    },
    "response.flagged": {
        "pl": "Opinia wymaga uwagi",
        "uk": "Відгук потребує уваги",
        "ru": "Отзыв требует внимания",
        "en": "A response needs attention",
    },
    "case.opened": {
        "pl": "Nowa sprawa, priorytet {priority}",
        "uk": "Нове звернення, пріоритет {priority}",
        "ru": "Новое обращение, приоритет {priority}",
        "en": "New case, priority {priority}",
    },
    "case.assigned": {
        "pl": "Sprawa przydzielona, priorytet {priority}",
        "uk": "Звернення призначено, пріоритет {priority}",
        "ru": "Обращение назначено, приоритет {priority}",
        "en": "Case assigned, priority {priority}",
    },
    "case.due_soon": {
        "pl": "Zbliża się termin kontaktu, priorytet {priority}",
        "uk": "Наближається строк контакту, пріоритет {priority}",
        "ru": "Приближается срок контакта, приоритет {priority}",
        "en": "Contact is due soon, priority {priority}",
    },
    "case.breached": {
        "pl": "Minął termin kontaktu, priorytet {priority}",
        "uk": "Строк контакту минув, пріоритет {priority}",
        "ru": "Срок контакта прошёл, приоритет {priority}",
        "en": "Contact is overdue, priority {priority}",
    },
    "case.escalated": {
        "pl": "Sprawa przekazana wyżej, priorytet {priority}",
        "uk": "Звернення передано вище, пріоритет {priority}",
        "ru": "Обращение передано выше, приоритет {priority}",
        "en": "Case escalated, priority {priority}",
    },
    "case.resolved": {
        "pl": "Sprawa rozwiązana",
        "uk": "Звернення вирішено",
        "ru": "Обращение решено",
        "en": "Case resolved",
    },
    "case.unreachable": {
        "pl": "Nie udało się skontaktować z klientem",
        "uk": "Не вдалося зв’язатися з клієнтом",
        "ru": "Не удалось связаться с клиентом",
        "en": "The customer could not be reached",
    },
    "case.reopened": {
        "pl": "Sprawa otwarta ponownie, priorytet {priority}",
        "uk": "Звернення відкрито знову, пріоритет {priority}",
        "ru": "Обращение открыто снова, приоритет {priority}",
        "en": "Case reopened, priority {priority}",
    },
    "theme.spike": {
        "pl": "Więcej opinii niż zwykle: {name}",
        "uk": "Більше відгуків, ніж зазвичай: {name}",
        "ru": "Отзывов больше обычного: {name}",
        "en": "More comments than usual: {name}",
    },
    "cluster.emerging": {
        "pl": "Pojawia się nowy problem: {name}",
        "uk": "З’являється нова проблема: {name}",
        "ru": "Появляется новая проблема: {name}",
        "en": "A new issue is emerging: {name}",
    },
    "model.promoted": {
        "pl": "Nowy model w użyciu: {name}",
        "uk": "Використовується нова модель: {name}",
        "ru": "Используется новая модель: {name}",
        "en": "A new model is in use: {name}",
    },
    "import.finished": {
        "pl": "Import zakończony",
        "uk": "Імпорт завершено",
        "ru": "Импорт завершён",
        "en": "Import finished",
    },
    "channel.test": {
        "pl": "Wiadomość próbna: ten kanał działa",
        "uk": "Тестове повідомлення: цей канал працює",
        "ru": "Тестовое сообщение: этот канал работает",
        "en": "Test message: this channel works",
    },
}

LABELS: Mapping[str, Words] = {
    "message": {"pl": "Wiadomość", "uk": "Повідомлення", "ru": "Сообщение", "en": "Message"},
    "why": {"pl": "Dlaczego", "uk": "Чому", "ru": "Почему", "en": "Why"},
    "said": {"pl": "Klient napisał", "uk": "Клієнт написав", "ru": "Клиент написал", "en": "The customer wrote"},
    "theme": {"pl": "Temat", "uk": "Тема", "ru": "Тема", "en": "Theme"},
    "team": {"pl": "Zespół", "uk": "Команда", "ru": "Команда", "en": "Team"},
    "assignee": {"pl": "Osoba", "uk": "Відповідальний", "ru": "Ответственный", "en": "Assigned to"},
    "unit": {"pl": "Placówka", "uk": "Підрозділ", "ru": "Подразделение", "en": "Unit"},
    "due": {"pl": "Kontakt do", "uk": "Зв’язатися до", "ru": "Связаться до", "en": "Contact by"},
    "attempts": {"pl": "Próby kontaktu", "uk": "Спроби контакту", "ru": "Попытки контакта", "en": "Attempts"},
    "done": {"pl": "Wiersze przyjęte", "uk": "Рядків прийнято", "ru": "Строк принято", "en": "Rows taken"},
    "refused": {"pl": "Wiersze odrzucone", "uk": "Рядків відхилено", "ru": "Строк отклонено", "en": "Rows refused"},
    "count": {"pl": "Zdarzenia", "uk": "Події", "ru": "События", "en": "Events"},
    "link": {"pl": "Odnośnik", "uk": "Посилання", "ru": "Ссылка", "en": "Link"},
    "about": {"pl": "Dotyczy", "uk": "Стосується", "ru": "Относится к", "en": "About"},
    "reference": {"pl": "Numer", "uk": "Номер", "ru": "Номер", "en": "Reference"},
    "period": {"pl": "Okres", "uk": "Період", "ru": "Период", "en": "Period"},
    "responses": {"pl": "Odpowiedzi", "uk": "Відповіді", "ru": "Ответы", "en": "Responses"},
    "negative": {"pl": "Negatywne", "uk": "Негативні", "ru": "Отрицательные", "en": "Negative"},
    "opened": {"pl": "Nowe sprawy", "uk": "Нові звернення", "ru": "Новые обращения", "en": "Cases opened"},
    "open": {"pl": "Sprawy w toku", "uk": "Звернення в роботі", "ru": "Обращения в работе", "en": "Cases open"},
    "overdue": {"pl": "Po terminie", "uk": "Прострочені", "ru": "Просроченные", "en": "Overdue"},
    "in_time": {
        "pl": "Kontakt w terminie",
        "uk": "Контакт у строк",
        "ru": "Контакт в срок",
        "en": "Contacted in time",
    },
    "themes": {
        "pl": "Najczęstsze skargi",
        "uk": "Найчастіші скарги",
        "ru": "Самые частые жалобы",
        "en": "Most frequent complaints",
    },
    "praise": {"pl": "pochwały", "uk": "похвали", "ru": "похвалы", "en": "praise"},
    "complaints": {"pl": "skargi", "uk": "скарги", "ru": "жалобы", "en": "complaints"},
    "quotes": {"pl": "Z wypowiedzi", "uk": "З відгуків", "ru": "Из отзывов", "en": "In their words"},
    "before": {"pl": "wcześniej", "uk": "раніше", "ru": "ранее", "en": "before"},
    "priority": {"pl": "priorytet", "uk": "пріоритет", "ru": "приоритет", "en": "priority"},
    "none": {"pl": "brak", "uk": "немає", "ru": "нет", "en": "none"},
}

DIGESTS: Mapping[str, Words] = {
    "frontline": {
        "pl": "Sprawy do kontaktu: {number}",
        "uk": "Звернення, що чекають на контакт: {number}",
        "ru": "Обращения, ждущие контакта: {number}",
        "en": "Cases waiting for contact: {number}",
    },
    "manager": {
        "pl": "Głos klientów: podsumowanie",
        "uk": "Голос клієнтів: підсумок",
        "ru": "Голос клиентов: сводка",
        "en": "What customers say: summary",
    },
    "team": {
        "pl": "Wasze tematy: podsumowanie",
        "uk": "Ваші теми: підсумок",
        "ru": "Ваши темы: сводка",
        "en": "Your themes: summary",
    },
}
