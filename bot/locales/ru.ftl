## Команды, как их показывает Telegram

bot-description =
    Много отдельных чатов с языковой моделью в одном диалоге.

    /new начинает чат, /chats показывает все. Всё можно переименовать, удалить и вернуть.
bot-short-description = Много отдельных чатов в одном диалоге
command-new = Начать новый чат
command-chats = Ваши чаты
command-search = Искать в чатах
command-rename = Переименовать этот чат
command-fork = Продолжить в копии этого чата
command-delete = Удалить этот чат
command-trash = Удалённые чаты
command-again = Ответить на последний вопрос заново
command-mode = Быстрые или глубокие ответы
command-stop = Остановить ответ
command-instructions = Указания для этого чата
command-settings = Настройки
command-forget = Стереть все ваши данные
command-help = Что я умею

## Начало и помощь

welcome =
    👋 Здравствуйте! Просто напишите мне, и я отвечу.

    Для каждой темы может быть свой чат: /new начинает новый, /chats показывает все и переводит из одного в другой. Удалённое можно вернуть { $days ->
        [one] в течение { $days } дня
       *[other] в течение { $days } дней
    }.
help =
    Пишите мне, и я отвечу в том чате, который открыт.

    /new — начать новый чат; /new вопрос начинает его с вопроса
    /chats — все чаты: открыть, переименовать, закрепить, удалить
    /search слова — искать во всех чатах
    /rename имя — переименовать этот чат
    /fork — продолжить в копии этого чата; в ответ на сообщение — в копии, которая кончается им
    /delete — удалить этот чат
    /trash — вернуть удалённое
    /again — ответить на последний вопрос заново
    /mode — быстрые или глубокие ответы в этом чате
    /stop — остановить ответ
    /export — этот чат или все чаты файлом
    /import — чаты из файла
    /instructions — что модель должна знать в этом чате
    /settings — язык, оформление, имена
    /forget — стереть всё, что о вас хранится

    Ответьте на любое прежнее сообщение, чтобы продолжить в его чате, какой бы ни был открыт.
group-hint = В группе я отвечаю, когда меня упоминают или отвечают мне.

## Имена

default-name = Новый чат
chats-count =
    { $count ->
        [one] { $count } чат
        [few] { $count } чата
       *[other] { $count } чатов
    }
messages-count =
    { $count ->
        [one] { $count } сообщение
        [few] { $count } сообщения
       *[other] { $count } сообщений
    }
tokens-count =
    { $count ->
        [one] { $count } токен
        [few] { $count } токена
       *[other] { $count } токенов
    }

## Список

chats-title = 💬 { $chats }
chats-none = 💬 Чатов пока нет. Напишите что-нибудь, и начнётся первый.
chats-hint = Открытый чат отмечен ✅. Нажмите на чат, чтобы открыть его.
button-new = ➕ Новый чат
button-trash = 🗑 Удалённые ({ $count })
button-chats = ‹ Чаты
button-page = { $page }/{ $pages }
button-previous = ‹
button-next = ›

## Один чат

chat-open = Этот чат открыт: всё, что вы напишете, попадёт в него.
chat-not-open = Сейчас открыт другой чат.
chat-empty = Здесь пока пусто. Напишите первый вопрос.
chat-dates = { $created } – { $updated }
chat-seen =
    { $total ->
        [one] Модель видит { $seen } из { $total } сообщения.
       *[other] Модель видит { $seen } из { $total } сообщений.
    }
chat-last-messages =
    { $count ->
        [one] Последнее сообщение:
        [few] Последние { $count } сообщения:
       *[other] Последние { $count } сообщений:
    }
