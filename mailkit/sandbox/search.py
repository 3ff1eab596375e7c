"""Finding emails among all that were captured, newest first, looking at no more than needed."""

from collections.abc import Iterator

import attrs

from mailkit.sandbox.truth import Email, Mailing, Truth

FIELDS = ("to", "from", "subject")


@attrs.frozen
class Found:
    """Emails, newest first, and the number before which there are more; None if these are all."""

    emails: list[Email]
    next: int | None


@attrs.frozen
class Term:
    """A word to look for: anywhere, or in the `field` that it was given with (`to:anna`)."""

    field: str
    text: str

    def is_in_all(self, mailing: Mailing) -> bool:
        """Whether all emails of the mailing have it."""
        if self.field == "to":
            return False
        sender = f"{mailing.sender_name} <{mailing.sender}>".lower()
        if self.field == "from":
            return self.text in sender
        if self.text in mailing.subject.lower():
            return True
        return not self.field and (self.text in sender or self.text in mailing.operation)

    def may_be_in(self, addresses: str, *, kept: bool) -> bool:
        """Whether one of several emails, not all of which have it, can have it."""
        if self.field == "to":
            return self.text in addresses
        if self.field == "from" or (self.field == "subject" and not kept):
            return False
        return kept or self.text in addresses

    def is_in(self, email: Email) -> bool:
        """Whether the email has it, where not all of its mailing do."""
        if self.field in ("", "to") and self.text in email.address:
            return True
        if self.field == "subject" or not self.field:
            return self.text in email.subject.lower() or (
                not self.field and self.text in email.body.lower()
            )
        return False


def parsed(text: str) -> list[Term]:
    """The terms in what a person typed: all of them must be there."""
    terms = []
    for word in text.lower().split():
        field, colon, rest = word.partition(":")
        is_field = bool(colon and rest) and field in FIELDS
        terms.append(Term(field, rest) if is_field else Term("", word))
    return terms


def search(truth: Truth, text: str, *, before: int, limit: int) -> Found:
    """The newest emails with a number below `before` in which all words of the text are."""
    found: list[Email] = []
    for email in _matching(truth, parsed(text), min(before, truth.emails + 1)):
        if len(found) == limit:
            return Found(found, found[-1].number if found else before)
        found.append(email)
    return Found(found, None)


def count(truth: Truth, text: str) -> int:
    """How many emails there are in which all words of the text are."""
    terms = parsed(text)
    return sum(1 for _ in _matching(truth, terms, truth.emails + 1)) if terms else truth.emails


def _matching(truth: Truth, terms: list[Term], before: int) -> Iterator[Email]:
    oldest_kept = truth.oldest_kept
    for first, mailing in truth.mailings_before(before):
        top = min(before - first, len(mailing.addresses))
        open_terms = [term for term in terms if not term.is_in_all(mailing)]
        if open_terms:
            addresses = "\n".join(mailing.addresses)
            is_kept = first + top > oldest_kept
            if not all(term.may_be_in(addresses, kept=is_kept) for term in open_terms):
                continue
        for number in range(first + top - 1, first - 1, -1):
            email = truth.email(number)
            if email is not None and all(term.is_in(email) for term in open_terms):
                yield email
