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