chat-you = Вы
chat-bot = Бот
chat-partial = (остановлено)
chat-switched = Открыт чат «{ $name }»
button-open = Открыть
button-rename = ✏️ Переименовать
button-pin = 📌 Закрепить
button-unpin = 📌 Открепить
button-delete = 🗑 Удалить
button-regenerate = 🔄 Ответить заново
button-fast = ⚡ Быстро
button-deep = 🔬 Глубоко
button-chosen = { $label } ✓
button-back-to = ‹ назад в «{ $name }»
chat-pinned = Закреплён
chat-unpinned = Откреплён
chat-instructions = 📝 { $text }
button-instructions = 📝 Указания

## Новый чат

new-title = ✨ О чём поговорим?
new-hint = Просто напишите: первый вопрос даст этому чату имя.

## Переименование

rename-title = ✏️ Как назвать чат «{ $name }»?
rename-hint = Ответьте на это сообщение новым именем.
rename-done = ✅ Теперь он называется «{ $name }».
rename-cancelled = Имя осталось прежним: «{ $name }».
rename-empty = В этом имени нечего показать. Пришлите от 1 до { $limit } видимых символов.
rename-too-long = Это имя слишком длинное. Пришлите не больше { $limit } символов.
rename-text-only = Имя — это текст. Ответьте сообщением от 1 до { $limit } символов.
button-cancel = Отмена

## Удаление и возвращение

delete-title = 🗑 Удалить чат «{ $name }»?
delete-facts = { $messages }. { $days ->
        [one] Вернуть можно в течение { $days } дня.
       *[other] Вернуть можно в течение { $days } дней.
    }
delete-changed = С тех пор в нём появились сообщения. Всё равно удалить?
button-delete-confirm = Удалить
deleted-title = 🗑 Чат «{ $name }» удалён.
deleted-active = Теперь открыт «{ $name }».
deleted-active-new = Открыт новый чат.
deleted-toast = Удалён
button-undo = ↩️ Вернуть
restored-toast = Чат вернулся
trash-title = 🗑 Удалённые чаты: { $count }
trash-none = 🗑 Ничего не удалено.
trash-hint = Нажмите на чат, чтобы вернуть его.
trash-row =
    { $days ->
        [one] ↩️ { $name } · { $days } день
        [few] ↩️ { $name } · { $days } дня
       *[other] ↩️ { $name } · { $days } дней
    }
button-empty-trash = Удалить всё навсегда
trash-empty-title =
    { $count ->
        [one] Удалить { $count } чат навсегда?
        [few] Удалить { $count } чата навсегда?
       *[other] Удалить { $count } чатов навсегда?
    }
trash-empty-hint = Это нельзя отменить.
trash-emptied =
    { $count ->
        [one] { $count } чат удалён навсегда
        [few] { $count } чата удалены навсегда
       *[other] { $count } чатов удалены навсегда
    }

## Настройки

settings-title = ⚙️ Настройки
settings-language = 🌐 Язык: { $language }
settings-language-auto = как в Telegram
language-name = Русский
settings-formatting-auto = 🎨 Ответы оформляются; таблицы и формулы приходят особыми сообщениями.
settings-formatting-plain = 🎨 Ответы приходят простым текстом, как их пишет модель.
settings-formatting-rich = 🎨 Ответы приходят особыми сообщениями везде, где Telegram их принимает.
settings-naming-on = ✏️ После первого ответа модель даёт чату имя.
settings-naming-off = ✏️ Чат называется по первому вопросу.
settings-saved = Сохранено
button-settings = ⚙️ Настройки
button-language-auto = 🌐 Авто
button-formatting-auto = 🎨 Авто
button-plain = Простой
button-rich = Особый
button-naming = Имена от модели
button-forget = 🧨 Стереть мои данные

## Указания для чата

