"""What each operation answers: the table from which the OpenAPI document is completed.

The keys are the operation ids: they are part of the API and never change. An operation that is missing here
stops the application at its start, so that nothing is served that is not documented.
"""

from msgspec import Struct

from explorer import examples

READ_PROBLEMS = (
    "parameter_invalid",
    "parameter_unknown",
    "host_unknown",
    "quota_exceeded",
    "internal",
    "height_not_reached",
)
LIST_PROBLEMS = (*READ_PROBLEMS, "cursor_invalid", "overloaded")
PLAIN_PROBLEMS = ("parameter_unknown", "host_unknown", "quota_exceeded", "internal")
SUBMIT_PROBLEMS = (
    "malformed",
    "parameter_unknown",
    "media_type",
    "too_large",
    "request_timeout",
    "host_unknown",
    "wrong_chain",
    "bad_signature",
    "expired",
    "validity_too_distant",
    "version_unknown",
    "blob_missing",
    "quota_exceeded",
    "pool_full",
    "overloaded",
    "node_starting",
    "internal",
)
ETAG_HEADERS: dict[str, object] = {
    "ETag": {
        "description": "Strong where the answer is final and can be kept for ever, else weak.",
        "schema": {"type": "string"},
    }
}
LINK_HEADERS: dict[str, object] = {
    **ETAG_HEADERS,
    "Link": {
        "description": "Addresses of the next and the previous page (RFC 8288).",
        "schema": {"type": "string"},
    },
}
SUBMIT_HEADERS: dict[str, object] = {
    "Location": {"description": "Where the transaction can be asked for.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "true where these bytes were handed in before.",
        "schema": {"type": "string", "const": "true"},
    },
}


class AnswerNote(Struct, frozen=True):
    """One answer of an operation."""

    description: str
    example: Struct | str
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, object] = {}


class Operation(Struct, frozen=True):
    """All answers of an operation."""

    answers: tuple[AnswerNote, ...]
    problems: tuple[str, ...]
    """Catalogue codes."""

    def get_types(self) -> list[type[Struct]]:
        """Return the records that it answers with."""
        return [type(answer.example) for answer in self.answers if isinstance(answer.example, Struct)]


def _one(example: Struct, description: str, *extra_problems: str) -> Operation:
    note = AnswerNote(description=description, example=example, headers=ETAG_HEADERS)
    return Operation(answers=(note,), problems=(*READ_PROBLEMS, *extra_problems))


def _many(example: Struct, description: str) -> Operation:
    note = AnswerNote(description=description, example=example, headers=LINK_HEADERS)
    return Operation(answers=(note,), problems=LIST_PROBLEMS)


OPERATIONS: dict[str, Operation] = {
    "getMeta": _one(examples.META, "Chain, versions, limits, clock, plans."),
    "listBlocks": _many(examples.BLOCKS, "A page of blocks."),
    "getBlock": _one(examples.BLOCK, "The block; immutable once the next block embeds its certificate.", "not_found"),
    "listTransactions": _many(examples.TRANSACTIONS, "A page of committed transactions."),
    "getTransaction": _one(
        examples.TRANSACTION,
        "The transaction; immutable once committed. One that this node has not seen is 404 with its tx_id.",
        "not_found",
    ),
    "getReceipt": _one(
        examples.RECEIPT,
        "Log entry, path, header, certificate and validators of a committed one.",
        "not_found",
    ),
    "getValidators": _one(examples.VALIDATORS, "The set of the next height."),
    "listPlans": _many(examples.PLANS, "A page of plans."),
    "getPlan": _one(examples.PLAN, "The plan.", "not_found"),
    "listMembers": _many(examples.MEMBERS, "A page of members."),
    "getMember": _one(examples.MEMBER_ANSWER, "The member.", "not_found"),
    "listClaims": _many(examples.CLAIMS, "A page of claims."),
    "getClaim": _one(examples.CLAIM_ANSWER, "The claim.", "not_found"),
    "listSettlements": _many(examples.SETTLEMENTS, "A page of settlements."),
    "listPayouts": _many(examples.PAYOUTS, "A page of instructions."),
    "getConsensus": _one(examples.CONSENSUS, "Height, view, phase, missing votes, timers."),
    "getLiveness": Operation(
        answers=(AnswerNote(description="Alive.", example=examples.LIVENESS),), problems=PLAIN_PROBLEMS
    ),
    "getReadiness": Operation(
        answers=(AnswerNote(description="Ready.", example=examples.READINESS),),
        problems=(*PLAIN_PROBLEMS, "not_ready"),
    ),
    "getMetrics": Operation(
        answers=(
            AnswerNote(description="Metrics.", example="gongji_height 4711\n", media_type="text/plain; version=0.0.4"),
        ),
        problems=PLAIN_PROBLEMS,
    ),
    "submitTransaction": Operation(
        answers=(
            AnswerNote(
                description="These bytes have a terminal status already.",
                example=examples.TRANSACTION,
                headers=SUBMIT_HEADERS,
            ),
            AnswerNote(
                description="Final in the time that Prefer allowed: with its receipt.",
                example=examples.TRANSACTION,
                status=201,
                headers=SUBMIT_HEADERS,
            ),
            AnswerNote(
                description="Taken: durable here, on its way to all validators.",
                example=examples.PENDING,
                status=202,
                headers=SUBMIT_HEADERS,
            ),
        ),
        problems=SUBMIT_PROBLEMS,
    ),
    "submitBatch": Operation(
        answers=(
            AnswerNote(description="One result for each transaction, in order.", example=examples.BATCH, status=200),
        ),
        problems=tuple(
            code
            for code in SUBMIT_PROBLEMS
            if code
            not in {
                "wrong_chain",
                "bad_signature",
                "expired",
                "validity_too_distant",
                "version_unknown",
                "blob_missing",
            }
        ),
    ),
    "putBlob": Operation(
        answers=(
            AnswerNote(description="Held already.", example=examples.BLOB),
            AnswerNote(description="Held for an hour.", example=examples.BLOB, status=201),
        ),
        problems=(
            "parameter_invalid",
            "parameter_unknown",
            "media_type",
            "too_large",
            "request_timeout",
            "host_unknown",
            "blob_mismatch",
            "quota_exceeded",
            "pool_full",
            "overloaded",
            "node_starting",
            "internal",
        ),
    ),
}
