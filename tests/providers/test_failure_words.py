"""Words about a failure may follow an act: in the form of a refusal, too, they are none."""

from __future__ import annotations

import pytest

from mailkit.core.failure_words import about_failure
from mailkit.core.wire import Refusal, Response, Unclear
from mailkit.providers.devino.envelope import unwrap as unwrap_devino
from mailkit.providers.sendpulse.envelope import unwrap as unwrap_sendpulse
from mailkit.providers.smsby.envelope import unwrap as unwrap_smsby

from ..core.doubles import response

FAILURES = {
    "on the way": [
        "cURL error 28: Operation timed out after 30000 milliseconds",
        "cURL error 52: Empty reply from server", "curl: (56) Recv failure",
        "Connection closed prematurely", "transport is closing", "client closed request",
        "rpc error: code = Unavailable desc = transport is closing", "14 UNAVAILABLE:",
        "rpc error: code = Unknown", "4 DEADLINE_EXCEEDED", "DeadlineExceeded", "INTERNAL",
        "Aborted", "context canceled", "net/http: request canceled", "http2: stream closed",
        "No route to host", "Host is unreachable", "getaddrinfo failed",
        "Name or service not known", "Origin DNS error", "Web server is down", "Error 521",
        "HTTP/1.1 500",
        "TLS handshake error", "SSL: CERTIFICATE_VERIFY_FAILED", "certificate has expired",
        "Invalid response from the server", "504 Gateway Time-out", "EOF", "ERR_NETWORK",
        "Не удалось получить ответ", "Нет ответа от сервера", "Ответ не получен",
        "Не удалось подключиться к серверу", "Не удалось соединиться", "Проверьте подключение",
        "Соединение разорвано", "Превышено время ожидания", "Истекло время ожидания", "Тайм-аут",
        "Сервер не отвечает", "Обрыв связи", "Ошибка сети", "Шлюз недоступен",
    ],
    "of the server": [
        "Database error", "Error connecting to the database", "database is locked",
        "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found", "Query failed",
        "Duplicate entry '7' for key 'PRIMARY'", "could not serialize access", "disk full",
        "write failed: No space left on device", "Read-only file system", "Too many open files",
        "Out of memory", "Allowed memory size of 134217728 bytes exhausted", "queue is full",
        "Message queue is unavailable", "worker died", "Worker process exited unexpectedly",
        "Redis connection lost", "Server busy", "System is busy", "Server is overloaded",
        "Service is unavailable", "No servers available", "Site is under maintenance",
        "internal.error", "InternalServerError", "INTERNAL_ERROR", "internal-error",
        "Unexpected error", "System error", "Lock wait timeout exceeded",
        "Ошибка базы данных", "База данных недоступна", "Ошибка БД", "Сервис занят",
        "Сервер перегружен", "Система временно недоступна", "Очередь переполнена",
        "На диске нет места", "Недостаточно памяти", "Внутренняя ошибка", "Сбой сервера",
        "Произошёл сбой", "Технические работы", "Ведутся профилактические работы",
        "Сервис на обслуживании", "Неизвестная ошибка", "Временная ошибка",
    ],
    "of the program": [
        "Call to a member function save() on null", "Call to undefined function mb_strlen()",
        "Undefined index: delivery_list", "Undefined variable $list", 'Undefined array key "id"',
        "Undefined offset: 0", "Trying to get property 'id' of non-object",
        "Trying to access array offset on value of type null", "Array to string conversion",
        "Fatal error: Uncaught Error", "Uncaught PDOException", "Class 'Job' not found",
        "Invalid argument supplied for foreach()", "strlen() expects string, array given",
        "Error in /srv/app/send.php on line 3", "Traceback (most recent call last)",
        "'NoneType' object has no attribute 'id'", "list index out of range", "KeyError: 'email'",
        "TypeError: Cannot read properties of undefined", "ReferenceError: x is not defined",
        "java.lang.NullPointerException", "at by.shop.Send.run(Send.java:42)", "StackOverflow",
        "Object reference not set to an instance of an object.", "Sequence contains no elements",
        "Index was outside the bounds of the array.", "panic: runtime error", "signal: killed",
        "invalid memory address or nil pointer dereference", "segfault at 0", "core dumped",
        "Unexpected token < in JSON at position 0", "undefined method `save' for nil:NilClass",
    ],
    "without a cause": [
        "An error occurred", "An unexpected error has occurred", "Operation failed",
        "Something went wrong", "Your request could not be processed", "Failed to send", "Error",
        "Try again later", "Please try again in 5 minutes", "Temporarily unavailable", "failure",
        "Попробуйте позже", "Повторите попытку позже", "Повторите запрос через несколько минут",
        "Произошла ошибка", "Что-то пошло не так", "Не удалось отправить", "Ошибка отправки",
        "Операция не выполнена", "Ошибка", "Обратитесь в службу поддержки",
    ],
    "met before": [
        "Duplicate request", "Message already sent", "The campaign is already running",
        "Сообщение уже отправлено", "Запрос уже обработан",
    ],
    "on the way, in English": [
        "The mail server did not answer", "Link to the mail host is down", "Network unavailable",
        "Peer closed the session: connection lost", "Read timed out while waiting for the relay",
        "Unable to reach the smarthost", "Host unreachable", "DNS resolution problem",
        "Lost contact with the delivery node", "Packet loss on the uplink", "The relay is silent",
        "connect refused by 10.1.1.1", "Reply was lost on the way",
        "Network trouble between nodes", "Remote side hung up", "Took too long to respond",
        "No reply from SMTP",
    ],
    "on the way, in Russian": [
        "Почтовый сервер не ответил", "Пропала связь с почтовым узлом", "Нет связи с сервером",
        "Сеть недоступна", "Потеря пакетов", "Не дождались ответа", "Ответ потерян",
        "Подключение к серверу отклонено", "Проблемы с сетью", "Интернет недоступен",
        "Разрыв соединения", "Удалённый узел не отвечает", "Связь с базой потеряна",
        "Слишком долгий ответ", "Канал оборвался",
    ],
    "on the way, in Belarusian": [
        "Паштовы сервер не адказаў", "Знікла сувязь з вузлом", "Няма сувязі з серверам",
        "Сетка недаступна", "Страта пакетаў", "Не дачакаліся адказу", "Адказ страчаны",
        "Падключэнне адхілена", "Праблемы з сеткай", "Абрыў сувязі", "Аддалены вузел не адказвае",
        "Памылка сеткі", "Таймаўт", "Тайм-аўт запыту", "Скончыўся час чакання адказу",
        "Сувязь перарвана", "Не ўдалося злучыцца з серверам", "Злучэнне скінута",
    ],
    "of the server, in English": [
        "Mail queue is stuck", "Broker unreachable", "Table 'jobs' is full", "Disk failure",
        "The node went offline", "Scheduler is not running", "Server hiccup",
        "Unable to write to storage", "Storage backend is offline", "Foreign key violation",
        "Our servers are down for an upgrade", "Spooler error", "Hardware fault",
        "Emergency shutdown", "Not enough resources", "Replica lagging behind",
        "Cannot open journal file", "Out of disk space", "The daemon has crashed",
        "server is restarting",
    ],
    "of the server, in Russian": [
        "Очередь остановлена", "Диск переполнен", "Таблица заблокирована", "База недоступна",
        "Отказ диска", "Узел перезагружается", "Сервер упал", "Брокер сообщений не отвечает",
        "Закончилась память", "Ремонтные работы", "Неполадки на сервере", "Плановые работы",
        "Сбой оборудования", "Сервис остановлен", "Хранилище недоступно",
        "Проблемы с базой данных", "Авария на сервере", "Системный сбой",
        "Ошибка файловой системы", "Нет свободного места",
    ],
    "of the server, in Belarusian": [
        "Чарга спынена", "Дыск перапоўнены", "База дадзеных недаступная", "Адмова дыска",
        "Вузел перазагружаецца", "Сервер упаў", "Брокер паведамленняў не адказвае",
        "Скончылася памяць", "Рамонтныя работы", "Непаладкі на серверы", "Планавыя працы",
        "Збой абсталявання", "Сэрвіс спынены", "Сховішча недаступнае", "Праблемы з базай даных",
        "Аварыя", "Сістэмны збой", "Чарга недаступная", "Няма вольнага месца", "Сервер заняты",
        "Унутраны збой", "Нечаканая памылка", "Сервер не працуе", "Памылка сістэмы",
        "Тэхнічны перапынак",
    ],
    "of the program, in English": [
        "Unhandled rejection", "Fatal: cannot continue", "Stack trace follows",
        "Memory leak detected", "Unknown method sendBulk", "Script error", "Bug in mailer.php",
        "Undefined symbol: smtp_send", "Divide by zero", "Access violation at 0x0",
        "NullReferenceException", "Out of bounds: index out of range", "PHP Warning: fopen()",
        "program crashed", "Infinite loop detected",
    ],
    "of the program, in Russian": [
        "Ошибка в скрипте", "Необъявленная переменная", "Неопределённый индекс",
        "Исключение в модуле отправки", "Программная ошибка", "Утечка памяти", "Деление на ноль",
        "Программа аварийно завершена", "Сбой программы", "Переполнение стека", "Фатальная ошибка",
        "Ошибка приложения", "Стек вызовов", "Исключительная ситуация", "Неизвестное исключение",
    ],
    "of the program, in Belarusian": [
        "Памылка ў скрыпце", "Неаб'яўленая зменная", "Нявызначаны індэкс",
        "Выключэнне ў модулі адпраўкі", "Праграмная памылка", "Уцечка памяці", "Дзяленне на нуль",
        "Праграма аварыйна завершана", "Збой праграмы", "Перапаўненне стэка", "Фатальная памылка",
        "Памылка праграмы", "Стэк выклікаў", "Выключная сітуацыя", "Невядомае выключэнне",
    ],
    "met before, in English": [
        "This request was already received", "Message with this id already exists",
        "Job already completed", "Duplicate submission", "Already scheduled", "Repeated request",
        "The mail has been accepted for delivery", "Sending", "Scheduled for delivery",
        "Request is a duplicate", "Your letter will be sent shortly", "Task was queued as 553",
        "Delivered", "Message sent successfully", "Already in progress",
    ],
    "met before, in Russian": [
        "Запрос уже выполнен", "Сообщение уже существует", "Рассылка уже запущена",
        "Дублирование запроса", "Повторная отправка", "Сообщение принято",
        "Письмо поставлено в очередь", "Ожидает отправки", "Успешно отправлено", "Отправляется",
        "Задание выполняется", "Готово", "Письмо уже выслано", "Повтор сообщения",
        "Рассылка создана",
    ],
    "met before, in Belarusian": [
        "Запыт ужо выкананы", "Паведамленне ўжо існуе", "Рассылка ўжо запушчана",
        "Дубліраванне запыту", "Паўторная адпраўка", "Паведамленне прынята",
        "Ліст пастаўлены ў чаргу", "Чакае адпраўкі", "Паспяхова адпраўлена", "Адпраўляецца",
        "Заданне выконваецца", "Гатова", "Ліст ужо дасланы", "Дублікат паведамлення",
        "Прынята ў апрацоўку", "Ужо ў чарзе",
    ],
    "without a cause, in English": [
        "Sorry, we could not handle this", "Message was not stored", "Save failed",
        "Delivery error", "Problem while writing", "It didn't work", "Couldn't add the job",
        "Unable to continue", "Something is broken", "Please come back later",
        "Update unsuccessful", "Failure during commit", "Request not completed",
        "Contact the administrator", "Cannot do that right now",
    ],
    "without a cause, in Russian": [
        "Извините, что-то сломалось", "Сообщение не сохранено", "Сохранение не удалось",
        "Проблема при записи", "Нельзя завершить операцию", "Попробуйте ещё раз",
        "Вернитесь позже", "Ошибка создания задания", "Рассылка не состоялась", "Запрос не прошёл",
        "Напишите в поддержку", "Случилась ошибка", "Приносим извинения", "Неудача",
        "Не получилось записать",
    ],
    "without a cause, in Belarusian": [
        "Выбачайце, нешта зламалася", "Паведамленне не захавана", "Захаванне не атрымалася",
        "Праблема пры запісе", "Немагчыма завяршыць аперацыю", "Паспрабуйце яшчэ раз",
        "Вярніцеся пазней", "Памылка стварэння задання", "Рассылка не адбылася",
        "Запыт не прайшоў", "Напішыце ў падтрымку", "Здарылася памылка", "Прабачце", "Няўдача",
        "Не ўдалося запісаць", "Паўтарыце запыт", "Звярніцеся да адміністратара",
    ],
    "of all kinds": [
        "SMTP server not available", "no route to the mail exchanger", "EHOSTUNREACH",
        "Session with the mail host interrupted", "Transport failure", "Mail gateway error",
        "Channel broke", "Сервер почты недоступен", "Нет доступа к серверу почты",
        "Соединение прервано", "Сеанс прерван", "Узел недоступен", "Паштовы вузел недаступны",
        "Няма доступу да сервера", "Сеанс перарваны", "Адказ не прыйшоў", "Query timeout",
        "Index corrupted", "Storage error", "Write failed", "Cannot obtain lock",
        "MySQL: Lock wait", "Memory exhausted", "Backend unavailable", "Ошибка записи в базу",
        "Ошибка сохранения в БД", "Ошибка хранилища", "Ошибка ядра", "Ошибка очереди",
        "Не хватает ресурсов", "Идут технические работы", "Памылка запісу ў базу",
        "Памылка захавання", "Памылка сховішча", "Памылка чаргі", "Не хапае рэсурсаў",
        "Ідуць тэхнічныя работы", "Памылка файлавай сістэмы", "Сервер на абслугоўванні",
        "Unhandled promise", "undefined is not a function", "Class App\\Mailer not found",
        "syntax error, unexpected '}' in /srv/a.php", "Ошибка в программе",
        "Ошибка выполнения скрипта", "Вызов неопределённой функции", "Памылка выканання",
        "Выклік нявызначанай функцыі", "Неапрацаванае выключэнне", "Campaign was already created",
        "already handled", "Письмо уже было отправлено", "Запрос принят", "Заявка принята",
        "Сообщение уже в очереди", "Запыт прыняты", "Заяўка прынята",
        "Паведамленне ўжо было адпраўлена", "Message queued", "queued: 3", "We are having trouble",
        "Unexpected response", "Unable to complete", "Не могу выполнить", "Сделать это не удалось",
        "Что-то сломалось", "Не атрымалася апрацаваць запыт", "Зрабіць гэта не ўдалося",
        "Штосьці пайшло не так", "Памылка пры адпраўцы", "Памылка апрацоўкі запыту", "Памылка №17",
        "Ошибка №17", "Error #17", "Невядомая прычына",
    ],
    "reported": [
        "Унутраная памылка сервера", "Памылка базы даных", "Чарга перапоўнена", "Ужо адпраўлена",
        "Перавышаны час чакання", "Паспрабуйце пазней", "Памылка", "Збой", "Памылка злучэння",
        "Часова недаступна", "SMTP connect() failed", "No answer from mail server",
        "insert failed", "Error while saving", "Failed to push to queue", "Очередь недоступна",
        "Can't write log", "OOM", "Исключение", "Код ошибки: 500", "Message already exists",
        "Your message has been queued", "Дубликат запроса", "Принято", "В обработке", "Oops",
        "Не удалось", "Temporarily failed", "памылка сiстэмы",
        "500",
    ],
}  # fmt: skip

