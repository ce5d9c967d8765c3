"""What each operation answers: the table from which the OpenAPI document is completed.

The keys are the operation ids: they are part of the API and never change. An operation that is missing here
stops the application at its start, so that nothing is served that is not documented.
"""

from msgspec import Struct

from explorer import examples_chain, examples_governance, examples_plan, examples_rules, examples_work

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
    "no_ingress",
    "internal",
)
PREPARE_PROBLEMS = (
    "malformed",
    "parameter_unknown",
    "media_type",
    "too_large",
    "request_timeout",
    "host_unknown",
    "quota_exceeded",
    "overloaded",
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


def _many(example: Struct, description: str, *extra_problems: str) -> Operation:
    note = AnswerNote(description=description, example=example, headers=LINK_HEADERS)
    return Operation(answers=(note,), problems=(*LIST_PROBLEMS, *extra_problems))


OPERATIONS: dict[str, Operation] = {
    "getMeta": _one(examples_chain.META, "Chain, versions, limits, clock, plans."),
    "listBlocks": _many(examples_chain.BLOCKS, "A page of blocks."),
    "getBlock": _one(
        examples_chain.BLOCK, "The block; immutable once the next block embeds its certificate.", "not_found"
    ),
    "listTransactions": _many(examples_chain.TRANSACTIONS, "A page of committed transactions."),
    "getTransaction": _one(
        examples_chain.TRANSACTION,
        "The transaction; immutable once committed. One that this node has not seen is 404 with its tx_id.",
        "not_found",
    ),
    "getReceipt": _one(
        examples_chain.RECEIPT,
        "Log entry, path, header, certificate and validators of a committed one.",
        "not_found",
    ),
    "getValidators": _one(examples_chain.VALIDATORS, "The set of the next height."),
    "listPlans": _many(examples_plan.PLANS, "A page of plans."),
    "getPlan": _one(examples_plan.PLAN, "The plan.", "not_found"),
    "listRules": _many(examples_rules.RULES, "A page of versions.", "not_found"),
    "getContract": _one(examples_rules.CONTRACT, "Protocol version, files and their hash.", "not_found"),
    "listMembers": _many(examples_plan.MEMBERS, "A page of members."),
    "getMember": _one(examples_plan.MEMBER_ANSWER, "The member.", "not_found"),
    "listClaims": _many(examples_plan.CLAIMS, "A page of claims."),
    "getClaim": _one(examples_plan.CLAIM_ANSWER, "The claim.", "not_found"),
    "listSettlements": _many(examples_plan.SETTLEMENTS, "A page of settlements."),
    "listPayouts": _many(examples_plan.PAYOUTS, "A page of instructions."),
    "listDeposits": _many(examples_work.DEPOSITS, "A page of deposits.", "not_found"),
    "listStatements": _many(examples_work.STATEMENTS, "A page of statements.", "not_found"),
    "listInstructions": _many(
        examples_work.READY, "A page of orders that the bank has not answered.", "not_found", "access_key_invalid"
    ),
    "listTasks": _many(examples_work.TASKS, "A page of tasks.", "not_found"),
    "getCalendar": _one(examples_work.CALENDAR, "Notice, charge and other days.", "not_found"),
    "listReminders": _many(examples_work.REMINDERS, "A page of members.", "not_found"),
    "listProposals": _many(examples_governance.PROPOSALS, "A page of proposals."),
    "getProposal": _one(examples_governance.PROPOSAL, "The proposal with every vote.", "not_found"),
    "listOrganisations": _many(examples_governance.ORGANISATIONS, "A page of institutions."),
    "getConsensus": _one(examples_chain.CONSENSUS, "Height, view, phase, missing votes, timers."),
    "listEvidence": _one(examples_chain.EVIDENCE, "All proofs that this node holds; anybody can verify them."),
    "getCheckpoint": Operation(
        answers=(
            AnswerNote(
                description="A C2SP signed note: origin, size and root of the log, and the lines of its signers.",
                example=examples_chain.CHECKPOINT,
                media_type="text/plain; charset=utf-8",
            ),
        ),
        problems=(*PLAIN_PROBLEMS, "not_found"),
    ),
    "getLiveness": Operation(
        answers=(AnswerNote(description="Alive.", example=examples_chain.LIVENESS),), problems=PLAIN_PROBLEMS
    ),
    "getReadiness": Operation(
        answers=(AnswerNote(description="Ready.", example=examples_chain.READINESS),),
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
                example=examples_chain.TRANSACTION,
                headers=SUBMIT_HEADERS,
            ),
            AnswerNote(
                description="Final in the time that Prefer allowed: with its receipt.",
                example=examples_chain.TRANSACTION,
                status=201,
                headers=SUBMIT_HEADERS,
            ),
            AnswerNote(
                description="Taken: durable here, on its way to all validators.",
                example=examples_chain.PENDING,
                status=202,
                headers=SUBMIT_HEADERS,
            ),
        ),
        problems=SUBMIT_PROBLEMS,
    ),
    "submitBatch": Operation(
        answers=(
            AnswerNote(
                description="One result for each transaction, in order.", example=examples_chain.BATCH, status=200
            ),
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
    "prepareTransaction": Operation(
        answers=(AnswerNote(description="The bytes to sign.", example=examples_work.PREPARED),),
        problems=PREPARE_PROBLEMS,
    ),
    "simulateTransaction": Operation(
        answers=(AnswerNote(description="What the call would do.", example=examples_work.SIMULATED),),
        problems=(*PREPARE_PROBLEMS, "wrong_chain", "bad_signature"),
    ),
    "putBlob": Operation(
        answers=(
            AnswerNote(description="Held already.", example=examples_chain.BLOB),
            AnswerNote(description="Held for an hour.", example=examples_chain.BLOB, status=201),
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
            "no_ingress",
            "internal",
        ),
    ),
}
