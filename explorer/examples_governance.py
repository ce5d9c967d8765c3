"""Examples of the OpenAPI document about the government, made of the very records that are sent."""

from explorer.answers_governance import (
    OrganisationAnswer,
    OrganisationPage,
    ProposalAnswer,
    ProposalPage,
    VoteCastAnswer,
)
from explorer.examples_chain import HASH, KEY, PAGE, TX_ID

PROPOSAL = ProposalAnswer(
    proposal=TX_ID,
    number=12,
    status="open",
    kind="add_organisation",
    payload={"name": "firm-e", "role": "assessor", "group": "group-e", "key": KEY, "recovery_key": "0" * 64},
    reason_hash=HASH,
    proposer="bank",
    concerned=None,
    voters=["platform", "bank", "auditor-a", "auditor-b"],
    counted=["bank", "auditor-a", "auditor-b"],
    yes_needed=3,
    yes=1,
    votes=[VoteCastAnswer(organisation="bank", is_yes=True, day="2027-03-01", key=KEY)],
    opened_day="2027-03-01",
    expire_day="2027-03-31",
    effect_day=None,
    closed_day=None,
    code=None,
)
PROPOSALS = ProposalPage(items=[PROPOSAL], page=PAGE)
ORGANISATIONS = OrganisationPage(
    items=[
        OrganisationAnswer(
            name="auditor-a",
            role="auditor",
            order=0,
            group="group-a",
            key=KEY,
            recovery_key=KEY,
            is_in_office=True,
            left_day=None,
        )
    ],
    page=PAGE,
)
