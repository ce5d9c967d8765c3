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
    Entry(112, "holder_invalid", 422, False, "The account's holder does not fit the member", "账户持有人类型与成员不符"),
    Entry(113, "account_unneeded", 409, False, "Nothing can be paid out to this membership", "该成员没有待付款项"),
    Entry(114, "rekey_pending", 409, True, "Another request to replace the key is pending", "已有另一个更换密钥的申请"),
    Entry(115, "rekey_unknown", 409, False, "No request to replace the key is pending", "没有待生效的更换密钥申请"),
    Entry(116, "not_of_age", 409, True, "The child does not come of age this year", "该子女今年尚未成年"),
    Entry(117, "guardian_missing", 409, False, "The membership has no guardian", "该成员没有监护人"),
    Entry(118, "death_unknown", 409, False, "No death is recorded", "没有死亡记录"),
    Entry(119, "estate_verified", 409, False, "The account of the estate is verified already", "遗产账户已核验"),
    Entry(120, "estate_too_early", 409, True, "An estate is verified 14 days after the report at the earliest", "报告死亡满14日后方可核验遗产账户"),
    Entry(140, "void_open", 409, True, "A hearing about this member is open", "该成员的听证尚未结束"),
    Entry(141, "void_state", 409, False, "The hearing's state does not allow this", "听证状态不允许此操作"),
    Entry(142, "void_repeated", 409, True, "A hearing about this ended only lately", "相同事项的听证刚结束不久"),
    Entry(143, "member_voided", 409, False, "The membership was voided after a hearing", "该成员资格经听证后已被撤销"),
    Entry(144, "retention_running", 409, True, "The data must be kept for some time yet", "数据仍在保存期内"),
    Entry(145, "money_open", 409, True, "Money of this member has not been paid out yet", "该成员尚有款项未付出"),
    Entry(146, "erased", 409, False, "The data of this member are erased", "该成员的数据已被删除"),
    Entry(147, "erasure_unknown", 409, False, "Nobody has asked for this erasure", "没有此项删除申请"),
    Entry(148, "index_epoch_open", 409, True, "A new epoch of the person index is being issued", "身份索引正在更换"),
    Entry(149, "index_epoch_unknown", 409, False, "No such epoch of the person index is open", "没有此身份索引轮次"),
    Entry(150, "index_outdated", 409, True, "The person index is of an older epoch", "身份索引已过期，须重新核验"),
    Entry(151, "draw_unknown", 422, False, "There is no such draw", "没有此次抽样"),
    Entry(152, "sample_mismatch", 409, False, "The sample is not the one that was drawn", "样本与抽样结果不符"),
    Entry(200, "account_unknown", 422, False, "There is no such custody account", "没有此托管账户"),
    Entry(201, "reference_conflict", 409, False, "This bank reference exists with other content", "该银行流水号已存在且内容不同"),
    Entry(202, "booking_day_closed", 409, False, "A closed statement covers this booking day", "该记账日已被对账单关闭"),
    Entry(203, "day_in_future", 422, False, "A day lies after the block's day", "日期晚于区块日期"),
    Entry(204, "statement_gap", 409, False, "The statement does not follow the last one", "对账单与上一份不连续"),
    Entry(205, "statement_span", 422, False, "The statement's span of days is not valid", "对账单的日期范围无效"),
    Entry(206, "instruction_unknown", 422, False, "There is no such instruction", "没有此指令"),
    Entry(207, "instruction_state", 409, False, "The instruction's state does not allow this", "指令状态不允许此操作"),
    Entry(208, "amount_mismatch", 409, False, "The amount differs from the recorded one", "金额与记录不符"),
    Entry(209, "deposit_unknown", 422, False, "There is no such deposit", "没有此笔存款"),
    Entry(210, "deposit_state", 409, False, "Nothing is left of the deposit for this", "该笔存款已无可处理的余额"),
    Entry(211, "statement_unknown", 422, True, "There is no such statement", "没有此对账单"),
    Entry(212, "statement_state", 409, False, "The statement's state does not allow this", "对账单状态不允许此操作"),
    Entry(213, "lines_mismatch", 422, False, "The lines do not explain the difference", "明细不能解释差额"),
    Entry(214, "line_invalid", 422, False, "A line does not fit the statement or what is recorded", "明细与对账单或已有记录不符"),
    Entry(215, "statement_sums", 422, False, "The figures of the statement do not add up", "对账单数字前后不一致"),
    Entry(216, "resolution_signer", 403, False, "Who signed a resolution may not object to it", "签署差异说明者不得对其提出异议"),
    Entry(217, "plan_not_frozen", 409, False, "The plan is not frozen", "计划未被冻结"),
    Entry(218, "payee_unverified", 409, False, "This payment does not go to a verified account", "该笔付款的收款账户未经核验"),
    Entry(219, "not_unclaimed_yet", 409, True, "The money has not waited 1,095 days for its payee", "款项无人领取未满 1,095 天"),
    Entry(220, "aid_unclaimed", 409, False, "Nobody could be paid for 1,095 days", "1,095 天内无人领取"),
    Entry(221, "fee_too_high", 409, False, "The platform has not earned this much", "超过平台可提取的服务费"),
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
    Entry(319, "bills_not_certified", 409, False, "The certificate does not cover the claim's bills", "证明未覆盖案件所附票据"),
    Entry(320, "clause_unknown", 422, False, "A clause is not in the rules that the member pinned", "所引条款不在该成员锁定的规则中"),
    Entry(321, "own_claim", 403, False, "Nobody objects to a claim of the own family", "不得对自己或被监护人、监护人的案件提出异议"),
    Entry(322, "objector_not_covered", 403, False, "Only who is covered today may object", "仅当日在保障期内的成员可提出异议"),
    Entry(323, "objections_closed", 409, False, "The claim takes no further objection", "该案件不再接受异议"),
    Entry(324, "objection_unknown", 422, False, "There is no such objection", "没有此异议"),
    Entry(325, "objection_state", 409, False, "The objection is not open any more", "该异议已处理"),
    Entry(326, "objection_open", 409, True, "An objection waits for its ruling", "尚有异议待裁定"),
    Entry(327, "draw_pending", 409, True, "The firms of the withdrawn claim are not drawn yet", "撤回案件的调查机构尚未抽出"),
    Entry(328, "unconfirmed", 409, False, "No auditor confirmed the claim in its notices", "历次公示均无审计机构确认"),
    Entry(329, "had_part", 403, False, "Who had a part in the claim does not rule on it", "参与过该案件者不得裁定"),
    Entry(330, "appeal_unknown", 422, False, "There is no such appeal", "没有此申诉"),
    Entry(331, "appeal_state", 409, False, "The appeal's state does not allow this", "申诉状态不允许此操作"),
    Entry(332, "appealed_before", 409, False, "This decision was appealed already", "该决定已被申诉过"),
    Entry(333, "row_not_lower", 409, False, "The row is not lower than the one asked for", "给付档位并不低于所申请的档位"),
    Entry(334, "not_juror", 403, False, "This member was not drawn for the jury", "该成员未被抽为陪审员"),
    Entry(335, "ballots_sealed", 409, True, "Ballots are not opened yet", "选票尚未到公开时间"),
    Entry(336, "main_benefit_taken", 409, False, "Another claim of this person has the main benefit", "此人的主要互助金已由另一案件领取"),
    Entry(350, "heir_invalid", 403, False, "An heir signs for a dead member only, together with an auditor", "继承人仅可与审计机构共同为已故成员签署"),
    Entry(351, "card_too_narrow", 422, False, "Fewer than ten people share this card", "符合此公示信息的人数不足十人"),
    Entry(352, "objections_used", 429, False, "The member's objections of this year are used up", "该成员本年度异议次数已用完"),
    Entry(353, "withdrawals_used", 429, False, "The member's withdrawals of this year are used up", "该成员本年度撤回次数已用完"),
    Entry(400, "period_unknown", 422, False, "There is no such period", "没有此期"),
    Entry(401, "period_state", 409, False, "The period's state does not allow this", "该期状态不允许此操作"),
    Entry(402, "batch_root_mismatch", 409, False, "The batch root is not the one computed", "批次根与计算结果不符"),
    Entry(403, "rules_version_unknown", 422, False, "There is no such version of the rules", "没有此规则版本"),
    Entry(404, "version_state", 409, False, "The version's state does not allow this", "规则版本的状态不允许此操作"),
    Entry(405, "version_number", 409, False, "This is not the next version of the plan", "不是该计划的下一个版本号"),
    Entry(406, "rules_invalid", 422, False, "The rules contradict themselves", "规则自相矛盾"),
    Entry(407, "assessors_too_few", 409, True, "Fewer than four assessor firms", "调查机构少于四家"),
    Entry(408, "pool_pending", 409, True, "Another version that opens a pool is disclosed", "另一个新设资金池的版本正在公示"),
    Entry(409, "account_in_use", 409, False, "This custody account is in use", "该托管账户已被使用"),
    Entry(450, "rules_unfit_calendar", 409, False, "The calendar differs from the pool's", "日历与资金池不一致"),
    Entry(451, "rules_unfit_fee", 409, False, "The fee is higher than the pool's", "管理费高于资金池的规定"),
    Entry(452, "rules_unfit_caps", 409, False, "A cap is higher than the pool's", "分摊上限高于资金池的规定"),
    Entry(453, "rules_unfit_grace", 409, False, "The grace is shorter than the pool's", "宽限期短于资金池的规定"),
    Entry(454, "rules_unfit_deposits", 409, False, "The deposit limits differ from the pool's", "预存限额与资金池不一致"),
    Entry(455, "rules_unfit_unpaid", 409, False, "The rule for unpaid aid differs from the pool's", "未足额互助金的处理与资金池不一致"),
    Entry(456, "rules_unfit_ceiling", 409, False, "The benefit ceiling differs from the pool's", "给付上限表与资金池不一致"),
    Entry(457, "rules_unfit_benefit", 409, False, "A benefit is above the pool's ceiling", "给付金额超过资金池上限"),
    Entry(458, "rules_unfit_ages", 409, False, "The ages are laxer than those of the pool's first version", "年龄范围宽于资金池首个版本"),
    Entry(459, "rules_unfit_exclusions", 409, False, "An exclusion of the pool's first version is missing", "缺少资金池首个版本的除外责任"),
    Entry(460, "rules_unfit_waiting", 409, False, "The waiting period is shorter than in the pool's first version", "等待期短于资金池首个版本"),
    Entry(461, "rules_unfit_terms", 409, False, "A pool term differs from the pool's", "资金池条款不一致"),
    Entry(462, "pool_account", 422, False, "A new pool names its custody account, an existing one none", "新资金池须指定托管账户，现有资金池不得指定"),
    Entry(463, "pause_too_soon", 409, True, "This organisation paused the plan less than 30 days ago", "该机构三十日内已暂停过本计划"),
    Entry(464, "plan_not_paused", 409, False, "The plan is not paused", "计划未处于暂停状态"),
    Entry(465, "pool_closed", 409, False, "The pool is closed and pays everybody out", "资金池已关闭并正在清退"),
    Entry(466, "move_under_way", 409, True, "A move to another pool is under way", "正在转入另一资金池"),
    Entry(500, "proposal_unknown", 422, False, "There is no such proposal", "没有此提案"),
    Entry(501, "proposal_state", 409, False, "The proposal is decided", "该提案已有结果"),
    Entry(502, "proposal_exists", 409, False, "The same is being voted on", "相同内容正在表决"),
    Entry(503, "proposals_full", 429, True, "Too many proposals are open", "待决提案过多"),
    Entry(504, "no_vote", 403, False, "This organisation has no vote on this proposal", "该机构对此提案无表决权"),
    Entry(505, "organisation_unknown", 422, False, "There is no such organisation in office", "没有此在任机构"),
    Entry(506, "organisation_name_used", 409, False, "This name was given before", "该机构名称已被使用过"),
    Entry(507, "group_conflict", 409, False, "An organisation of this ownership group is in office", "同一所有权集团已有机构在任"),
    Entry(508, "roster_minimum", 409, False, "Too few of this role would remain", "该角色的机构将少于最低数量"),
    Entry(509, "roster_full", 409, False, "This role has as many organisations as it may have", "该角色的机构数量已达上限"),
    Entry(510, "validators_first", 409, True, "The organisation still runs a validator", "该机构仍在运行验证节点"),
    Entry(511, "validator_unknown", 422, False, "There is no such validator", "没有此验证节点"),
    Entry(512, "validator_exists", 409, False, "Another validator has this TLS key or address", "已有验证节点使用该 TLS 密钥或地址"),
    Entry(513, "validators_minimum", 409, False, "The set of validators would become too small", "验证节点数量将低于下限"),
    Entry(514, "validators_full", 409, True, "There are as many validators or candidates as there may be", "验证节点或候选节点已达上限"),
    Entry(515, "validators_concentrated", 409, False, "One ownership group would have too many validators", "同一所有权集团的验证节点过多"),
    Entry(516, "candidate_unknown", 422, False, "There is no candidate with this key", "没有使用该密钥的候选验证节点"),
    Entry(517, "block_not_recent", 409, True, "This is not one of the last 100 blocks", "不是最近一百个区块之一"),
    Entry(518, "parameter_fixed", 422, False, "This parameter does not change", "该参数不可更改"),
    Entry(519, "parameter_unsafe", 422, False, "This value could stop the chain", "该取值可能导致链停止"),
    Entry(520, "protocol_version_invalid", 422, False, "This is not the next protocol version", "不是下一个协议版本"),
    Entry(521, "protocol_height_passed", 409, False, "The height is too near or has passed", "该高度过近或已过"),
    Entry(522, "account_not_reconciled", 409, True, "The account's statements are not reconciled", "该账户对账未完成"),
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
    Entry(931, "no_ingress", 503, True, "This node is no validator: hand it in at another", "本节点不是验证节点，请向其他节点提交"),
    Entry(940, "access_key_invalid", 401, False, "The access key is not known", "访问密钥无效"),
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
