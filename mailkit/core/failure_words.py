"""Whether a service's words report a failure, on the way or inside, and no refusal.

They are looked for in the words as they are, and once more with a space for all that is between
words, so that ``internal_error``, ``InternalError`` and ``internal.error`` are one.
"""

from __future__ import annotations

import re

from mailkit.core.words import about_account, about_recipient

__all__ = ["about_failure"]


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_on_the_way = _any_of(
    r"timed?[ -]?out|deadline ?exceeded|connection|disconnect|(?:to|not) connect\b|connect error",
    r"\bcurl\b|socket|\bEOF\b|hang up|broken pipe|communications? (?:link|error|fail)",
    r"\berr network|network (?:\w+ )?(?:error|fail|problem|issue|down|unreach|timeout)",
    r"ECONN|\bE(?:PIPE|HOST|NET)|ENOTFOUND|EAI_|errno|unreachable|reset by peer|remote end",
    r"(?:transport|stream|channel|tunnel) (?:\w+ )?(?:clos|reset|broke|error|lost)",
    r"client closed|closed request|(?:premat|unexpect)\w+ closed|closed (?:premat|unexpect)",
    r"\bgrpc\b|\brpc error|\bcode \w+ desc\b|goaway|rst stream|\b50[234]\b|status code",
    r"http (?:1 [01] |status |error |code )?5\d\d\b|(?:error|code|status) (?:5\d\d$|499\b)",
    r"upstream|gateway|proxy|backend|\borigin\b|circuit|no healthy|(?:web|edge) server|no route",
    r"cloudflare|cloudfront|akamai|varnish|nginx|envoy|haproxy|traefik",
    r"(?:no|bad|invalid|empty|malformed|unexpected|incomplete|truncated) (?:\w+ )?"
    r"(?:response|reply)|not respond|fetch failed|failed to fetch|server (?:is |was )?available",
    r"(?:request|context) (?:was |has been |is )?(?:aborted|cancel|interrupted|terminated)",
    r"resolve host|name resolution|service not known|getaddrinfo",
    r"host (?:is |was )?down|TLS|\bssl\b|x509|certificate (?:verif|has|is)|handshake",
    r"header|cookie|page not found|no such route|authori[sz]ation field|firewall|captcha",
    r"соединени|подключиться|соединиться|(?:не удалось|невозможно) связаться|сетев",
    r"(?:ошибк|проверьте|нет|без|потер)\w* (?:\w+ ){0,2}подключени|ошибк\w+ сети|сеть недоступ",
    r"(?:ошибка|нет|обрыв|разрыв|потер\w+) связи|связь (?:\w+ )?(?:прерв|потер|разорв)",
    r"(?:время|времени|интервал|лимит|срок) ожидания|ист\wкло время|время выполнения",
    r"лимит времени|долг\w+ (?:ответ|выполнени)|тайм ?аут|шлюз|прокси|не отвечает",
    r"(?:запрос|операци\w|процесс) (?:\w+ )?(?:прерв|аварийн)",
    r"(?:получить|получен|дождались) (?:\w+ )?ответ",
    r"(?:нет|пустой|некорректный|неверный) ответ\w?\b",
    r"\bответа? (?:\w+ ){0,2}(?:нет|не (?:получ|приш|поступ)|пуст)",
).search

