"""What a proposal asks for: whom it concerns, whether it is possible now, and its effect (contract 5).

Each payload is checked when it is put to the vote and again on the day of its effect, because the state has moved on
meanwhile. Thresholds and delays are in proposal_policy.py, voting in proposals.py, the clock in governance_schedule.py.
"""

from chain.contract.context import Context
from chain.contract.governance_calls import (
    AddOrganisation,
    AddValidator,
    ChangeKey,
    EndPlan,
    MoveCustody,
    Payload,
    PublishRules,
    RemoveOrganisation,
    RemoveValidator,
    RenewReveals,
    ResumePlan,
    SetParameter,
    StopPlan,
    UpgradeProtocol,
)
from chain.contract.org_keys import replace_signing_key, require_organisation, validate_key_free
from chain.contract.parameter_changes import (
    apply_set_parameter,
    apply_upgrade_protocol,
    validate_set_parameter,
    validate_upgrade_protocol,
)
from chain.contract.plan_orders import apply_plan_order, validate_plan_order
from chain.contract.rosters import (
    apply_add_organisation,
    apply_remove_organisation,
    find_office,
    validate_add_organisation,
    validate_remove_organisation,
)
from chain.contract.validator_changes import (
    accept_candidate,
    apply_renew_reveals,
    find_operator,
    remove_validator,
    validate_add_validator,
    validate_remove_validator,
    validate_renew_reveals,
)
from chain.errors import Refusal
from chain.state import Overlay


def get_kind(payload: Payload) -> str:
    """Return the name of what a payload asks for."""
    return str(type(payload).__struct_config__.tag)


def find_concerned(state: Overlay, payload: Payload) -> str | None:
    """Return the organisation that a payload is about, None where it is about none that is in office.

    Raises validator_unknown.
    """
    match payload:
        case AddOrganisation(role=role):
            return find_office(state, role)
        case RemoveOrganisation(name=name):
            return name
        case ChangeKey(organisation=organisation) | AddValidator(organisation=organisation):
            return organisation
        case RemoveValidator(key=key) | RenewReveals(key=key):
            return find_operator(state, key)
        case _:
            return None


def validate_payload(state: Overlay, context: Context, payload: Payload, *, is_own: bool) -> None:
    """Raise `Refusal` where what is asked for is not possible now; `is_own`: by the organisation concerned itself."""
    match payload:
        case AddOrganisation():
            validate_add_organisation(state, payload)
        case RemoveOrganisation():
            validate_remove_organisation(state, payload)
        case ChangeKey():
            require_organisation(state, payload.organisation)
            validate_key_free(state, payload.new_key)
        case AddValidator():
            validate_add_validator(state, payload)
            _require_own(is_own, payload.key)
        case RemoveValidator():
            validate_remove_validator(state, payload)
        case RenewReveals():
            validate_renew_reveals(state, payload)
            _require_own(is_own, payload.key)
        case SetParameter():
            validate_set_parameter(state, payload)
        case UpgradeProtocol():
            validate_upgrade_protocol(state, context, payload)
        case MoveCustody() | EndPlan() | StopPlan() | ResumePlan() | PublishRules():
            validate_plan_order(state, context, payload)


def _require_own(is_own: bool, key: bytes) -> None:
    """Refuse keys of a validator that its operator did not name itself.

    Others could call a key theirs that they hold themselves, and so vote in its name; and nobody else can know the
    chain of reveals behind an anchor.
    """
    if not is_own:
        raise Refusal("not_owner", key=key.hex())


def apply_payload(state: Overlay, context: Context, payload: Payload, reason_hash: bytes) -> None:
    """Carry out what was accepted; raise `Refusal` where it has become impossible."""
    match payload:
        case AddOrganisation():
            apply_add_organisation(state, context, payload)
        case RemoveOrganisation():
            apply_remove_organisation(state, context, payload)
        case ChangeKey():
            replace_signing_key(state, context, payload.organisation, payload.new_key, is_revoked=False)
        case AddValidator():
            accept_candidate(state, context, payload)
        case RemoveValidator():
            remove_validator(state, context, payload)
        case RenewReveals():
            apply_renew_reveals(state, context, payload)
        case SetParameter():
            apply_set_parameter(state, context, payload)
        case UpgradeProtocol():
            apply_upgrade_protocol(state, context, payload)
        case MoveCustody() | EndPlan() | StopPlan() | ResumePlan() | PublishRules():
            apply_plan_order(state, context, payload, reason_hash)
