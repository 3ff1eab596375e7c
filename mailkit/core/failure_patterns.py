"""What failures are called in English, Russian and Belarusian, by kind.

The patterns read words as `failure_words` makes them: a space between words, and no ё, ў or Latin i
among Cyrillic letters. So a Belarusian pattern has у for ў. All of it is in lower case.

Compiling them takes longer than importing any other module, and most programs never need them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = [
    "about_gateway",
    "about_template",
    "cause",
    "denial",
    "done_already",
    "no_cause",
    "of_code",
    "of_the_program",
    "of_the_server",
    "on_the_way",
    "taken",
]


def _any_of(*patterns: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(patterns)).search


_VERBS = (
    r"(?:process|complet|execut|perform|handl|send|sent|sav|stor|persist|enqueu|commit|push|publish"
    r"|insert|updat|writ|creat|add|put|queu|schedul|dispatch|submit|read|load|fetch|obtain|acquir"
    r"|alloc|start|run|spawn|lock|log\b|record|regist|reach|call|communicat|establish|receiv|finish"
    r"|continu|reserv|pass|forward|relay|transmit|upload|do\b|work|serv)"
)
_TRIED = (
    r"(?:operation|request|transaction|command|job|action|task|procedure|processing|execution"
    r"|sending|send|delivery|insert|update|select|save|saving|write|writing|read|queue|enqueue|push"
    r"|publish|submit|submission|dispatch|commit|flush|storage|logging|lock|scheduling|call|mailing"
    r"|process|transfer|upload)"
)

on_the_way = _any_of(
    r"timed?[ -]?out|deadline ?exceeded|connection|disconnect|(?:to|not|n t|can t) connect\b",
    r"connect(?: \w+)? (?:error|fail|refus|timed|lost|reset|abort)|connectivity",
    r"\bc ?url\b|socket|\beof\b|h[au]ng up|broken pipe|communications? (?:link|error|fail)",
    r"\berr network|network (?:\w+ )?(?:error|fail|problem|issue|trouble|down|unreach|timeout"
    r"|unavail|lost)",
    r"(?:no|bad|poor|lost) (?:\w+ )?network|packets? (?:\w+ )?(?:lost|loss|drop)|lost packet",
    r"econn|\be(?:pipe|host|net)|enotfound|\beai\b|errno|unreachable|reset by peer|remote end",
    r"(?:transport|stream|channel|tunnel|link|peer|relay|mta|mailer|mail server|smarthost) "
    r"(?:\w+ )?(?:clos|reset|broke|error|lost|down\b|dead\b|gone\b|silent|fail|unavail"
    r"|not respond)",
    r"client closed|closed request|(?:premat|unexpect)\w+ closed|closed (?:premat|unexpect)",
    r"\bg ?rpc\b|\brpc error|\bcode \w+ desc\b|goaway|rst stream|\b50[234]\b|status code",
    r"http (?:1 [01] |status |error |code )?5\d\d\b|(?:error|code|status) (?:5\d\d$|499\b)",
    r"circuit|no healthy|no route to",
    r"(?:no|bad|invalid|empty|malformed|unexpected|incomplete|truncated|lost|missing|late) "
    r"(?:\w+ )?(?:response|reply|answer)|(?:response|answer|reply) (?:is |was )?(?:not received"
    r"|lost|late)",
    r"not (?:respond|answer)|(?:no|not) (?:\w+ )?in time\b|took too long|too (?:long|slow) to",
    r"wait(?:ed|ing) too long|fetch failed|failed to fetch|server (?:is |was )?available",
    r"lost (?:\w+ )?(?:contact|link|touch)",
    r"(?:request|context) (?:was |has been |is )?(?:aborted|cancel|interrupted|terminated)",
    r"resolve host|name resolution|service not known|getaddrinfo",
    r"host (?:is |was )?down|\bm?tls|\bssl\b(?! enabled)|x509|certificate (?:verif|has|is)"
    r"|handshake",
    r"соединени|подключиться|соединиться|(?:не удалось|невозможно) связаться|сетев|интернет",
    r"(?:ошибк|проверьте|нет|без|потер|обрыв|разрыв|сбо|проблем)\w* (?:\w+ ){0,2}подключени",
    r"подключени\w+ (?:\w+ ){0,3}(?:потер|прерв|разорв|оборв|сброш|отклон|невозмож|не удал|закры)",
    r"(?:ошибк|сбо|проблем|неполадк)\w+ (?:с |в )?(?:сет[иью]|связ)|нет (?:\w+ )?(?:сети|связи)\b",
    r"(?:сеть|канал|линия) (?:\w+ )?(?:недоступ|не работа|упал|оборв|разорв|прерв)",
    r"(?:обрыв|разрыв|потер\w+) (?:\w+ )?(?:связи|канала|пакет)",
    r"(?:пропал|прерва|потеря|утеря)\w* связь|связь (?:\w+ ){0,3}(?:прерв|потер|разорв|оборв"
    r"|пропал|утер)",
    r"(?:время|времени|интервал|лимит|срок) ожидания|ист\wкло время|время выполнения"
    r"|ожидание ответ",
    r"нет доступа к (?:\w+ )?(?:сервер|баз|сет|почт)|(?:сеанс|сесси)\w* (?:\w+ )?(?:прерв|разорв"
    r"|оборв)",
    r"лимит времени|долг\w+ (?:ответ|выполнени)|тайм ?аут|не (?:\w+ )?(?:отве(?:ч|тил)|откликн)",
    r"(?:запрос|операци\w|процесс) (?:\w+ )?(?:прерв|аварийн)|слишком долго\b|без ответа",
    r"(?:получить|получен|дождал\w+|дождаться) (?:\w+ )?ответ",
    r"(?:нет|пустой|некорректный|неверный) ответ\w?\b",
    r"\bответа? (?:\w+ ){0,2}(?:нет|не (?:получ|приш|поступ|дожд)|пуст|потер|утер)",
    r"злучэнн|падключыцца|злучыцца|падлучыцца|звязацца з|сеткав|інтэрнэт",
    r"(?:памылк|праверце|няма|без|страчан|страт|абрыу|разрыу|праблем|зб)\w* (?:\w+ ){0,2}"
    r"(?:падключэнн|падлучэнн)",
    r"(?:падключэнн|падлучэнн)\w* (?:\w+ ){0,3}(?:страч|перарв|разарв|абарв|скін|адхіл|немагчым"
    r"|не удал|закры)",
    r"(?:памылк|памыл|зб|праблем|непаладк)\w* (?:з |у )?(?:сетк|сетц|сувяз)",
    r"(?:няма|абрыу|разрыу|страта|страчана) (?:\w+ )?(?:сувязі|сувязь|сеткі|канала|пакет)",
    r"(?:знік|прапа|перарва|страча)\w* сувязь|(?:сетка|сувязь|канал"
    r"|лінія) (?:\w+ ){0,3}(?:недаступ|не працу|упал|абарв|разарв|перарв|страч"
    r"|парв|знік|прапал)",
    r"(?:час|часу|інтэрвал\w?|ліміт\w?|тэрмін\w?) (?:чакання|адказу|выканання)|чаканне адказ",
    r"няма доступу да (?:\w+ )?(?:сервер|баз|сетк|пошт)|(?:сеанс|сесі)\w* (?:\w+ )?(?:перарв"
    r"|разарв|абарв)",
    r"ліміт часу|час (?:\w+ )?(?:скончыу|вычарпа|выйшау|мінуу)|занадта доуга\b|доуг\w+ адказ",
    r"не (?:\w+ )?(?:адказвае|адказвал|адказау|адказал|адгукн)|без адказ",
    r"(?:запыт|аперацы\w|працэс) (?:\w+ )?(?:перарв|перапын|аварый)",
    r"(?:атрымаць|атрыман|атрымал|дачакал\w+|дачакацца) (?:\w+ )?адказ",
    r"(?:няма|пусты|некарэктны|няправільны|няверны) адказ\w?\b",
    r"\bадказу? (?:\w+ ){0,2}(?:няма|не (?:атрым|прыйш|паступ|дачак)|пуст|страч|згуб)",
)

about_gateway = _any_of(
    r"upstream|gateway|proxy|backend|\borigin\b|(?:web|edge) server|no route|no such route",
    r"cloud ?flare|cloud ?front|akamai|varnish|nginx|envoy|ha ?proxy|traefik",
    r"header|cookie|page not found|authori[sz]ation field|firewall|captcha",
    r"шлюз|прокси|проксі",
)
"""Words of whoever is on the way; of the service's own mouth they speak of a failure there."""

