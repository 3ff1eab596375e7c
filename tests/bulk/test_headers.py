"""Which column has the addresses, as lists call it that people export."""

from __future__ import annotations

import io
from typing import Any

import pytest

from mailkit.bulk.headers import address_columns, look_alike
from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.errors import InvalidArgument

ADDRESSES = [
    "email", "E-Mail", "EMAIL", "Email Address", "E-mail Address", "E-mail 1 - Value",
    "emailAddress",
    "EMAIL_ADDRESS", "user_email", "userEmail", "Primary Email", "Email (work)", "Email *", "mail",
    "Customer Email", "Billing Email", "Email 1", "E–mail", "e mail", "Электронная почта",
    "Эл. почта", "Эл.почта", "Почта", "E-mail адрес", "Адрес электронной почты", "Адрес эл. почты",
    "Email (рабочий)", "Рабочий e-mail", "E-mail клиента", "Электронный адрес", "Е-мейл", "Имейл",
    "АдресЭП", "UF_EMAIL", "E-mail (осн.)", "Email (Required)", "Recipient", "Получатель",
    "Ваш e-mail:", "E-mail/Почта", "Электронная пошта", "Адрас электроннай пошты",
]  # fmt: skip
OTHERS = [
    "", "name", "Address", "Адрес", "Почтовый адрес", "Почтовый индекс", "Mailing Address", "to",
    "E-mail 1 - Type", "E-mail 2 - Value", "E-mail 2 Address", "E-mail Display Name",
    "Email opt in",
    "Email verified", "Email Marketing Consent", "Тип эл. почты", "Дата рассылки", "Имя", "emailed",
]  # fmt: skip


async def read(text: str, **options: Any) -> tuple[RecipientSource, list[Any]]:
    source = read_recipients(io.StringIO(text), **options)
    await source.columns()
    return source, [row async for batch in source.batches() for row in batch]


async def refusal(text: str, **options: Any) -> str:
    with pytest.raises(InvalidArgument) as caught:
        await read(text, **options)
    return str(caught.value)


def test_the_names_that_exports_have_for_addresses_are_known() -> None:
    for name in ADDRESSES:
        assert address_columns(["x", name]) == [1], name
    for name in OTHERS:
        assert address_columns([name, "email"]) == [1], name
        assert address_columns([name]) == [], name
    assert address_columns(["Почта", "email", "Рабочий e-mail"]) == [1], "email comes first"
    assert address_columns(["Рабочий e-mail", "x", "Личный e-mail"]) == [0, 2]
    assert address_columns(["Получатель", "Почта"]) == [1], "the first may be a name"


def test_letters_that_look_alike_are_named() -> None:
    for name, odd in {
        "еmail": "'е' (cyrillic small letter ie, U+0435) only looks like 'e'",
        "E-mаil": "'а' (cyrillic small letter a, U+0430) only looks like 'a'",
        "ЕMAIL": "'Е' (cyrillic capital letter ie, U+0415) only looks like 'e'",
        "Пoчта": "'o' (latin small letter o, U+006F) only looks like 'о'",
        "ｅmail": "'ｅ' (fullwidth latin small letter e, U+FF45) only looks like 'e'",
    }.items():
        assert look_alike(["x", name]) == f"in {name!r}, {odd}"
    assert look_alike([*ADDRESSES, *OTHERS]) == ""


@pytest.mark.parametrize("name", ["Эл. почта", "\u200bE-mail Address\xa0", '"Email (work)"'])
async def test_a_table_s_addresses_are_found_by_the_name(name: str) -> None:
    source, [row] = await read(f"Имя;{name};Город\nАнна;a@b.by;Минск\n")
    assert (row.address, row.values) == ("a@b.by", ("Анна", "Минск"))
    assert await source.columns() == ("Имя", "Город")


async def test_the_caller_can_say_which_column_it_is_and_rename_others() -> None:
    text = "Клиент;Рабочий e-mail;Личный e-mail;email\nАнна;a@b.by;c@d.by;none\n"
    given = {
        "email_column": "личный E-mail",
        "rename": {"клиент": "name", "Рабочий e-mail": "work"},
    }
    source, [row] = await read(text, **given)
    assert (source.address_column, await source.columns()) == ("Личный e-mail", ("name", "work"))
    assert (row.address, row.values) == ("c@d.by", ("Анна", "a@b.by"))
    line = '{"Клиент": "Анна", "Рабочий e-mail": "a@b.by", "Личный e-mail": "c@d.by"}\n'
    _, [row] = await read(line, **given)
    assert row.address == "c@d.by"
    assert row.values == {"name": "Анна", "work": "a@b.by", "Личный e-mail": "c@d.by"}
    for text in ("Клиент;Контакт\nАнна;a@b.by\n", '{"Клиент": "Анна", "Контакт": "a@b.by"}\n'):
        _, [row] = await read(text, rename={"Контакт": "email"})
        assert row.address == "a@b.by"


async def test_what_the_caller_says_of_columns_must_be_so() -> None:
    table = "Клиент;email\nАнна;a@b.by\n"
    assert "has no column 'почта': it has 'Клиент', 'email'" in await refusal(
        table, email_column="почта"
    )
    assert "rename: the file has no column 'Имя'" in await refusal(table, rename={"Имя": "name"})
    two = await refusal(table, rename={"Клиент": "email"})
    assert "line 2: two columns 'email' have different addresses; rename one" in two
    assert "' ' can't be the name of a column" in await refusal(table, rename={"Клиент": " "})
    line = '{"email": "a@b.by", "x": 1}\n'
    assert "no row of the file has the key 'Имя'" in await refusal(line, rename={"Имя": "name"})
    assert "has the key 'почта'" in await refusal(line, email_column="почта")


async def test_a_header_that_is_not_clear_is_refused_with_the_remedy() -> None:
    assert "'Рабочий e-mail', 'Личный e-mail'; choose one with email_column=…" in await refusal(
        "Рабочий e-mail;Личный e-mail\na@b.by;c@d.by\n"
    )
    assert "in 'еmail', 'е' (cyrillic" in await refusal("еmail,name\na@b.by,x\n")
    assert "has its header in line 4: remove the lines above it" in await refusal(
        'Отчет;;\n;;\n"Клиенты, все";;\n"Имя";"Эл. почта";\nАнна;a@b.by;\n'
    )