_of_the_server = _any_of(
    r"internal (?:\w+ )?(?:error|failure|fault|problem|exception)|server error",
    r"(?:unknown|unexpected|unhandled|system|application|program|runtime|technical|critical|general"
    r"|generic|unspecified) (?:\w+ )?(?:error|failure|fault|problem|issue|difficult)",
    r"SQL|\bPDO\b|\bora \d|\b(?:redis|mongo|postgres|maria ?db|memcache|rabbit ?mq|kafka)",
    r"deadlock|lock (?:wait|timeout)|lock could not|could not (?:\w+ )?lock|query fail",
    r"roll(?:ed)? back|serializ\w+ (?:fail|access)|gone away|integrity constraint|noauth",
    r"duplicate entry\b.{0,80} for key|disk quota",
    r"\b(?:database|db|storage|disk|file ?system|cache|cluster|shard|replica)s?\b(?: \w+){0,2} "
    r"(?:error|fail|exception|lock|full|down|unavailable|busy|corrupt|read only)",
    r"(?:error|failure|problem)\b(?: \w+){0,3} (?:database|db|storage|disk|file ?system)\b",
    r"no (?:server|node|worker|instance|leader)s? available|no available|leader (?:election|not)",
    r"read only (?:replica|file)|write to log|space left|disk space|too many open files",
    r"input output error|(?:exit|signal) (?:code|status|killed)|aborted|interrupted",
    r"out ?of ?memory|memory (?:size|limit|exhaust|alloc)|allocate memory|insufficient memory",
    r"not enough memory(?: (?:to|for|available)\b|$)",
    r"(?:queue|pool|buffer)\b(?: \w+)? "
    r"(?:full|overflow|exhaust|unavailable|error|fail|down|busy|timeout)",
    r"(?:worker|process|thread|child|pod|container|instance|node|server|service|system|daemon|site"
    r"|platform|api) (?:(?:has|have|was|is|are|been|currently|temporarily|unexpectedly) )*(?:died"
    r"|dead|crash|kill|exited|terminat|stopp|restart|shut|starting|down\b|offline|busy|overload"
    r"|not (?:ready|running|responding)|(?:unavailable|not available)(?! (?:for|on|in|with)))",
    r"service (?:\w+ )?unavailable(?! (?:for|on|in|with))",
    r"temporar(?:y|ily) (?:error|failure|unavailable|out of|down)",
    r"(?:currently|too|are|resource|backend) busy|^busy|over ?load|(?:high|heavy|under) load",
    r"(?:at|over|no) capacity|maintenance|execution time",
    r"внутренн\w+ (?:\w+ )?(?:ошибк|сбо)|сервер\w* (?:\w+ )?ошибк|нет доступных (?:серв|узл)",
    r"(?:ошибк|сбо)\w+ (?:\w+ ){0,4}(?:серв|систем|баз\w+ данных|бд\b|sql)",
    r"(?:неизвестн|непредвиденн|неожиданн|необработанн|системн|критическ|фатальн|техническ|серверн"
    r"|программн|временн)\w+ "
    r"(?:ошибк|сбо|неполад|проблем|неисправн|исключени|работ|перерыв|обслужив)",
    r"\bсбо(?:й|я|ю|ем|е|и)\b|(?:профилактическ|регламентн)\w+ работ|на обслуживании",
    r"(?:недостаточно|не хватает|нехватка|исчерпана) (?:\w+ )?памят|взаимн\w+ блокировк",
    r"(?:места|место) на (?:диск|устройств)|на (?:диск|устройств)\w (?:нет|не хватает)",
    r"(?:диск|очередь|буфер)\w* (?:\w+ )?(?:переполн|заполн)|перегрузк|перегружен",
    r"(?:сервис|сервер|систем|сайт|платформ|ресурс|хост|узел|узл|баз\w* данных|\bбд|api)\w* "
    r"(?:\w+ ){0,2}(?:недоступ|занят|не доступ|не работа)"
    r"(?!\w* (?:на|для|в) )|временно недоступ|высок\w+ нагрузк",
).search

_of_the_program = _any_of(
    r"exception|fatal error|uncaught|unhandled|trace ?back|stack ?(?:trace|overflow)",
    r"\bpanic|segfault|segmentation fault|sigsegv|sigkill|core dumped",
    r"bus error|goroutine|(?:nil|null) pointer|nil map|assertion|runtime error|\bphp\b|whoops",
    r"\.(?:py|java|js|go|rb|cs|ts):\d|\", line \d",
    r"call to (?:a member|undefined|an? )|non ?object|properties of",
    r"(?:on|of) (?:null|undefined)\b|nonetype|(?:array|string) offset|offset type|foreach",
    r"(?:null|array|string|int|bool|object) given|nesting level|string was not in a correct format",
    r"\w to string conversion|converted to string|indices must be",
    r"is not (?:iterable|callable|a function|subscriptable)|division by zero",
    r"(?:index|offset) out of (?:range|bounds)|outside the bounds|object reference",
    r"unsupported operand|nullable object|sequence contains no|no ?method ?error",
    r"value cannot be null parameter|not present in the dictionary|not set to an instance",
    r"number of arguments|malformed json|json (?:parse|decode|error)|looking for beginning",
    r"failed to open stream|maximum recursion|(?:class|module|autoload)\b(?: \w+){0,3} not found",
    r"(?:type|value|key|index|attribute|name|reference|range|import|memory|recursion|assertion|os|io"
    r"|zero ?division|lookup|operational|programming|interface|argument|aggregate) ?error:",
    r"(?:непредвиденн|необработанн)\w+ исключение|деление на ноль",
).search