of_the_server = _any_of(
    r"internal (?:\w+ )?(?:error|failure|fault|problem|exception|issue|trouble)"
    r"|server error(?! 40[34])",
    r"(?:unknown|unexpected|unhandled|system|application|program|runtime|technical|critical|general"
    r"|generic|unspecified|software|hardware|script|serious|severe|fatal) "
    r"(?:\w+ )?(?:error|failure|fault|problem|issue|difficult|trouble|incident|malfunction"
    r"|condition)",
    r"sql(?! command| inject)|\bpdo|\bora \d|\b(?:redis|mongo|postgres|maria ?db|memcache)",
    r"\b(?:rabbit ?mq|kafka|amqp|beanstalk|elasticsearch|clickhouse|dynamo ?db|cassandra)",
    r"deadlock|lock (?:wait|timeout)|lock could not|could not (?:\w+ )?lock|query fail",
    r"roll(?:ed)? back|serializ\w+ (?:fail|access)|gone away|integrity constraint|noauth",
    r"constraint (?:\w+ )?(?:viola|fail)|violat\w+ (?:\w+ )?constraint|(?:foreign|primary"
    r"|unique) key",
    r"duplicate entry\b.{0,80} for key|disk quota|(?:table|index|tablespace) (?:\w+ ){0,3}"
    r"(?:locked|crashed|full|read only|doesn t exist|does not exist|corrupt)",
    r"\b(?:database|db|storage|disk|file ?system|cache(?! access)|cluster|shard|replica"
    r"|data ?store|repository"
    r"|volume)s?\b(?: \w+){0,2} "
    r"(?:error|fail|exception|lock|full|down|unavailable|busy|corrupt|read only|not available|crash"
    r"|offline|timeout|trouble|problem)",
    r"(?:error|failure|problem|trouble)\b(?: \w+){0,3} (?:database|db|storage|disk|file ?system)\b",
    r"no (?:server|node|worker|instance|leader)s? available|no available|leader (?:election|not)",
    r"read only (?:replica|file)|open (?:\w+ )?(?:file|journal|log|spool|socket)\b|(?:write"
    r"|append) (?:to|into)? ?(?:the |a )?log|space left|disk space",
    r"too many (?:open files|processes|threads|clients|workers)|no (?:free |more )?(?:memory"
    r"|resources"
    r"|threads|workers|slots|inodes|disk|space)\b",
    r"out of (?:disk|resources|inodes|file descriptors|handles|threads|workers|service|order)\b",
    r"\b(?:input output|i o|io|disk|read|write) error|(?:exit|signal) (?:code|status|killed)"
    r"|aborted",
    r"no such file|interrupted|\bcrash|\boutage|\bglitch|hiccup|shut ?down|lagging|malfunction"
    r"|\bbroken down|failover|split brain|quorum",
    r"out ?of ?memory|memory (?:size|limit|exhaust|alloc)|allocate memory|insufficient memory"
    r"|\boom\b",
    r"not enough (?:memory|resources)(?: (?:to|for|available)\b|$)",
    r"(?:queue|pool|buffer|spool|spooler|broker|message bus|outbox|scheduler|dispatcher|consumer"
    r"|subsystem|mail engine)s?\b(?: \w+){0,2} "
    r"(?:full|overflow|exhaust|unavailable|error|fail|down|busy|timeout|closed|stopp|stuck|died"
    r"|dead"
    r"|unreachable|overload|not (?:available|ready|running|respond|reachable))",
    r"(?:full|overflow\w*|unavailable|broken|stuck) (?:\w+ )?(?:queue|spool|buffer|broker)\b",
    r"(?:worker|process|thread|child|pod|container|instance|node|servers?|service|system|daemon"
    r"|site"
    r"|platform|api|application|machine|cron) "
    r"(?:(?:has|have|was|is|are|been|currently|temporarily|unexpectedly|went) )*(?:died|dead|kill"
    r"|exited|terminat|stopp|restart|reboot|shut|starting|down\b|offline|busy|overload|hung|frozen"
    r"|being (?:updat|upgrad|restart|deploy|migrat)|(?:updat|upgrad)ing|degraded"
    r"|not (?:ready|running|responding)|(?:unavailable|not available)(?! (?:for|on|in|with)))",
    r"service (?:\w+ )?unavailable(?! (?:for|on|in|with))",
    r"(?<!changed or is )temporar(?:y|ily) (?:\w+ )?"
    r"(?:error|failure|unavailable|out of|down|outage|problem|fault|trouble)",
    r"(?:currently|too|are|resource|backend) busy|^busy|over ?load|(?:high|heavy|under) load",
    r"(?:at|over|no) capacity|maintenance|execution time|down ?time|under (?:repair|construction)",
    r"(?:technical|scheduled|planned|engineering|repair) (?:work|break|pause)",
    r"(?:works?|update|upgrade|deploy\w*|migration) (?:is |are )?in progress",
    r"внутренн\w+ (?:\w+ )?(?:ошибк|сбо|проблем|неполад|исключ)|сервер\w* (?:\w+ )?ошибк",
    r"нет доступных (?:серв|узл)|(?:ошибк|сбо|проблем|неполадк)\w+ (?:\w+ ){0,4}"
    r"(?:серв|систем|баз\w+ данных|\bбд\b|sql|хранилищ|диск|ядр|очеред|брокер|узл)",
    r"(?:неизвестн|непредвиденн|неожиданн|необработанн|системн|критическ|фатальн|техническ|серверн"
    r"|программн|временн|аппаратн|непонятн|серь[её]зн)\w+ "
    r"(?:ошибк|сбо|неполад|проблем|неисправн|исключени|работ|перерыв|обслужив|трудност|причин)",
    r"\bсбо(?:й|я|ю|ем|е|и|ев|ям)\b|(?:профилактическ|регламентн|планов|ремонтн)\w+ (?:\w+ )?работ",
    r"на обслуживании|(?:ведутся|проводятся|идут|проходят) (?:\w+ )?работы",
    r"обновлени\w+ (?:\w+ )?(?:систем|сервер|сервис|сайт|баз|платформ|программ)",
    r"(?:недостаточно|не хватает|нехватка|исчерпан\w?|нет|мало|закончил\w+|кончил\w+) (?:\w+ )?"
    r"(?:памят|ресурсов|свободного места|дисков)|памят\w* (?:\w+ )?(?:исчерп|законч|переполн"
    r"|не хват)",
    r"взаимн\w+ блокировк|(?:таблиц|индекс)\w* заблокирован|\bбаза (?:\w+ )?(?:недоступ|упала"
    r"|занята)|(?:места|место) на (?:диск|устройств)"
    r"|на (?:диск|устройств)\w (?:нет|не хватает)",
    r"(?:диск|очеред|буфер|брокер|пул|хранилищ)\w* (?:\w+ ){0,2}(?:переполн|заполн|недоступ|занят"
    r"|не доступ|не отвеча|не работа|закрыт|остановл|сломан|упал|поврежд)",
    r"переполнен\w* (?:\w+ )?(?:очеред|диск|буфер|стек|пул)|перегрузк|перегружен",
    r"(?:сервис|сервер|систем|сайт|платформ|ресурс|хост|узел|узл|баз\w* данных|\bбд|api)\w* "
    r"(?:\w+ ){0,2}(?:недоступ|занят|не доступ|не работа|упал|завис|остановл|перезагру|перезапус"
    r"|обновля|не запущ)(?!\w* (?:на|для|в) )|временно (?:недоступ|не работа)|высок\w+ нагрузк",
    r"\bавари(?:я|и|ю|ей|йн)|отказ (?:\w+ )?(?:оборудован|систем|сервер|диск|баз|сервис|узл|сети)",
    r"неполадк|неисправност|поломк|(?:процесс|воркер|обработчик|демон|служб|поток)\w* (?:\w+ )?"
    r"(?:остановл|убит|упал|заверш|завис|не запущ|недоступ)",
    r"ошибк\w+ (?:\w+ )?5[012]\d\b",
    r"унутран\w+ (?:\w+ )?(?:памыл|зб|праблем|непалад|выключ)|сервер\w* (?:\w+ )?памыл",
    r"няма даступн\w+ (?:серв|вузл)|(?:памыл|зб|праблем|непаладк)\w* (?:\w+ ){0,4}"
    r"(?:сервер|сэрвіс|сервіс|сістэм|баз\w+ (?:дан|дадзен)\w+|\bбд\b|sql|сховішч|дыск|ядр|чарг"
    r"|чарз|брокер|вузл)",
    r"(?:невядом|непрадбачан|нечакан|неапрацаван|сістэмн|крытычн|фатальн|тэхнічн|серверн|праграмн"
    r"|часов|апаратн|сур ?езн|незразумел)\w+ "
    r"(?:памыл|зб|непалад|праблем|няспраун|выключэнн|работ|прац|перапын|перарыв|абслугоув|прычын)",
    r"\bзбо(?:й|я|ю|ем|і|яу|ях)\b|(?:прафілактычн|рэгламентн|планав|рамонтн)\w+ (?:\w+ )?(?:работ"
    r"|прац)",
    r"на абслугоуванні|(?:вядуцца|праводзяцца|ідуць) (?:\w+ )?(?:работы|працы)",
    r"абнауленн\w+ (?:\w+ )?(?:сістэм|сервер|сэрвіс|сервіс|сайт|баз|платформ|праграм)",
    r"(?:недастаткова|не хапае|бракуе|нястача|вычарпан\w?|няма|мала|скончыл\w+) (?:\w+ )?"
    r"(?:памяц|рэсурсау|вольнага месца|дыскав)|памяц\w* (?:\w+ )?(?:вычарп|скончыл|перапоун"
    r"|не хап)",
    r"узаемн\w+ блакір|(?:табліц|індэкс)\w* заблак|\bбаза (?:\w+ )?(?:недаступ|упала|занята)"
    r"|месца на (?:дыск|прылад)|на (?:дыск|прылад)\w+ (?:няма|не хапае|бракуе)",
    r"(?:дыск|чарг|чарз|буфер|брокер|пул|сховішч)\w* (?:\w+ ){0,2}(?:перапоун|запоун|недаступ|занят"
    r"|не даступ|не адказ|не працу|закрыт|спынен|зламан|упал|пашкодж)",
    r"(?:перапоунен\w*|перапауненн\w*) (?:\w+ )?(?:чарг|дыск|буфер|стэк|пул)|перагрузк|перагруж",
    r"(?:сэрвіс|сервіс|сервер|сістэм|сайт|платформ|рэсурс|хост|вузел|вузл|баз\w* (?:дан|дадзен)\w+"
    r"|\bбд|api)\w* (?:\w+ ){0,2}(?:недаступ|занят|не даступ|не працу|упал|упау|завіс|спынен"
    r"|перазагру|перазапус|абнауля|не запушч)(?!\w* (?:на|для|у|ва) )",
    r"часова (?:недаступ|не працу|не даступ)|(?:высок|вялік)\w+ нагрузк",
    r"\bаварыя|\bаварыі|\bаварыю|аварыйн|адмова (?:\w+ )?(?:абсталяван|сістэм|сервер|дыск|баз"
    r"|сэрвіс)",
    r"непаладк|няспраунасц|паломк|(?:працэс|воркер|апрацоушчык|дэман|служб|паток)\w* (?:\w+ )?"
    r"(?:спынен|забіт|упал|упау|завершан|завіс|не запушч|недаступ)",
    r"памыл\w+ (?:\w+ )?5[012]\d\b",
)