instructions-title = 📝 Указания для чата «{ $name }»
instructions-none = Их пока нет. Всё, что вы здесь напишете, модель будет знать заранее, но только в этом чате: кем ей быть и как отвечать.
instructions-ask = 📝 Что модель должна знать в чате «{ $name }»?
instructions-hint = Ответьте на это сообщение указаниями, не длиннее { $limit } символов.
instructions-done = ✅ Теперь в чате «{ $name }» действуют ваши указания.
instructions-kept = В чате «{ $name }» ничего не изменилось.
instructions-removed = Убраны
instructions-none-left = В чате «{ $name }» больше нет указаний.
instructions-too-long =
    { $count ->
        [one] Здесь { $count } символ, а в указаниях может быть { $limit }.
        [few] Здесь { $count } символа, а в указаниях может быть { $limit }.
       *[other] Здесь { $count } символов, а в указаниях может быть { $limit }.
    }
instructions-text-only = Указания — это текст. Ответьте сообщением не длиннее { $limit } символов.
button-instruct = ✏️ Написать
button-instruct-anew = ✏️ Изменить
button-instruct-remove = 🗑 Убрать

## Удаление всех, кроме закреплённых

button-sweep = 🧹 Удалить все ({ $count })
button-sweep-unpinned = 🧹 Удалить незакреплённые ({ $count })
sweep-title =
    { $count ->
        [one] 🧹 Удалить { $count } чат?
        [few] 🧹 Удалить { $count } чата?
       *[other] 🧹 Удалить { $count } чатов?
    }
sweep-pinned =
    { $count ->
        [one] { $count } закреплённый чат останется.
        [few] { $count } закреплённых чата останутся.
       *[other] { $count } закреплённых чатов останутся.
    }
sweep-facts =
    { $days ->
        [one] Удалённое можно вернуть в течение { $days } дня.
       *[other] Удалённое можно вернуть в течение { $days } дней.
    }
sweep-changed = С тех пор что-то появилось или исчезло. Всё равно удалить?
sweep-toast = Удалено
sweep-done =
    { $count ->
        [one] 🧹 Удалён { $count } чат.
        [few] 🧹 Удалены { $count } чата.
       *[other] 🧹 Удалено { $count } чатов.
    }
sweep-undone =
    { $count ->
        [one] Вернулся { $count } чат
        [few] Вернулись { $count } чата
       *[other] Вернулось { $count } чатов
    }
sweep-undone-stay = { $back }, а открыт по-прежнему «{ $name }»

## Стереть всё

forget-title = 🧨 Стереть всё, что о вас хранится?
forget-hint = Настройки тоже исчезнут, а ответы, которые сейчас готовятся, будут отменены. То, что видно в этом диалоге, хранит Telegram: очистите историю там.
forget-sure = Вы уверены? Это нельзя отменить.
forget-changed = С тех пор что-то появилось или исчезло.
forget-done = ✅ Стёрто навсегда:
forget-after = Всё, что вы напишете дальше, начнётся заново. То, что видно в этом диалоге, хранит Telegram: очистите историю там.
forget-kept = Ничего не стёрто.
forget-nothing = О вас ничего не хранится.
button-forget-ask = Стереть всё…
button-forget-erase = Да, стереть всё
button-forget-keep = Нет, оставить всё
deleted-chats-count =
    { $count ->
        [one] { $count } удалённый чат
        [few] { $count } удалённых чата
       *[other] { $count } удалённых чатов
    }
files-count =
    { $count ->
        [one] { $count } файл
        [few] { $count } файла
       *[other] { $count } файлов
    }
## Поиск

button-search = 🔎 Поиск
search-title = 🔎 Что найти?
search-hint = Ответьте на это сообщение словами из имени, вопроса или ответа.
search-none = Ничего не нашлось. Слово покороче найдёт больше: хватит и его начала.
search-found =
    { $count ->
        [one] { $count } совпадение
        [few] { $count } совпадения
       *[other] { $count } совпадений
    }
search-found-many = Совпадений больше { $count }; показаны последние
search-in-name = имя
search-empty = Здесь нечего искать. Пришлите слово.
search-too-long =
    { $limit ->
        [one] Это слишком длинно для поиска. Пришлите не больше { $limit } символа.
       *[other] Это слишком длинно для поиска. Пришлите не больше { $limit } символов.
    }