REFUSALS = {
    "documented": [
        "Data not verified", "Data not verified: subject is too long", "email is invalid",
        "Argument email is invalid", "Bad recipient address syntax", "The message is spam",
        "The recipient's email address is incorrect", "Validation failed", "Sender is not valid",
        "validation.recipients.must.be.greather.then.0", "validation.subject.is.empty",
        "Your tariff plan ended", "Active emails not found", "Mailing list empty",
        "The given data was invalid.", "Client authentication failed", "Unauthorized action.",
        "Account balance depleted", "The activation code has been sent. Wait 15 minutes to retry",
        "unsubscribed", "account.no.money", "Message not found",
    ],
    "of a recipient": [
        "Email info@gateway-network.by is invalid", "Bad address: curl@nginx.ru",
        "Address not found in database", "Mailbox does not exist", "Recipient host not found",
        "DNS lookup failed for the recipient's domain", "Duplicate entry in the recipients list",
        "Sending failed: recipient is invalid", "Email is incorrect. Correct it and try again",
        "Адрес не найден в базе данных", "Получатель отписался",
        "Неверный email, повторите попытку", "Не удалось отправить: неверный адрес",
        "Email в стоп-листе",
    ],
    "of the account": [
        "insufficient funds, try again later", "Daily limit reached, try again later",
        "Too many requests, please try again later", "Sending is unavailable on your plan",
        "Service is not available for your plan", "Storage quota exceeded", "Sender is not active",
        "Your account is blocked, contact support", "You can not send more than 500 emails",
        "Недостаточно средств. Пополните баланс и повторите попытку позже", "Лимит исчерпан",
        "Превышен лимит отправки, попробуйте позже", "Функция недоступна на вашем тарифе",
        "Слишком много запросов, повторите позже", "Сервис рассылок недоступен на вашем тарифе",
        "Отправитель временно заблокирован", "Для отправки требуется подключение тарифа",
        "Ваш аккаунт заблокирован. Обратитесь в службу поддержки", "Неверный токен",
    ],
    "of the message": [
        "Template not found", "Template syntax error: unexpected token }", "Date out of range",
        "Undefined variable name in template", "Template variable name is not defined",
        "The subject has an invalid character", "Reply address is missing",
        "499 recipients at most", "Шаблон не найден", "Ошибка в шаблоне",
        "Ошибка чтения шаблона", "Пустая тема",
        "Неверный адрес ответа", "Дата отправки должна быть позже текущей", "Ошибка валидации",
        "Максимальное количество получателей 500", "Имя рассылки уже занято",
    ],
    "of a recipient, in English": [
        "The address does not exist", "No such mailbox", "Email is malformed",
        "Recipient domain has no MX", "User unknown", "550 mailbox unavailable",
        "The recipient has opted out", "Duplicate recipient", "Address on the suppression list",
        "Hard bounce earlier", "Role addresses are not allowed", "Disposable email rejected",
        "Bad email", "Invalid recipient at position 3", "Too many recipients",
    ],
    "of a recipient, in Russian": [
        "Адрес недействителен", "Такого ящика нет", "Домен получателя не существует",
        "Пользователь не найден", "Получатель в стоп-листе", "Дубликат получателя",
        "Неверный формат email", "Почтовый ящик переполнен", "Адрес удалён",
        "Email указан с ошибкой", "Получатель пожаловался на спам", "Слишком много получателей",
        "Адрес уже есть в списке", "Получатель исключён из списка", "Одноразовый адрес",
    ],
    "of a recipient, in Belarusian": [
        "Адрас несапраўдны", "Такой скрыні няма", "Дамен атрымальніка не існуе",
        "Карыстальнік не знойдзены", "Атрымальнік у стоп-спісе", "Дублікат атрымальніка",
        "Няверны фармат email", "Паштовая скрыня перапоўнена", "Адрас выдалены",
        "Email пазначаны з памылкай", "Атрымальнік адпісаўся", "Занадта шмат атрымальнікаў",
        "Адрас ужо ёсць у спісе", "Атрымальнік выключаны са спісу", "Памылковы адрас",
    ],
    "of the sender, in English": [
        "From address is not confirmed", "Sender name is too long", "Please verify your domain",
        "DMARC policy forbids this sender", "Sender is under moderation",
        "The sender's domain was not found", "Add the sender first: sender not registered",
        "Sender blocked",
    ],
    "of the sender, in Russian": [
        "Подтвердите домен", "Имя отправителя слишком длинное", "Отправитель на модерации",
        "Домен не верифицирован", "Отправитель не зарегистрирован",
        "Политика DMARC запрещает отправку", "Добавьте отправителя", "Отправитель заблокирован",
    ],
    "of the sender, in Belarusian": [
        "Пацвердзіце дамен", "Імя адпраўшчыка занадта доўгае", "Адпраўшчык на мадэрацыі",
        "Дамен не пацверджаны", "Адпраўшчык не зарэгістраваны",
        "Палітыка DMARC забараняе адпраўку", "Дадайце адпраўшчыка", "Адпраўшчык заблакаваны",
    ],
    "of the account, in English": [
        "Top up your balance", "Subscription expired", "Contract terminated",
        "Account is frozen for non-payment", "You have reached your daily limit",
        "Free plan allows 100 emails", "Sending is disabled for this account",
        "Emails per hour limit", "Your IP is not whitelisted", "Access restricted",
        "Your registration is not complete",
    ],
    "of the account, in Russian": [
        "Пополните баланс", "Подписка закончилась", "Договор расторгнут", "Счёт заморожен",
        "Достигнут дневной лимит", "Тариф не позволяет отправлять рассылки",
        "Отправка отключена для вашего аккаунта", "Лимит писем в час", "IP не в белом списке",
        "Доступ ограничен", "Пройдите верификацию",
    ],
    "of the account, in Belarusian": [
        "Папоўніце баланс", "Падпіска скончылася", "Дагавор скасаваны", "Рахунак замарожаны",
        "Дасягнуты дзённы ліміт", "Тарыф не дазваляе рассылкі",
        "Адпраўка адключана для вашага акаўнта", "Ліміт лістоў у гадзіну", "IP не ў белым спісе",
        "Доступ абмежаваны", "Прайдзіце верыфікацыю", "Недастаткова сродкаў, паспрабуйце пазней",
    ],
    "of the message, in English": [
        "The text contains forbidden words", "Message looks like spam", "HTML is invalid",
        "Unsubscribe link is missing", "Subject too long", "Body is empty",
        "Attachment type is not supported", "Stop words in the text",
        "Message was rejected by moderation", "Template not approved",
        "Schedule date is in the past",
    ],
    "of the message, in Russian": [
        "Текст содержит запрещённые слова", "Письмо похоже на спам", "Нет ссылки отписки",
        "Тема слишком длинная", "Пустое тело письма", "Тип вложения не поддерживается",
        "Стоп-слова в тексте", "Сообщение не прошло модерацию", "Шаблон не одобрен",
        "Дата отправки в прошлом",
    ],
    "of the message, in Belarusian": [
        "Тэкст змяшчае забароненыя словы", "Ліст падобны на спам", "Няма спасылкі для адпіскі",
        "Тэма занадта доўгая", "Пустое цела ліста", "Тып укладання не падтрымліваецца",
        "Стоп-словы ў тэксце", "Паведамленне не прайшло мадэрацыю", "Шаблон не ўхвалены",
        "Дата адпраўкі ў мінулым",
    ],
    "of all kinds": [
        "Recipient already exists in the list", "Name already taken", "Email already exists",
        "Sender already exists", "Mailing list already exists", "Message too large",
        "Wrong sender", "Delivery address is wrong", "Нет такого адресата", "Имя уже используется",
        "Email уже существует", "Нет согласия получателя", "Тема обязательна",
        "Письмо слишком большое", "Адресат не найден", "Недостаточно прав", "Няма такога адрасата",
        "Імя ўжо выкарыстоўваецца", "Email ужо існуе", "Няма згоды атрымальніка",
        "Тэма абавязковая", "Ліст занадта вялікі", "Недастаткова правоў",
        "Запытаў занадта шмат, паспрабуйце пазней", "Перавышаны дзённы ліміт, паўтарыце заўтра",
        "Вычарпаны баланс", "Уліковы запіс часова заблакаваны, звярніцеся ў службу падтрымкі",
        "Рахунак не аплачаны", "Скончыліся грошы", "Закончился пакет писем",
        "Скончыўся пакет лістоў", "Нет активного тарифа", "Няма актыўнага тарыфу",
        "Please activate your account", "Sending limit: 100 messages per hour",
        "Verify your phone number", "Email address is on hold", "Spam score 9.1",
        "Contains a blacklisted link", "Заборонены змест", "Забароненая спасылка",
        "Запрещённая ссылка", "Ссылка заблокирована", "Not subscribed", "Recipient not subscribed",
        "Recipients required", "Confirm the sender's address",
        "Сначала подтвердите адрес отправителя", "Спачатку пацвердзіце адрас адпраўшчыка",
        "message must be shorter", "send_at must be in the future",
        "sender_email: This field is required", "delivery_list can't be empty",
        "The html field is required.", "Только для юридических лиц", "Услуга отключена",
        "Услуга не оказывается", "Паслуга адключана", "Паслуга не падключана",
        "You must accept the terms", "Only HTTPS links are accepted", "Terms not accepted",
        "Подпишите договор", "Падпішыце дагавор",
    ],
}  # fmt: skip


