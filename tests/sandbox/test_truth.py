from mailkit.sandbox.truth import AttachedFile, Mailing, Truth


def mailing(*addresses: str, at: float = 1.0) -> Mailing:
    return Mailing(
        "smsby.bulk.send", at, "news@shop.by", "Hi", addresses, (AttachedFile("a.pdf", 3),)
    )


def record(truth: Truth, *addresses: str, at: float = 1.0) -> None:
    truth.record(mailing(*addresses, at=at), [("Hi", f"to {one}") for one in addresses])


def test_emails_and_addresses_are_counted() -> None:
    truth = Truth()
    record(truth, "a@b.by", "c@d.by", "a@b.by")
    record(truth, "a@b.by", "c@d.by", at=2.0)
    assert (truth.emails, truth.addresses) == (5, 2)
    assert truth.count(" A@B.by ") == 3
    assert truth.count("nobody@b.by") == 0
    assert truth.mailed_twice == ["a@b.by", "c@d.by"]
    assert dict(truth.mailed) == {"a@b.by": 3, "c@d.by": 2}
    assert [one.at for one in truth.mailings_to("A@b.by")] == [1.0, 2.0]


def test_only_the_last_emails_are_kept_whole() -> None:
    truth = Truth(keep_emails=2)
    record(truth, "a@b.by", "c@d.by", "e@f.by")
    assert [(one.address, one.body) for one in truth.kept] == [
        ("c@d.by", "to c@d.by"),
        ("e@f.by", "to e@f.by"),
    ]
    assert truth.kept[0].attachments == (AttachedFile("a.pdf", 3),)
    assert truth.emails == 3


def test_no_emails_are_kept_if_none_are_wanted() -> None:
    truth = Truth(keep_emails=0)
    record(truth, "a@b.by")
    assert truth.kept == []
    assert truth.emails == 1


def test_a_belief_is_compared_with_the_truth() -> None:
    truth = Truth()
    record(truth, "a@b.by", "c@d.by")
    assert truth.compare(["A@b.by", "c@d.by "]).agrees
    record(truth, "c@d.by", "e@f.by")
    found = truth.compare(["a@b.by", "c@d.by", "g@h.by"])
    assert not found.agrees
    assert (found.missing, found.unexpected, found.mailed_twice) == (
        ["g@h.by"],
        ["e@f.by"],
        ["c@d.by"],
    )


def test_clear_forgets_everything() -> None:
    truth = Truth()
    record(truth, "a@b.by", "a@b.by")
    truth.clear()
    assert (truth.emails, truth.addresses, truth.mailed_twice, truth.kept) == (0, 0, [], [])
    assert truth.mailings == []