_of_code = _any_of(
    r"(?:undefined|undeclared|uninitiali[sz]ed) "
    r"(?:index|variable|offset|array|key|property|method|function|constant|class|reference)",
    r"unexpected (?:end|eof|token)|is not defined",
).search
_of_a_template = _any_of(r"template|macro|placeholder|шаблон|макрос").search

_done_already = _any_of(
    r"already (?:been )?(?:sent|delivered|processed|accepted|queued|in (?:the )?queue|running)",
    r"duplicate (?:request|message|call|send)",
    r"уже (?:\w+ )?(?:отправлен|доставлен|обработан|принят|обрабатыва|выполня|в очереди)",
).search

_no_cause = _any_of(
    r"went wrong|error (?:has |have )?occurr?ed|error while sending|error unknown",
    r"contact (?:\w+ )?support|be back soon|host (?:is |was )?not found",
    r"\bdns (?:\w+ )?(?:error|fail|lookup|resol|problem|issue)",
    r"(?:свяжитесь|обратитесь) (?:с|в|к) (?:\w+ )?(?:администратор|\w*поддержк)",
    r"(?:operation|request|transaction|command|job|action|task|processing|execution|sending|send) "
    r"(?:\w+ )?(?:fail|could not|unsuccessful)",
    r"(?:fail\w*|unable|error|(?:could|can|did) not|not be|cannot|can t) (?:to )?(?:be )?"
    r"(?:process|complet|execut|perform|handl|send|sent|sav|stor|persist|enqueu|commit)",
    r"(?:try|retry|repeat|resend|resubmit)(?: \w+){0,4} (?:later|in (?:a|\d+|few|some)\b)",
    r"^(?:please )?(?:try|retry)(?: (?:once )?(?:again|more))?$|(?:currently|temporarily) \w+able",
    r"^(?:the |\d+ )?(?:error|failed|failure|fail|unavailable|internal|unknown|unexpected|aborted"
    r"|cancell?ed|killed|terminated|null|none|undefined|false|ошибка|неудача|отказ)"
    r"(?: (?:code )?\d+)?$",
    r"(?:попробуйте|повторите|попытайтесь|зайдите|обратитесь)(?: \w+){0,4} "
    r"(?:позже|позднее|через|снова|ещё раз|еще раз)|^повторите (?:попытку|запрос|операцию)$",
    r"что то пошло не так|(?:произош|возник)\w+ (?:\w+ )?(?:ошибк|исключен|сбо)",
    r"(?:операци\w|запрос|действие|задани\w) не (?:выполнен|заверш|удал|обработ)",
    r"не удалось (?:выполнить|обработать|завершить|сохранить|записать|отправить|произвести)",
    r"ошибк\w+ (?:при )?(?:отправк|обработк|выполнени|сохранени|записи|чтени)",
).search
_cause = _any_of(
    r"\blimit|quota|\brate\b|too many|throttl|exceed|\bsender|template|\bsubject\b|\bbody\b|\bspam",
    r"placeholder|macro|parameter|argument|\bfield|required|invalid|incorrect|not valid|malformed",
    r"missing|\bempty\b|\bformat\b|syntax|tariff|\bplan\b|balance|payment|\bpaid\b|subscription",
    r"moderat|forbidden|not allowed|denied|more than|maxim|validat|account|block",
    r"suspend|verif|confirm|activ|expire|authori[sz]|token|password|registration",
    r"лимит|квот|слишком|превышен|исчерпан|отправител|шаблон|\bтем\w\b|параметр|\bпол\w\b",
    r"обязател|неверн|некоррект|недопустим|неправильн|пуст|формат|тариф|баланс|оплат|средств",
    r"модерац|запрещ|спам|более|больше|максим|аккаунт|уч\wтн|блокир|подтвер|актив|токен|ключ",
).search

_addresses = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]*").sub
_between_words = re.compile(r"[\W_]+|(?<=[a-zа-яё])(?=[A-ZА-ЯЁ])").sub


def about_failure(said: str) -> bool:
    """Whether the words report a failure on the way or inside, or that the request was met before:
    they may come after the act.

    Words without a cause, such as "an error occurred, try again later", count only if the rest has
    none either that lies in the request: a recipient, the account, a limit, a wrong value.
    """
    said = _addresses("…", said)  # which may have such words in them
    words = _between_words(" ", said).strip()
    kinds = (_on_the_way, _of_the_server, _of_the_program, _done_already)
    if any(kind(text) for kind in kinds for text in (said, words)):
        return True
    if _of_code(words) and not _of_a_template(words):
        return True
    cause = _cause(words) or about_recipient(said) or about_account((said,))
    return _no_cause(words) is not None and not cause
