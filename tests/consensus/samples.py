"""One message of each kind, made from fixed seeds with real Ed25519: the subject of the golden vectors."""

from chain.block import Header, hash_header
from chain.certificate import Certificate, VoteBody, hash_certificate, vote_message
from chain.codec import encode
from chain.crypto import SigningKey, sha256
from chain.types import ChainId, Hash, Height, Signature, View
from consensus.messages import (
    UNSIGNED,
    Activity,
    Commit,
    Complaint,
    Held,
    Kind,
    Message,
    NewView,
    NewViewBody,
    OwnMessage,
    Prepare,
    Prepared,
    Proposal,
    Shown,
    Status,
    ViewChange,
    ViewChangeBody,
    attach_signature,
    encode_bitmap,
    get_signed_bytes,
    hash_prepared,
    hash_view_change,
)

CHAIN_ID = ChainId(sha256(b"sample chain"))
KEYS = tuple(SigningKey(sha256(b"sample validator %d" % index)) for index in range(4))
HEIGHT = Height(2)


def sign(index: int, message: OwnMessage) -> OwnMessage:
    return attach_signature(message, KEYS[index].sign(get_signed_bytes(message, CHAIN_ID)))


def sign_votes(kind: str, height: Height, view: View, block_hash: Hash) -> tuple[tuple[int, Signature], ...]:
    signed = vote_message(kind=kind, chain_id=CHAIN_ID, height=height, view=view, block_hash=block_hash, version=1)
    return tuple((index, KEYS[index].sign(signed)) for index in range(3))


def build_header() -> Header:
    return Header(
        version=1,
        height=HEIGHT,
        parent_hash=sha256(b"parent"),
        timestamp_ms=1_700_000_000_000,
        proposer=KEYS[0].public_key,
        parent_certificate_hash=hash_certificate(build_certificate()),
        transactions_root=sha256(b"transactions"),
        log_size=7,
        log_root=sha256(b"log"),
        state_root=sha256(b"state"),
        next_validators_hash=sha256(b"validators"),
        reveal=sha256(b"reveal"),
    )


def build_certificate() -> Certificate:
    parent = sha256(b"parent")
    votes = sign_votes("commit", Height(1), View(0), parent)
    return Certificate(height=1, view=0, block_hash=parent, votes=votes)


def build_prepared() -> Prepared:
    block_hash = hash_header(build_header())
    votes = sign_votes("prepare", HEIGHT, View(0), block_hash)
    return Prepared(height=HEIGHT, view=0, block_hash=block_hash, votes=votes)


def build_view_change(index: int) -> ViewChange:
    prepared = build_prepared() if index == 0 else None
    certificate = build_certificate()
    message = sign(
        index,
        ViewChange(
            body=ViewChangeBody(
                version=1,
                height=HEIGHT,
                view=1,
                certificate_hash=hash_certificate(certificate),
                prepared_hash=hash_prepared(prepared),
            ),
            signer=index,
            signature=UNSIGNED,
            certificate=certificate,
            prepared=prepared,
        ),
    )
    if not isinstance(message, ViewChange):
        raise TypeError("signing keeps the kind")
    return message


def build_messages() -> dict[Kind, Message]:
    header = build_header()
    body = VoteBody(version=1, height=HEIGHT, view=1, block_hash=hash_header(header))
    view_changes = tuple(build_view_change(index) for index in range(3))
    prepare = sign(2, Prepare(body=body, signer=2, signature=UNSIGNED))
    return {
        Kind.VIEW_CHANGE: view_changes[0],
        Kind.NEW_VIEW: sign(
            1,
            NewView(
                body=NewViewBody(
                    version=1,
                    height=HEIGHT,
                    view=1,
                    view_change_hashes=tuple(hash_view_change(item) for item in view_changes),
                ),
                signer=1,
                signature=UNSIGNED,
                view_changes=view_changes,
            ),
        ),
        Kind.PROPOSAL: sign(
            1,
            Proposal(
                body=body,
                signer=1,
                signature=UNSIGNED,
                header=header,
                parent_certificate=build_certificate(),
                items=((sha256(b"transaction"), bytes(range(64))),),
            ),
        ),
        Kind.PREPARE: prepare,
        Kind.COMMIT: sign(2, Commit(body=body, signer=2, signature=UNSIGNED)),
        Kind.STATUS: Status(
            version=1,
            certificate=build_certificate(),
            view=1,
            is_normal=True,
            wants=2,
            activity=Activity.VOTING,
            held=Held(
                has_new_view=True,
                has_proposal=False,
                view_changes=encode_bitmap((0, 1, 2)),
                prepares=encode_bitmap((1, 9)),
                commits=b"",
            ),
            wall_ms=1_700_000_000_123,
            boot_id=bytes(range(16)),
            nonce=bytes(range(16, 32)),
            echo=bytes(16),
            shown=Shown(kind=int(Kind.PREPARE), body=encode(body), signature=prepare.signature),
        ),
        Kind.COMPLAINT: Complaint(height=HEIGHT, view=1, tx_ids=(sha256(b"late"),)),
    }