of_the_program = _any_of(
    r"exception|\bfatal\b|uncaught|unhandled|trace ?back|stack ?(?:trace|overflow)",
    r"\bpanic|segfault|segmentation fault|sigsegv|sigkill|core dumped",
    r"bus error|goroutine|(?:nil|null) pointer|nil map|assertion|runtime error|\bphp\b|whoops",
    r"\.(?:py|java|js|go|rb|cs|ts):\d|\", line \d",
    r"call to (?:a member|undefined|an? )|non ?object|properties of|on line \d",
    r"(?:on|of) (?:null|undefined)\b|nonetype|(?:array|string) offset|offset type|foreach",
    r"(?:null|array|string|int|bool|object) given|nesting level|string was not in a correct format",
    r"\w to string conversion|converted to string|indices must be",
    r"is not (?:iterable|callable|a function|subscriptable)|division by zero|divide by zero",
    r"(?:index|offset) out of (?:range|bounds)|outside the bounds|object reference",
    r"unsupported operand|nullable object|sequence contains no|no ?method ?error",
    r"value cannot be null parameter|not present in the dictionary|not set to an instance",
    r"number of arguments|malformed json|json (?:parse|decode|error)|looking for beginning",
    r"failed to open stream|maximum recursion|(?:class|module|autoload)\b(?: \w+){0,3} not found",
    r"(?:type|value|key|index|attribute|name|reference|range|import|memory|recursion|assertion|os"
    r"|io"
    r"|zero ?division|lookup|operational|programming|interface|argument|aggregate) ?error:",
    r"(?:memory|resource) leak|access violation|double free|infinite loop|race condition",
    r"\bисключени[еяй]\b|исключительн\w+ ситуаци|деление на ноль|переполнение (?:стек|буфер|памят)",
    r"(?:ошибк|сбо|исключен)\w+ (?:\w+ )?(?:в |во )?(?:программ|скрипт|приложен)|стек вызов"
    r"|трассиров",
    r"программ\w+ (?:\w+ )?(?:аварийн|заверш|упал|вылет)|утечк\w+ памяти|обращени\w+ к (?:null"
    r"|памят)",
    r"\bвыключэнн[еяі]\b|выключн\w+ сітуацы|дзяленне на (?:нуль|ноль)",
    r"перапауненн\w+ (?:стэк|буфер|памяц)|(?:памыл|зб|выключэнн)\w* (?:\w+ )?(?:у |ва )?"
    r"(?:праграм|скрып[тц]|дадатк)|стэк выклік|трасіроук",
    r"праграм\w+ (?:\w+ )?(?:аварыйн|завершан|упал|вылец)|уцечк\w+ памяці|зварот\w* да (?:null"
    r"|памяц)",
)

