"""What answers say of the way of a claim between its notice and its re-audit."""

from msgspec import Struct


class CardAnswer(Struct, frozen=True):
    """What the public is told about the patient while the claim is in notice; ten members or more share it."""

    age_from_years: int
    age_to_years: int
    sex: str
    """male, female or not_said."""
    province: int
    """First two digits of the GB/T 2260 code, 0 where generalised."""
    disease_group: int
    """Number of the group in the rules, 0 where generalised."""
    people_min: int
    """At least so many members share this card."""


class ReauditAnswer(Struct, frozen=True):
    """The second look at a paid claim that the lot chose."""

    state: str
    """open, clean, clawback or unaudited."""
    firms: list[str]
    """Firms drawn for it; the last one is asked."""
    auditor: str | None
    due: str | None
    signed_by: list[str]
    report_root: str | None


class ClaimReviewAnswer(Struct, frozen=True):
    """Card, objections, rechecks and re-audit of a claim."""

    card: CardAnswer | None
    """Null before the platform wrote it, and from the confirmation on."""
    objections_open: int
    """Objections that wait for a ruling: the claim is not confirmed before."""
    rechecks: int
    recheck_end: str | None
    """Day on which the running recheck ends at the latest."""
    notices_unconfirmed: int
    """Notices that listed the claim without a confirmation."""
    reaudit: ReauditAnswer | None
    """Null where the lot did not choose the claim."""