search-text-only = Искать я умею только слова. Напишите их, пожалуйста.
inline-open = 🔎 Искать в боте
inline-open-hit = 💬 Открыть в боте

## Копии

button-fork = 🔀 Копия
chat-forked = 🔀 Копия чата «{ $name }»
fork-made = Теперь открыта копия
fork-empty = В этом чате нечего копировать.
fork-unknown = Я не знаю этого сообщения. Ответьте командой /fork на свой вопрос или на ответ.

## Ответы

answer-moved-on = ↩️ В чате «{ $name }»:
answer-in-deleted = ↩️ В чате «{ $name }», который уже удалён:
answer-stopped = ⏹ Остановлено.
answer-interrupted = ⏹ Бот был перезапущен, на этом ответ обрывается.
answer-length = ✂️ Ответ оборвался на пределе модели. Попросите её продолжить.
again-kept = Прежний ответ остаётся.
again-nothing = Здесь не на что отвечать заново.
again-busy = В этом чате как раз готовится ответ.
again-newer = С тех пор в этом чате были другие вопросы. Чтобы получить ответ на этот, задайте его ещё раз ответом на это сообщение: он попадёт в тот же чат.
failed-refused = Поставщик модели не выдал этот ответ.
context-cut =
    { $count ->
        [1] ℹ️ Чат стал длинным: теперь модель видит только последнее сообщение. Сохранено всё.
        [one] ℹ️ Чат стал длинным: теперь модель видит только последнее { $count } сообщение. Сохранено всё.
        [few] ℹ️ Чат стал длинным: теперь модель видит только последние { $count } сообщения. Сохранено всё.
       *[other] ℹ️ Чат стал длинным: теперь модель видит только последние { $count } сообщений. Сохранено всё.
    }
mode-title = ⚙️ Как отвечать в чате «{ $name }»?
mode-hint = ⚡ Быстро — сразу. 🔬 Глубоко — дольше думает или спрашивает модель посильнее.
mode-fast = Быстрые ответы
mode-deep = Глубокие ответы
edited-noted = ✏️ Ваш вопрос изменён. Ответить на него заново?
edited-paste = Длинный текст, пришедший несколькими сообщениями, изменить нельзя. Отправьте его заново, пожалуйста.
edited-too-late = Изменить вопрос не удалось: его уже нет, или что-то помешало. Отредактируйте его ещё раз.
edited-stored = ✏️ Ваш вопрос изменён в чате.
button-stop = ⏹ Стоп
answer-not-saved = ⚠️ Этот ответ не удалось сохранить: хранилище недоступно.
button-open-chat = Открыть «{ $name }»
button-again = 🔄 Попробовать ещё раз
queue-full =
    { $limit ->
        [1] Ваш прошлый вопрос ещё ждёт ответа. Этот сохранён; потом отправьте /again, и я отвечу на него.
        [one] Здесь уже ждёт ответа { $limit } вопрос. Этот сохранён; после него отправьте /again, и я отвечу на него.
        [few] Здесь уже ждут ответа { $limit } вопроса. Этот сохранён; после них отправьте /again, и я отвечу на него.
       *[other] Здесь уже ждут ответа { $limit } вопросов. Этот сохранён; после них отправьте /again, и я отвечу на него.
    }
