"""Lists as people export them, over the commands."""

from __future__ import annotations

from .shop import PLAIN, Shop

SENDER = "Shop <news@shop.by>"
TABLE = """\
sep=;
Клиент;Рабочий e-mail;Личный e-mail;
Анна ; "Petrova, Anna" <a@b.by> ;x@y.by;
Ира;mailto:c@d.by;;
;;;
Олег;'+e@f.by;;
Олег;g@h.by, i@j.by;;
"""


def test_a_column_is_named_and_another_one_renamed(shop: Shop) -> None:
    listed = shop.folder / "list.csv"
    listed.write_text(TABLE, encoding="utf-8-sig")
    body = "<p>{{ name }}, {{ Рабочий e-mail }}, {{ email }}</p>"
    letter = shop.letter(sender=SENDER, subject="Hi {{ name }}", html=body)
    words = ("--email-column", "рабочий e-mail", "--map", "Клиент=name")
    planned = shop("plan", letter, listed, "--provider", "smsby", *words)
    assert planned.code == 0
    assert f"--email-column 'рабочий e-mail' --map {'Клиент=name'}" in planned.out.replace(
        "'Клиент=name'", "Клиент=name"
    )
    sent = shop.send(letter, listed, *words, "--name", "autumn", "--json").json
    assert (sent["accepted"], sent["invalid"]) == (3, 1)
    assert set(shop.sandbox.truth.mailed) == {"a@b.by", "c@d.by", "+e@f.by"}
    rows = shop("report", "autumn", "--csv").out
    assert "2 addresses in one cell; put each in its own row" in rows
    assert "\na@b.by,Анна,x@y.by,a@b.by," in rows, "the name's own column has the address"
    tested = shop("test", letter, "n@s.by", "--provider", "smsby", "--list", listed, *words)
    assert "Анна, n@s.by, n@s.by" in tested.out


def test_what_is_said_of_columns_is_checked(shop: Shop) -> None:
    listed = shop.folder / "list.csv"
    listed.write_text(TABLE, encoding="utf-8")
    letter = shop.letter(**PLAIN)
    unclear = shop.send(letter, listed)
    assert unclear.code == 1
    assert "'Рабочий e-mail', 'Личный e-mail'" in unclear.err
    assert shop.send(letter, listed, "--map", "Клиент").code == 2
    assert "no column 'Имя'" in shop.send(letter, listed, "--map", "Имя=name").err
    assert shop.sandbox.truth.emails == 0