of_code = _any_of(
    r"(?:undefined|undeclared|uninitiali[sz]ed|unknown) "
    r"(?:index|variable|offset|array|key|property|method|function|constant|class|reference|symbol)",
    r"unexpected (?:end|eof|token)|is not defined|undefined symbol|no such (?:method|function"
    r"|class)",
    r"(?:неопредел[её]нн|необъявленн)\w+ (?:переменн|индекс|метод|функци|свойств|ключ|констант"
    r"|класс)",
    r"(?:нявызначан|неаб ?яулен)\w+ (?:пераменн|зменн|індэкс|метад|функцы|уласцівас|ключ|клас)",
)
about_template = _any_of(r"template|macro|placeholder|шаблон|макрос|макрас")

done_already = _any_of(
    r"already (?:been )?(?:sent|delivered|processed|accepted|queued|in (?:the )?queue|running)",
    r"already (?:been )?(?:received|submitted|handled|executed|completed|done\b|scheduled"
    r"|dispatched"
    r"|being (?:sent|processed)|in (?:progress|process))",
    r"\b(?:message|request|mail|letter|task|job|transaction|delivery|record|operation|campaign)s? "
    r"(?:\w+ ){0,4}already (?:been )?(?:exist|registered|created|recorded|stored|saved|present"
    r"|known)",
    r"(?:duplicate|duplicated|repeated|second) (?:request|message|call|send|submission|mail|post)",
    r"(?:request|message|submission) (?:is |was )?(?:a )?(?:duplicate|repeated)",
    r"уже (?:\w+ )?(?:отправлен|доставлен|обработан|принят|обрабатыва|выполня|в очереди|выслан"
    r"|послан"
    r"|получен|поставлен|запущен|отправля|в обработке|выполнен)",
    r"(?:сообщени|письм|запрос|задани|задач|рассылк|запис)\w* (?:\w+ ){0,3}уже "
    r"(?:существу|есть|был|создан|зарегистр)",
    r"(?:дублик\w+|дубл[ья]\w*|дублир\w+|повторн\w+|повтор|копи\w) (?:\w+ )?"
    r"(?:запрос|сообщени|письм|отправк|рассылк)",
    r"ужо (?:\w+ )?(?:адпраулен|дастаулен|апрацаван|прынят|апрацоува|выконва|у чарзе|даслан|выслан"
    r"|атрыман|пастаулен|запушчан|адпрауля|у апрацоуцы|выканан)",
    r"(?:паведамленн|ліст|запыт|заданн|задач|рассылк|запіс)\w* (?:\w+ ){0,3}ужо "
    r"(?:існу|есць|был|створан|зарэгістр)",
    r"(?:дублікат\w*|дубл[ья]\w*|дублюю\w+|дубліра\w+|паутор\w*|копі\w) (?:\w+ )?"
    r"(?:запыт|паведамленн|ліст|адпраук|рассылк)",
)

