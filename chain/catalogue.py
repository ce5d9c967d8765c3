"""The one catalogue of outcomes and errors.

It feeds ledger outcomes, HTTP problems, client exceptions and CLI exit codes, so that one cause has one code
everywhere (api.md, Errors). **Numbers are part of the log root and never change or get reused.** Ranges: 0 success,
1-99 any call, 100-199 membership, 200-299 deposits and custody, 300-399 claims, 400-499 settlement and batches,
500-599 governance; 900-999 never reach the ledger (transport, submitting, node).
"""

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One cause, named once."""

    number: int
    """Ledger outcome number; 0 is success."""
    code: str
    """Stable snake_case name."""
    status: int
    """HTTP status with which a node answers."""
    retryable: bool
    """Whether the same request can succeed later without a change."""
    title_en: str
    """Short English title."""
    title_zh: str
    """Short Chinese title."""


SUCCESS = 0
FAULT = 1

# fmt: off
# One line for each cause: a table to read down.
_ENTRIES = (
    Entry(0, "success", 200, False, "Success", "成功"),
    Entry(1, "fault", 500, False, "The call broke an invariant and was rolled back", "该调用违反不变式，已回滚"),
    Entry(2, "wrong_role", 403, False, "This key's role may not make this call", "该密钥的角色无权进行此调用"),
    Entry(3, "not_owner", 403, False, "The signer does not control this record", "签名者不控制该记录"),
    Entry(4, "plan_unknown", 422, False, "There is no such plan", "没有此计划"),
    Entry(5, "pool_unknown", 422, False, "There is no such pool in the plan", "该计划没有此资金池"),
    Entry(6, "plan_not_active", 409, True, "The plan does not accept this now", "计划当前不接受此操作"),
    Entry(7, "already", 200, False, "This was already done; nothing changed", "此前已完成，没有变化"),
    Entry(8, "conflict", 409, False, "This contradicts what is recorded", "与已有记录冲突"),
    Entry(9, "value_out_of_range", 422, False, "A value is outside its range", "数值超出范围"),
    Entry(10, "items_refused", 422, False, "Every item of the batch was refused", "批次中的每一项都被拒绝"),
    Entry(11, "key_in_use", 409, False, "This key already has another use", "该密钥已有其他用途"),
    Entry(12, "limit_reached", 429, True, "A limit of the plan is reached", "已达到计划上限"),
    Entry(100, "member_unknown", 422, False, "There is no such member", "没有此成员"),
    Entry(101, "member_state", 409, False, "The member's state does not allow this", "成员状态不允许此操作"),
    Entry(102, "person_duplicate", 409, False, "This person already has a membership in the plan", "此人已是该计划成员"),
    Entry(103, "index_mismatch", 409, False, "Bank and auditor gave different person indexes", "银行与审计给出的身份索引不一致"),
    Entry(104, "rules_unknown", 422, False, "These are not the rules in force", "不是现行规则"),
    Entry(105, "window_open", 409, True, "Not between notice and settlement", "公示与结算之间不能进行"),
    Entry(106, "balance_too_low", 409, False, "The balance does not allow this amount", "余额不足"),
    Entry(107, "weight_out_of_range", 422, False, "The weight must be from 1 to 100", "份数必须在 1 到 100 之间"),
    Entry(108, "guardian_invalid", 422, False, "The guardian is not valid", "监护人无效"),
    Entry(109, "not_verified", 409, True, "Bank and auditor have not both verified this person", "银行与审计尚未都完成核验"),
    Entry(110, "age_limit", 409, False, "The person is beyond the age limit", "已超过年龄上限"),
    Entry(111, "children_first", 409, True, "The children in the plan leave first", "须先为子女办理退出"),
    Entry(200, "account_unknown", 422, False, "There is no such custody account", "没有此托管账户"),
    Entry(201, "reference_conflict", 409, False, "This bank reference exists with other content", "该银行流水号已存在且内容不同"),
    Entry(202, "booking_day_closed", 409, False, "A closed statement covers this booking day", "该记账日已被对账单关闭"),
    Entry(203, "day_in_future", 422, False, "A day lies after the block's day", "日期晚于区块日期"),
    Entry(204, "statement_gap", 409, False, "The statement does not follow the last one", "对账单与上一份不连续"),
    Entry(205, "statement_span", 422, False, "The statement's span of days is not valid", "对账单的日期范围无效"),
    Entry(206, "instruction_unknown", 422, False, "There is no such instruction", "没有此指令"),
    Entry(207, "instruction_state", 409, False, "The instruction's state does not allow this", "指令状态不允许此操作"),
    Entry(208, "amount_mismatch", 409, False, "The amount differs from the recorded one", "金额与记录不符"),
    Entry(300, "claim_unknown", 422, False, "There is no such claim", "没有此案件"),
    Entry(301, "claim_state", 409, False, "The claim's state does not allow this", "案件状态不允许此操作"),
    Entry(302, "not_covered", 409, False, "There was no cover on the day of diagnosis", "确诊日不在保障期内"),
    Entry(303, "claim_too_late", 409, False, "The claim window has passed", "已超过申请期限"),
    Entry(304, "claim_open", 409, False, "The member already has an open claim", "该成员已有未结案件"),
    Entry(305, "not_drawn", 403, False, "This firm was not drawn for the claim", "该机构未被抽中此案"),
    Entry(306, "commit_mismatch", 409, False, "What was revealed is not what was committed", "公开内容与承诺不符"),
    Entry(307, "row_unknown", 422, False, "There is no such benefit row", "没有此给付档位"),
    Entry(308, "no_majority", 409, False, "The reports do not support this decision", "调查报告不支持此决定"),
    Entry(309, "certificate_missing", 409, True, "The claim has no certificate yet", "案件尚无证明"),
    Entry(310, "decider_confirms", 403, False, "Who decided a claim may not confirm it", "作出决定者不得确认同一案件"),
    Entry(311, "notice_not_over", 409, True, "The notice days are not over", "公示期未满"),
    Entry(312, "clauses_missing", 422, False, "A rejection must cite clauses", "拒赔必须引用条款"),
    Entry(313, "deadline_passed", 409, False, "The deadline has passed", "已过期限"),
    Entry(314, "bill_consumed", 409, False, "Another confirmed claim used one of its bills", "所附票据已被另一已确认案件使用"),
    Entry(315, "case_decided", 409, False, "This diagnosis was decided already", "该诊断已有决定"),
    Entry(316, "reveal_too_early", 409, True, "Not all drawn firms have committed yet", "并非所有被抽中机构都已提交承诺"),
    Entry(317, "not_your_turn", 403, True, "Another organisation is asked now", "当前由其他机构负责"),
    Entry(318, "assessors_silent", 409, False, "Every assessor that was asked stayed silent", "所有被抽中的调查机构均未答复"),
    Entry(400, "period_unknown", 422, False, "There is no such period", "没有此期"),
    Entry(401, "period_state", 409, False, "The period's state does not allow this", "该期状态不允许此操作"),
    Entry(402, "batch_root_mismatch", 409, False, "The batch root is not the one computed", "批次根与计算结果不符"),
    Entry(900, "malformed", 400, False, "The bytes are not valid", "数据格式无效"),
    Entry(901, "wrong_chain", 422, False, "The transaction is for another chain", "交易属于另一条链"),
    Entry(902, "bad_signature", 422, False, "The signature is not valid", "签名无效"),
    Entry(903, "expired", 422, False, "The validity has passed", "已过有效期"),
    Entry(904, "validity_too_distant", 422, False, "The validity reaches too far ahead", "有效期过长"),
    Entry(905, "version_unknown", 422, False, "The version is not supported", "版本不受支持"),
    Entry(906, "blob_missing", 422, True, "A detached blob that it names is not here", "所引用的分离数据不在本节点"),
    Entry(907, "blob_mismatch", 422, False, "The blob does not have this hash", "分离数据与哈希不符"),
    Entry(908, "too_large", 413, False, "The request is too large", "请求过大"),
    Entry(909, "pool_full", 503, True, "The node's pool is full", "节点交易池已满"),
    Entry(910, "quota_exceeded", 429, True, "Too many requests from this caller", "该调用方请求过多"),
    Entry(911, "not_found", 404, False, "There is no such thing", "没有找到"),
    Entry(912, "parameter_invalid", 400, False, "A parameter is not valid", "参数无效"),
    Entry(913, "parameter_unknown", 400, False, "There is no such parameter", "没有此参数"),
    Entry(914, "cursor_invalid", 400, False, "The cursor is not valid for this query", "游标对此查询无效"),
    Entry(915, "height_not_reached", 503, True, "This node has not reached that height", "本节点尚未达到该高度"),
    Entry(916, "proof_invalid", 422, False, "The proof does not hold", "证明不成立"),
    Entry(917, "block_invalid", 422, False, "The block breaks a rule", "区块违反规则"),
    Entry(918, "config_invalid", 500, False, "The configuration is not valid", "配置无效"),
    Entry(919, "node_starting", 503, True, "The node is starting", "节点正在启动"),
    Entry(920, "internal", 500, True, "The node failed to answer", "节点内部错误"),
    Entry(921, "method_not_allowed", 405, False, "This method is not allowed here", "不允许此方法"),
    Entry(922, "media_type", 415, False, "The media type is not supported", "不支持此媒体类型"),
    Entry(923, "not_acceptable", 406, False, "No representation that you accept", "没有可接受的表示形式"),
    Entry(924, "unreachable", 503, True, "The node cannot be reached", "无法连接节点"),
    Entry(925, "timeout", 504, True, "There was no answer in time", "未在时限内得到答复"),
    Entry(926, "request_timeout", 408, True, "The request did not arrive in time", "请求未在时限内送达"),
    Entry(927, "headers_too_large", 431, False, "The headers are too large", "请求头过大"),
    Entry(928, "host_unknown", 421, False, "This node does not serve that host name", "本节点不服务此主机名"),
    Entry(929, "not_ready", 503, True, "The node is not ready", "节点尚未就绪"),
    Entry(930, "overloaded", 503, True, "The node has too much to do", "节点负载过高"),
)
# fmt: on

_BY_CODE = {entry.code: entry for entry in _ENTRIES}
_BY_NUMBER = {entry.number: entry for entry in _ENTRIES}


def get_entry(code: str) -> Entry:
    """Return the entry of a code; an unknown code is our own mistake (KeyError)."""
    return _BY_CODE[code]


def get_entry_by_number(number: int) -> Entry:
    """Return the entry of a ledger outcome number."""
    return _BY_NUMBER[number]


def get_entries() -> tuple[Entry, ...]:
    """Return the whole catalogue in the order of its numbers."""
    return _ENTRIES
