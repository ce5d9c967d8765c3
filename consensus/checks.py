"""Whether a received message proves what it says: signatures, certificates and what a body binds
(consensus 2).

Verify first, then change anything (pitfalls P10). A signature that is already held in a slot is not
verified again.
"""

from collections.abc import Sequence

from chain.block import hash_header
from chain.certificate import (
    Certificate,
    CertificateInvalid,
    VoteSignature,
    hash_certificate,
    validate_certificate,
    validate_votes,
    vote_message,
)
from chain.types import Hash, Height, View
from chain.validators import ValidatorSet
from consensus import rules
from consensus.messages import (
    NewView,
    OwnMessage,
    Prepared,
    Proposal,
    ViewChange,
    get_signed_bytes,
    hash_prepared,
    hash_view_change,
)
from consensus.state import State


class MessageInvalid(Exception):
    """A received message does not hold; its reason goes to the log. Only ever caught inside the core."""


def require_signature(state: State, message: OwnMessage) -> None:
    """Raise `MessageInvalid` unless a member of set(h) signed this for this chain and version."""
    if message.signer >= state.n:
        raise MessageInvalid(f"signer {message.signer} is no validator of this height")
    if message.body.version != state.head.version:
        raise MessageInvalid(f"protocol version {message.body.version} is not that of the height")
    config = state.config
    signed = get_signed_bytes(message, config.chain_id)
    key = state.validators[message.signer].key
    if not config.verify(public_key=key, message=signed, signature=message.signature):
        raise MessageInvalid("the signature is wrong")


def require_head_certificate(state: State, certificate: Certificate) -> None:
    """Raise `MessageInvalid` unless this is a C(h-1) for my head under set(h-1)."""
    if certificate == state.head_certificate:
        return
    if not rules.is_head_certificate(state, certificate):
        raise MessageInvalid("the certificate is not of my head")
    _require_certificate(state, certificate, state.head.validators_head, _get_known_commits(state, certificate))


def require_fork(state: State, certificate: Certificate) -> None:
    """Raise `MessageInvalid` unless this certifies another block at the height of my head."""
    _require_certificate(state, certificate, state.head.validators_head, frozenset())


def require_certificate(state: State, certificate: Certificate) -> None:
    """Raise `MessageInvalid` unless this is a C(h) under set(h)."""
    if certificate.height != state.height:
        raise MessageInvalid(f"a certificate of height {certificate.height} cannot be checked here")
    known = frozenset(
        (commit.signer, commit.signature)
        for commit in state.commits
        if commit is not None
        and commit.body.view == certificate.view
        and commit.body.block_hash == certificate.block_hash
    )
    _require_certificate(state, certificate, state.validators, known)


def require_prepared(state: State, prepared: Prepared) -> None:
    """Raise `MessageInvalid` unless this is a P(h, u, x) under set(h)."""
    if prepared.height != state.height:
        raise MessageInvalid(f"a prepared certificate of height {prepared.height} does not belong here")
    if prepared == state.locked:
        return
    known = _get_known_prepares(state, prepared)
    height, view, block_hash = Height(prepared.height), View(prepared.view), Hash(prepared.block_hash)
    verified = _verify_votes(state, "prepare", height, view, block_hash, prepared.votes, state.validators, known)
    try:
        validate_votes(
            kind="prepare",
            height=height,
            view=view,
            block_hash=block_hash,
            votes=prepared.votes,
            validators=state.validators,
            chain_id=state.config.chain_id,
            version=state.head.version,
            known=verified,
        )
    except CertificateInvalid as error:
        raise MessageInvalid(f"prepared certificate: {error}") from error


def count_view_change(state: State, message: ViewChange) -> int:
    """Return how many signatures there are to verify in a VIEW-CHANGE, at most."""
    certificate, prepared = message.certificate, message.prepared
    known = _get_known_commits(state, certificate)
    count = 1 + sum(vote not in known for vote in certificate.votes)
    if prepared is not None and prepared != state.locked:
        known = _get_known_prepares(state, prepared)
        count += sum(vote not in known for vote in prepared.votes)
    return count


def require_view_change(state: State, message: ViewChange, verified: Sequence[Prepared] = ()) -> None:
    """Raise `MessageInvalid` unless this VIEW-CHANGE of height h holds with all it carries.

    `verified` are prepared certificates that were verified before: the same P in many VIEW-CHANGEs costs
    once.
    """
    body = message.body
    if body.height != state.height:
        raise MessageInvalid(f"a VIEW-CHANGE of height {body.height} never counts here")
    if hash_certificate(message.certificate) != body.certificate_hash:
        raise MessageInvalid("the carried certificate is not the signed one")
    prepared = message.prepared
    if hash_prepared(prepared) != body.prepared_hash:
        raise MessageInvalid("the carried prepared certificate is not the signed one")
    if prepared is not None and prepared.view >= body.view:
        raise MessageInvalid("the prepared view is not below the view")
    require_signature(state, message)
    require_head_certificate(state, message.certificate)
    if prepared is not None and prepared not in verified:
        require_prepared(state, prepared)