taken = _any_of(
    r"^(?:\w+ ){0,4}(?:has been|have been|was|were|is|are|been|message|request|mail|letter|job|task"
    r"|successfully|and) (?:\w+ing )?(?:accepted|queued|enqueued|sent|scheduled|submitted"
    r"|delivered)\b",
    r"^(?:accepted|queued|enqueued|sent|scheduled|submitted|delivered|pending|processing|sending"
    r"|done"
    r"|success|ok|created)\b(?: (?:for|as|to|in|and|by|with|now|successfully)\b.*| \d+)?$",
    r"in (?:progress|process|processing|queue|the queue)$|(?:is|are|being) (?:processed"
    r"|processing)\b",
    r"will be (?:sent|delivered|processed)|^(?:\w+ ){0,3}(?:sent|queued|accepted) successfully",
    r"^(?:\w+ ){0,3}(?:принят|отправлен|поставлен|доставлен|выслан|создан|запланирован|обработан)"
    r"[аоы]?\b|обрабатывает?ся|обрабатываются|отправляет?ся|отправляются|выполняется|\bв обработке",
    r"в очередь$|в очереди$|ожидает (?:отправки|обработки)|^успешно|успех$|^готово$",
    r"^(?:\w+ ){0,3}(?:прынят|адпраулен|пастаулен|дастаулен|дасла|высла|створа|запланава|апрацава)"
    r"(?:[аоы]|н[аоы]?)?\b|апрацоува\w+цца|адпрауляе?цца|адпрауляюцца|выконваецца|у апрацоуцы",
    r"у чаргу$|у чарзе$|чакае (?:адпраукі|апрацоукі)|^паспяхова|поспех$|^гатова$",
)
"""Words of a success, where a refusal should be."""

