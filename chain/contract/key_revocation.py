"""An organisation's recovery key replaces its signing key at once (contract 5 *org_key_revoke*).

Whoever stole a signing key may have signed with it until now. Acts that were complete stand, because others have
built on them, and everybody sees by which key they were signed. What was not complete falls: votes are struck out of
proposals (proposals.py), and a half that this key signed counts no more (halves.py).
"""

from chain.contract.context import Context, compute_day
from chain.contract.governance_calls import OrgKeyRevoke
from chain.contract.governance_tables import CONSORTIUM
from chain.contract.org_keys import replace_signing_key, require_organisation
from chain.contract.proposals import strike_votes
from chain.errors import Refusal
from chain.state import Overlay
from chain.types import ZERO_HASH


def apply_org_key_revoke(state: Overlay, context: Context, call: OrgKeyRevoke) -> tuple[int, ...]:
    """Replace a signing key that was lost or stolen; raise organisation_unknown, not_owner, key_in_use."""
    record = require_organisation(state, call.organisation)
    if context.signer != record.recovery_key or record.recovery_key == ZERO_HASH:
        raise Refusal("not_owner", organisation=call.organisation)
    replace_signing_key(state, context, call.organisation, call.new_key, is_revoked=True)
    today = compute_day(context.timestamp_ms, state.require(CONSORTIUM).utc_offset_minutes)
    strike_votes(state, context, call.organisation, record.key, today=today)
    return ()