def require_new_view_shape(state: State, message: NewView) -> None:
    """Raise `MessageInvalid` unless the leader of that view signed this list of VIEW-CHANGEs.

    What fails here may be a relayer's doing; what fails afterwards is the leader's.
    """
    body = message.body
    if message.signer != rules.get_leader(state, View(body.view)):
        raise MessageInvalid("not from the leader of its view")
    if tuple(hash_view_change(item) for item in message.view_changes) != body.view_change_hashes:
        raise MessageInvalid("the carried VIEW-CHANGEs are not the signed ones")
    require_signature(state, message)


def require_new_view(state: State, message: NewView) -> None:
    """Raise `MessageInvalid` unless V is exactly Q valid VIEW-CHANGEs of distinct members for this (h,
    w)."""
    body = message.body
    if len(message.view_changes) != state.quorum:
        raise MessageInvalid(f"{len(message.view_changes)} VIEW-CHANGEs, exactly {state.quorum} are needed")
    last = -1
    verified: list[Prepared] = []
    for item in message.view_changes:
        if item.signer <= last or item.signer >= state.n:
            raise MessageInvalid("VIEW-CHANGEs are repeated, unsorted or of a stranger")
        last = item.signer
        if not rules.does_count(item, body.height, body.view):
            raise MessageInvalid("a VIEW-CHANGE of another height or view")
        if item == state.view_changes[item.signer]:
            continue
        require_view_change(state, item, verified)
        if item.prepared is not None:
            verified.append(item.prepared)


def require_proposal_content(state: State, message: Proposal) -> None:
    """Raise `MessageInvalid` unless the content is what is signed and fits my head (no signature is
    checked)."""
    body, header, certificate = message.body, message.header, message.parent_certificate
    if message.signer != rules.get_leader(state, View(body.view)):
        raise MessageInvalid("not from the leader of its view")
    if hash_header(header) != body.block_hash:
        raise MessageInvalid("the header is not the signed one")
    if header.height != body.height or header.version != state.head.version:
        raise MessageInvalid("height or version of the header is wrong")
    if header.parent_hash != rules.get_head_hash(state):
        raise MessageInvalid("the parent is not my head")
    if hash_certificate(certificate) != header.parent_certificate_hash:
        raise MessageInvalid("the parent certificate is not the one in the header")
    if not rules.is_head_certificate(state, certificate):
        raise MessageInvalid("the parent certificate is not of my head")
    if not rules.is_view_related(state, certificate, View(body.view)):
        raise MessageInvalid("the view of the parent certificate does not fit")


def _get_known_commits(state: State, certificate: Certificate) -> frozenset[VoteSignature]:
    """Return the COMMITs of this view on the head that were verified before, here or in a VIEW-CHANGE that is held."""
    carried = (item.certificate for item in state.view_changes if item is not None)
    return frozenset(
        vote for held in (state.head_certificate, *carried) if held.view == certificate.view for vote in held.votes
    )


def _get_known_prepares(state: State, prepared: Prepared) -> frozenset[VoteSignature]:
    """Return the PREPAREs that were verified before, by themselves or in a VIEW-CHANGE that is held."""
    single = (
        (prepare.signer, prepare.signature)
        for prepare in state.prepares
        if prepare is not None and prepare.body.view == prepared.view and prepare.body.block_hash == prepared.block_hash
    )
    carried = (
        vote
        for item in state.view_changes
        if item is not None
        and item.prepared is not None
        and (item.prepared.view, item.prepared.block_hash) == (prepared.view, prepared.block_hash)
        for vote in item.prepared.votes
    )
    return frozenset((*single, *carried))


def _require_certificate(
    state: State, certificate: Certificate, validators: ValidatorSet, known: frozenset[VoteSignature]
) -> None:
    height, view = Height(certificate.height), View(certificate.view)
    block_hash = Hash(certificate.block_hash)
    verified = _verify_votes(state, "commit", height, view, block_hash, certificate.votes, validators, known)
    try:
        validate_certificate(
            certificate,
            validators=validators,
            chain_id=state.config.chain_id,
            genesis_hash=state.config.genesis_hash,
            version=_get_version(state, height),
            known=verified,
        )
    except CertificateInvalid as error:
        raise MessageInvalid(f"certificate: {error}") from error


def _verify_votes(
    state: State,
    kind: str,
    height: Height,
    view: View,
    block_hash: Hash,
    votes: tuple[VoteSignature, ...],
    validators: ValidatorSet,
    known: frozenset[VoteSignature],
) -> frozenset[VoteSignature]:
    """Return the votes that hold, by the configured verifier; the first wrong one ends the work."""
    config = state.config
    signed = vote_message(
        kind=kind,
        chain_id=config.chain_id,
        height=height,
        view=view,
        block_hash=block_hash,
        version=_get_version(state, height),
    )
    verified = []
    for vote in votes:
        index, signature = vote
        if vote in known or (
            index < len(validators)
            and config.verify(public_key=validators[index].key, message=signed, signature=signature)
        ):
            verified.append(vote)
        else:
            raise MessageInvalid(f"the {kind} signature of validator {index} is wrong")
    return frozenset(verified)


def _get_version(state: State, height: int) -> int:
    """Return the version of h, or of the head."""
    return state.head.version if height == state.height else state.head.version_head
