"""A small genesis with known keys, for tests of the chain and the node."""

import msgspec

from chain.contract.standard_clauses import STANDARD_CLAUSES, STANDARD_EXCLUSIONS
from chain.contract.terms import Benefit, PinnedTerms, PlanTerms, PoolTerms
from chain.crypto import SigningKey, sha256
from chain.genesis import (
    ROLE_ASSESSOR,
    ROLE_AUDITOR,
    ROLE_CUSTODIAN,
    ROLE_HOSPITAL,
    ROLE_PLATFORM,
    Genesis,
    GenesisPlan,
    Organisation,
    Parameters,
)
from chain.types import ZERO_HASH
from chain.validators import Validator

GENESIS_MS = 1_767_024_000_000
"""2025-12-30 00:00 in China."""

ORGANISATIONS = (
    ("platform", ROLE_PLATFORM),
    ("custodian", ROLE_CUSTODIAN),
    ("auditor-1", ROLE_AUDITOR),
    ("auditor-2", ROLE_AUDITOR),
    ("assessor-1", ROLE_ASSESSOR),
    ("assessor-2", ROLE_ASSESSOR),
    ("assessor-3", ROLE_ASSESSOR),
    ("assessor-4", ROLE_ASSESSOR),
    ("hospital-1", ROLE_HOSPITAL),
)
VALIDATORS = ("platform", "custodian", "auditor-1", "auditor-2")
REVEAL_LINKS = 1_000


def make_key(name: str) -> SigningKey:
    """Return the key that belongs to a name in every test."""
    return SigningKey(sha256(name.encode()))


def make_link(name: str, index: int) -> bytes:
    """Return link `index` of a validator's reveal chain; link 0 is the anchor in genesis."""
    link = bytes(sha256(f"reveal {name}".encode()))
    for _ in range(REVEAL_LINKS - index):
        link = sha256(link)
    return link


def make_terms(**pool: int) -> PlanTerms:
    """Return the rules of a small plan; keyword arguments replace pool terms."""
    benefits = (
        Benefit(age_from_years=0, age_to_years=39, severe_fen=300_000, mild_fen=50_000),
        Benefit(age_from_years=40, age_to_years=59, severe_fen=100_000, mild_fen=50_000),
    )
    base = PoolTerms(
        utc_offset_minutes=480,
        notice_days_of_month=(7, 21),
        charge_days_of_month=(14, 28),
        notice_full_days_min=3,
        fee_bp=800,
        cap_per_case_fen=400,
        cap_per_period_fen=None,
        cap_per_year_fen=18_800,
        deposit_min_fen=1_000,
        deposit_max_fen=20_000,
        grace_periods=2,
        waiting_members_share=True,
        unpaid=0,
        carry_periods_max=2,
        benefit_ceiling=benefits,
        members_min=2,
        launch_days=365,
        residue_to="charity",
        jury_size=11,
    )
    return PlanTerms(
        name="test",
        currency="CNY",
        pool=msgspec.structs.replace(base, **pool),
        pinned=PinnedTerms(
            benefits=benefits,
            waiting_days=90,
            claim_window_days=180,
            age_min_days=30,
            age_limit_years=60,
            clauses=STANDARD_CLAUSES,
            exclusions=STANDARD_EXCLUSIONS,
        ),
    )


def make_genesis(*, parameters: Parameters | None = None, terms: PlanTerms | None = None) -> Genesis:
    """Return a genesis with four validators and one plan `demo`."""
    organisations = tuple(
        Organisation(
            name=name,
            role=role,
            group=f"group-{name}",
            key=make_key(name).public_key,
            recovery_key=ZERO_HASH
            if role in (ROLE_ASSESSOR, ROLE_HOSPITAL)
            else make_key(f"recovery {name}").public_key,
        )
        for name, role in ORGANISATIONS
    )
    validators = tuple(
        Validator(
            organisation=name,
            key=make_key(f"validator {name}").public_key,
            checkpoint_key=make_key(f"checkpoint {name}").public_key,
            tls_pin=sha256(f"tls {name}".encode()),
            tls_certificate=b"",
            address=f"127.0.0.1:{9_000 + index}",
            reveal_anchor=make_link(name, 0),
        )
        for index, name in enumerate(VALIDATORS)
    )
    return Genesis(
        format=1,
        name="test",
        domain="gongji.test",
        time_ms=GENESIS_MS,
        parameters=parameters or Parameters(),
        organisations=organisations,
        validators=validators,
        plans=(GenesisPlan(plan="demo", account="pool-0", opening_fen=0, terms=terms or make_terms()),),
    )