def smsby(status: int, said: str) -> list[Response]:
    return [
        response(status, {"error": said}),
        response(status, {"status": "error", "message": said}),
    ]


def devino(status: int, said: str) -> list[Response]:
    refusal = {"Description": "Validation failed", "Reasons": [{"Key": said}]}
    referring = [{"Key": said, "Reference": "recipients"}, {"Key": "validation.error"}]
    return [response(status, refusal), response(status, {**refusal, "Reasons": referring})]


def sendpulse(status: int, said: str) -> list[Response]:
    return [response(status, {"message": said, "error_code": 422})]


@pytest.mark.parametrize("said", [said for kind in FAILURES.values() for said in kind])
def test_a_failure_in_the_form_of_a_refusal_is_in_doubt(said: str) -> None:
    for form, unwrap, statuses in (
        (smsby, unwrap_smsby, (200, 400, 429)),
        (devino, unwrap_devino, (200, 400, 429)),
        (sendpulse, unwrap_sendpulse, (400, 422, 429)),
    ):
        for one in (one for status in statuses for one in form(status, said)):
            with pytest.raises(Unclear):
                unwrap(one)


@pytest.mark.parametrize("said", [said for kind in REFUSALS.values() for said in kind])
def test_what_has_a_cause_in_the_request_stays_a_refusal(said: str) -> None:
    for form, unwrap, statuses in (
        (smsby, unwrap_smsby, (200, 400, 421, 429)),
        (devino, unwrap_devino, (200, 400, 429)),
        (sendpulse, unwrap_sendpulse, (403, 422, 429)),
    ):
        for one in (one for status in statuses for one in form(status, said)):
            assert isinstance(unwrap(one), Refusal)


def test_letters_and_signs_between_words_do_not_matter() -> None:
    for said in (
        "internal error",
        "INTERNAL ERROR",
        "internal_error",
        "Internal.Error",
        "InternalError",
    ):
        assert about_failure(said)