closing = Бот перезапускается. Ваш вопрос сохранён; чтобы получить ответ, отправьте потом /again.
closing-later = Бот перезапускается. Вопрос сохранён, ответ придёт сразу после этого.
stopping = Останавливаю
nothing-to-stop = Сейчас нечего останавливать
already-answered = На это уже есть ответ
failed-auth = Модель не приняла ключ бота. Это должен исправить его владелец; ваш вопрос сохранён.
failed-rate = К модели сейчас слишком много вопросов. Ваш вопрос сохранён.
failed-quota = Лимит бота у модели исчерпан. Ваш вопрос сохранён.
failed-overload = Модель сейчас перегружена. Ваш вопрос сохранён.
failed-timeout = Модель отвечала слишком долго. Ваш вопрос сохранён.
failed-network = Модель сейчас недоступна. Ваш вопрос сохранён.
failed-too_long = Этот чат стал слишком длинным для модели. Начните новый: /new.
failed-bad_request = Модель не приняла этот вопрос.
failed-server = В модели произошла ошибка. Ваш вопрос сохранён.
failed-protocol = Ответ модели не удалось понять. Ваш вопрос сохранён.

## Ответчик без сети

echo-nature = Я не языковая модель, я только повторяю. Всё остальное здесь настоящее: ваши чаты, их файлы и кнопки.
echo-question = Вы написали:
echo-instructions = У этого чата есть свои указания: { $text }
echo-first = Это первое сообщение, которое я вижу в этом чате.
echo-context =
    { $count ->
        [one] Из этого чата мне передали { $count } сообщение. Он начался так: { $first }
        [few] Из этого чата мне передали { $count } сообщения. Он начался так: { $first }
       *[other] Из этого чата мне передали { $count } сообщений. Он начался так: { $first }
    }

## Отказы

not-allowed = К сожалению, этот бот только для приглашённых. Если вы среди них, сообщите владельцу свой номер: { $id }
limit-rate =
    { $count ->
        [one] ⏳ В минуту можно задать { $count } вопрос. Попробуйте снова через { $wait }.
        [few] ⏳ В минуту можно задать { $count } вопроса. Попробуйте снова через { $wait }.
       *[other] ⏳ В минуту можно задать { $count } вопросов. Попробуйте снова через { $wait }.
    }
limit-tokens =
    { $count ->
        [one] ⏳ На сегодня ваш { $count } токен исчерпан. Попробуйте снова через { $wait }.
        [few] ⏳ На сегодня ваши { $count } токена исчерпаны. Попробуйте снова через { $wait }.
       *[other] ⏳ На сегодня ваши { $count } токенов исчерпаны. Попробуйте снова через { $wait }.
    }
limit-chats = Чатов: { $used } из { $count }. Чтобы начать новый, удалите какой-нибудь: /chats
limit-bytes = Ваши чаты занимают { $used } МБ, а можно { $limit } МБ. Продолжить можно, когда вы удалите что-нибудь навсегда: /chats, потом /trash
limit-not-saved = Это сообщение не сохранено.
limit-saved = Ваш вопрос сохранён.
wait-seconds =
    { $count ->
        [one] { $count } секунду
        [few] { $count } секунды
       *[other] { $count } секунд
    }
wait-minutes =
    { $count ->
        [one] { $count } минуту
        [few] { $count } минуты
       *[other] { $count } минут
    }
wait-hours =
    { $count ->
        [one] { $count } час
        [few] { $count } часа
       *[other] { $count } часов
    }
text-only = Пока я читаю только текст. Напишите, пожалуйста.
empty-text = Здесь нечего прочесть. Напишите несколько слов.
unknown-command = Такой команды я не знаю. /help покажет, что я умею.
not-yours = Это чужое меню. Ваше откроет /chats.
outdated-menu = Это меню устарело, вот новое.
chat-gone = Этот чат удалён.
chat-unknown = Такого чата нет.
no-active-chat = Чатов пока нет. Просто напишите что-нибудь.
storage-unavailable = Хранилище сейчас недоступно. Всё сохранённое цело; попробуйте чуть позже.
something-wrong = Что-то пошло не так. Ничего из сохранённого не пропало; попробуйте ещё раз.
damage-report =
    { $count ->
        [one] ⚠️ { $count } файл был повреждён. Всё, что удалось прочесть, здесь; оригинал сохранён.
        [few] ⚠️ { $count } файла были повреждены. Всё, что удалось прочесть, здесь; оригиналы сохранены.
       *[other] ⚠️ { $count } файлов были повреждены. Всё, что удалось прочесть, здесь; оригиналы сохранены.
    }