no_cause = _any_of(
    r"went wrong|error (?:has |have )?(?:occurr?ed|happened)|error while sending|error unknown",
    r"contact (?:\w+ )?(?:support|administrator|admin\b|developer|helpdesk|us\b)|be back soon"
    r"|having (?:trouble|problems|difficult)",
    r"host (?:is |was )?not found|check back|come back later|^(?:oops|ups|uh oh|ouch|sorry)\b",
    r"\bdns (?:\w+ )?(?:error|fail|lookup|resol|problem|issue)",
    r"\bsmtp (?:\w+ ){0,3}(?:fail|error|refus|unavail|busy|clos|lost|down\b|not )",
    rf"\b{_TRIED} (?:\w+ )?(?:fail|could not|unsuccessful|error|exception|problem|not (?:complet"
    rf"|done"
    r"|perform|execut|finish))",
    r"\b(?:fail\w*|unable|error|impossible|(?:could|can|did|does|do|will|was) ?n[o ]?t|not be"
    r"|cannot"
    rf"|not possible|won t|not) (?:to )?(?:be )?{_VERBS}",
    r"(?:error|problem|failure|trouble|exception|fault|issue) "
    rf"(?:while|during|when|on|in|at|with|of|upon) (?:\w+ )?(?:{_VERBS}|{_TRIED})",
    r"(?:message|mail|letter|request|job|task|data|result|it) (?:was |is |were |has )?(?:not"
    r"|never) "
    r"(?:been )?(?:saved|stored|sent|queued|processed|recorded|written|handled|completed)",
    r"(?:try|retry|repeat|resend|resubmit)(?: \w+){0,4} (?:later|in (?:a|\d+|few|some)\b)",
    r"^(?:please )?(?:try|retry)(?: (?:once )?(?:again|more))?$|(?<!changed or is )(?:currently"
    r"|temporarily) \w+able",
    r"^\d+$|(?:temporarily|currently) (?:fail|out\b|not )|^not available$|something (?:bad|strange"
    r"|is broken)",
    r"^(?:the |\d+ )?(?:error|failed|failure|fail|unavailable|internal|unknown|unexpected|aborted"
    r"|cancell?ed|killed|terminated|null|none|undefined|false|ошибка|неудача|отказ|памылка|няудача"
    r"|адмова|unsuccessful|неуспешно)(?: (?:code )?\d+)?$|cancell?ed by (?:the )?(?:server|system)",
    r"(?:свяжитесь|обратитесь|напишите) (?:с|в|к) "
    r"(?:\w+ )?(?:администратор|\w*поддержк|разработчик|специалист)",
    r"(?:попробуйте|повторите|попытайтесь|зайдите|обратитесь|отправьте|вернитесь)(?: \w+){0,4} "
    r"(?:позже|позднее|через|снова|ещё раз|еще раз|потом)"
    r"|^(?:пожалуйста )?повторите (?:попытку|запрос|операцию|отправку)$",
    r"(?:что|нечто) то (?:пошло не так|сломал|случил)|^(?:упс|ой|увы)\b|извините|приносим извинен",
    r"(?:произош|возник|случил|обнаруж)\w* (?:\w+ )?(?:ошибк|исключен|сбо|проблем)"
    r"|ошибк\w (?:произош|возник|случил)",
    r"(?:операци\w|запрос|действие|задани\w|сообщени\w|письмо|отправк\w|рассылк\w|задач\w|данные) "
    r"(?:\w+ )?не (?:\w+ )?(?:выполн|заверш|удал|обработ|отправл|доставл|сохран|записан|принят"
    r"|создан"
    r"|состоял|прош)",
    r"не (?:удалось|удается|удалась|получилось|получается|вышло|смогл[аио]|смог|могу|можем"
    r"|удалось)\b",
    r"(?:невозможно|нельзя|нет возможности) (?:\w+ )?"
    r"(?:выполн|обработ|заверш|сохран|записа|отправ|произв|постав|созда)",
    r"(?:ошибк|сбо|неудач|проблем)\w* (?:\w+ )?(?:при |во время |на этапе |с )?(?:\w+ )?(?:отправк"
    r"|обработк|выполнени|сохранени|запис[ьи]|чтени|доставк|вставк|создани|постановк|обращени"
    r"|запрос"
    r"|операци|рассылк|почтов)",
    r"(?:звярніцеся|звяжыцеся|напішыце) (?:у|з|са|да) "
    r"(?:\w+ )?(?:адміністратар|\w*падтрымк|распрацоушчык|спецыяліст)",
    r"(?:паспрабуйце|паутарыце|зайдзіце|звярніцеся|адпрауце|вярніцеся)(?: \w+){0,4} "
    r"(?:пазней|праз|зноу|яшчэ раз|потым)"
    r"|^(?:калі ласка )?паутарыце (?:спробу|запыт|аперацыю|адпрауку)$",
    r"(?:нешта|штосьці|штось) (?:\w+ )?(?:не так|зламал|здарыл|адбыл)|^(?:упс|ой|на жаль)\b"
    r"|выбачайце|прабачце",
    r"(?:адбыл|узнік|здарыл|выяул)\w* (?:\w+ )?(?:памыл|выключэнн|зб|праблем)"
    r"|памыл\w+ (?:адбыл|узнік|здарыл)",
    r"(?:аперацы\w|запыт|дзеянне|заданне|паведамленн\w|ліст|адпраук\w|рассылк\w|задач\w|даныя) "
    r"(?:\w+ )?не (?:\w+ )?(?:выкан|заверш|удал|апрацав|адпраул|дастаул|захав|запіса|прынят|створан"
    r"|атрымал|адбыл|прайш)",
    r"\b(?:не|ня) (?:удалося|удаецца|удалася|атрымалася|атрымалась|атрымліваецца|выйшла|змагл[аі]"
    r"|змог|магу"
    r"|можам)\b",
    r"(?:немагчыма|нельга|няма магчымасці) (?:\w+ )?"
    r"(?:выкан|апрац|заверш|захав|завярш|запіс|адправ|зрабіць|пастав|ствар)",
    r"(?:памыл|зб|няудач|праблем)\w* (?:\w+ )?(?:пры |падчас |на этапе |з )?(?:\w+ )?(?:адпраук"
    r"|адпрауц|адпраул"
    r"|апрацоук|апрацоуц|выкананн|захаванн|захоуванн|запіс|чытанн|дастаук|дастауц|устаук|стварэнн"
    r"|пастаноук|зварот"
    r"|запыт|аперацы|рассылк|паштов)",
)
cause = _any_of(
    r"\blimit|quota|\brate\b|too (?:many|long|large|big|short)|throttl|exceed|\bsender|template",
    r"\bsubject\b|\bbody\b|\bspam|placeholder|macro|parameter|argument|\bfield|required|invalid",
    r"incorrect|not valid|malformed|missing|\bempty\b|\bformat\b|syntax|tariff|\bplan\b|balance",
    r"payment|\bpaid\b|subscription|moderat|forbidden|not allowed|denied|more than|maxim|validat",
    r"account|block|suspend|verif|confirm|activ|expire|authori[sz]|authentic|token|password",
    r"registration|(?<!went )wrong|illegal|unsupported|not supported|prohibit|reputation|polic"
    r"|\bdkim\b|\bspf\b",
    r"dmarc|\bmx\b|user unknown|unknown user|no such user|attachment|\bcontent|credential"
    r"|permission",
    r"\bagree|incident id|contract|\bfunds\b|money|credits?\b|unsubscri|opt(?:ed)? out|bounce"
    r"|\bfree (?:mail|domain)",
    r"лимит|квот|слишком|превышен|исчерпан|отправител|шаблон|\bтем\w\b|параметр|\bпол\w\b|вложени",
    r"обязател|неверн|некоррект|недопустим|неправильн|пуст|формат|тариф|баланс|оплат|средств|денег",
    r"модерац|запрещ|спам|более|больше|максим|аккаунт|уч\wтн|блокир|подтвер|актив|токен|ключ|домен",
    r"договор|парол|авториз|аутентиф|подписк|содержим|контент|репутац|не поддержива|не указан",
    r"отсутствует|не задан|не заполн|ошибочн|валидац|верифик|пользовател|ящик",
    r"ліміт|квот|занадта|перавыш|вычарпан|адпраушчык|адпраунік|адпрауніка|\bтэм\w\b|\bпол[еяю]\b"
    r"|укладанн",
    r"абавязков|няверн|некарэктн|недапушч|няправільн|фармат|тарыф|аплат|сродк|грош|рахун",
    r"мадэрац|забарон|больш|максім|акаунт|уліков|заблак|пацвер|пацвяр|актыу|дамен|дагавор",
    r"аутарыз|аутэнтыф|падпіск|змест|не падтрымл|не паказан|адсутнічае|памылковы|скрын[іь]"
    r"|атрымальнік",
    r"адрас|адпіса|чорны|карыстальнік",
)
denial = _any_of(
    r"bad request|not found|not allowed|disallow|unauthori[sz]|unauthenti|forbid|denied|\bdeny"
    r"|reject",
    r"\brefus|rules?\b|block|protect|security|suspicious|malicious|\bbot\b|robot|not permitted"
    r"|cannot consume|\bno ",
    r"whitelist|allow ?list|black ?list|deny ?list|\bban(?:ned)?\b|country|region|identify"
    r"|incident",
    r"unknown (?:host|domain|api|resource|method)|method|length|mismatch|misdirected|large"
    r"|reference",
    r"доступ|не найден|не знойдзен|забанен|отклон|адхіл|не авториз|не аутарыз",
)
"""Words of whoever lets nothing through."""