## Экспорт и импорт

command-export = Чат или все чаты файлом
command-import = Чаты из файла: наши, ChatGPT, Claude
button-export = 📤 Экспорт
button-export-markdown = Markdown
button-export-html = Страница
button-export-json = JSON
button-export-all = 📦 Все чаты в zip
export-title = Экспорт чата «{ $name }»
export-hint = Markdown — читать где угодно, страница — выглядит как переписка, JSON — я смогу принять его обратно.
export-toast = Готовлю файл…
export-all-caption = Все ваши чаты, и удалённые тоже. Пришлите мне этот файл, чтобы вернуть их.
export-too-big = Это больше, чем Telegram позволяет боту отправить. Экспортируйте чаты по одному или попросите свои файлы у владельца бота.
export-question = Вы
export-answer = Ассистент
export-partial = остановлено
export-failed = не удалось
export-messages = Сообщений
export-begun = Начат
transfer-private = Чаты передаются файлами только в личном диалоге со мной, где их никто больше не видит.
import-title = Пришлите файл с чатами
import-hint = Мой экспорт (JSON или zip), экспорт ChatGPT или Claude: zip как есть или файл conversations.json из него. Не больше 20 МБ. Все чаты добавятся как новые, в имеющихся ничего не изменится.
import-cancelled = Ничего не импортировано
import-interrupted = Меня перезапустили, пока я принимал этот файл. Что успело прийти, уже среди ваших чатов; если чего-то не хватает, удалите их и пришлите файл ещё раз.
import-done = 📥 Принято: { $chats }, { $messages }.
import-deleted =
    { $count ->
        [one] Ещё { $count } — в корзине, где и был.
        [few] Ещё { $count } — в корзине, где и были.
       *[other] Ещё { $count } — в корзине, где и были.
    }
import-left-out = Не вошло:
left-out-empty-chat = чаты без сообщений: { $count }
left-out-unreadable-chat = чаты, которые не удалось прочитать: { $count }
left-out-too-many-chats = чаты сверх предела: { $count }
left-out-storage-failed = чаты, которые не удалось сохранить: { $count }
left-out-empty-message = пустые сообщения: { $count }
left-out-hidden-message = скрытые сообщения: { $count }
left-out-tool-message = вызовы инструментов: { $count }
left-out-other-branch = прежние варианты сообщений: { $count }
left-out-unknown-content = сообщения неизвестного вида: { $count }
left-out-unreadable-message = сообщения, которые не удалось прочитать: { $count }
left-out-too-many-messages = самые старые сообщения очень длинных чатов: { $count }
left-out-text-cut = концы очень длинных сообщений: { $count }
left-out-facts-dropped = дополнительные сведения о чатах: { $count }
left-out-other-file = файлы без чатов: { $count }
left-out-nested-archive = архивы внутри zip: { $count }
left-out-damaged-file = повреждённые файлы, прочитаны сколько удалось: { $count }
import-refused-empty = В этом файле ничего нет.
import-refused-too-big = Файл слишком большой: я могу принять 20 МБ.
import-refused-unknown-format = В этом файле нет чатов. Я понимаю свой экспорт, экспорт ChatGPT и Claude.
import-refused-damaged = Файл повреждён, прочитать из него ничего не удалось.
import-refused-encrypted = Этот zip защищён паролем. Пришлите его без пароля, пожалуйста.
import-refused-unsafe-entry = Этот zip небезопасен: имя в нём ведёт наружу. Ничего не принято.
import-refused-too-many-entries = В этом zip слишком много файлов.
import-refused-unpacks-too-big = После распаковки этот zip становится слишком большим. Ничего не принято.
