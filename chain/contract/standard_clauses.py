"""The clauses of a plan that states none of its own: a complete short text that fits every set of terms.

Amounts, days and ages are not repeated here: they stand in the terms, so that text and numbers cannot disagree.
Changing a word changes the rules hash of every plan that uses it: only for chains that do not exist yet.
"""

from typing import Final

from chain.contract.clauses import (
    KIND_CONDITION,
    KIND_DEFINITION,
    KIND_DUTY,
    KIND_EXCLUSION,
    KIND_RIGHT,
    Clause,
    Exclusion,
)

# fmt: off
STANDARD_CLAUSES: Final = (
    Clause("1.1", KIND_DEFINITION,
        "重大疾病：经二级以上医院专科医生确诊，并列入本计划公布的重大疾病目录的疾病。",
        "Severe illness: an illness on the plan's published list of severe illnesses, diagnosed by a specialist of a "
        "hospital of the second class or above."),
    Clause("1.2", KIND_DEFINITION,
        "轻症：经二级以上医院专科医生确诊，并列入本计划公布的轻症目录的疾病。",
        "Mild illness: an illness on the plan's published list of mild illnesses, diagnosed likewise."),
    Clause("1.3", KIND_DEFINITION,
        "意外：外来、突发、非本意、非疾病的事件，且直接并单独造成身体伤害。",
        "Accident: a sudden event from outside, not meant and not an illness, that alone and directly injures the "
        "body."),
    Clause("1.4", KIND_DEFINITION,
        "确诊日：首次出具能够确定该疾病的病理、影像或手术报告之日。",
        "Day of diagnosis: the day of the first pathology, imaging or surgery report that establishes the illness."),
    Clause("2.1", KIND_RIGHT,
        "成员可随时退出，不收费用；公示开始后退出的，仍分摊当期。",
        "A member may leave at any time without a fee; who leaves after a notice has opened still shares that period."),
    Clause("2.2", KIND_RIGHT,
        "对任何拒绝决定，成员可在三十日内申诉，由抽签产生的成员陪审团裁决。",
        "Against any refusal a member may appeal within thirty days to a jury of members drawn by lot."),
    Clause("2.3", KIND_RIGHT,
        "成员加入时的规则不因计划修改而变差；更换规则须本人签名，逐条不差于原规则者除外。",
        "The rules under which a member joined do not become worse for him; another version needs his own signature, "
        "unless every clause of it is at least as good."),
    Clause("3.1", KIND_CONDITION,
        "确诊日须在保障期内；等待期内确诊的，退还已分摊的金额，不予互助。意外无等待期。",
        "The day of diagnosis lies within the cover. For a diagnosis within the waiting period the shares paid are "
        "given back and no aid is due. Accidents have no waiting period."),
    Clause("3.2", KIND_CONDITION,
        "加入时及等待期内的健康告知须真实；年龄须在规则所定范围内。",
        "The health answers given on joining and while waiting are true, and the age lies within the limits of the "
        "rules."),
    Clause("3.3", KIND_CONDITION,
        "申请须在确诊后的申请期限内提出。",
        "The claim is filed within the claim window after the diagnosis."),
    Clause("4.1", KIND_CONDITION,
        "所患疾病须符合第1章的定义，并由独立调查的多数报告认定。",
        "The illness meets the definitions of chapter 1, as found by the majority of the independent reports."),
    Clause("4.2", KIND_CONDITION,
        "须有医院或电子票据的证明，或由两家调查机构共同见证的走访记录。",
        "There is a certificate of a hospital or an electronic bill, or a visit attested by two assessor firms."),
    Clause("4.3", KIND_CONDITION,
        "互助金额为成员所签版本中确诊年龄对应档位的金额；重大疾病给付一次后成员资格终止。",
        "The aid is the amount of the member's own version for the age at diagnosis; once the aid for a severe illness "
        "is paid the membership ends."),
    Clause("5.1", KIND_EXCLUSION,
        "加入前已患或已出现明确征兆的疾病及其直接后果。",
        "An illness that existed or had shown clear signs before joining, and its direct consequences."),
    Clause("5.2", KIND_EXCLUSION,
        "本人故意自伤、故意犯罪或拒捕造成的伤病。",
        "What the member brought about by intent: self-injury, crime, resisting arrest."),
    Clause("5.3", KIND_EXCLUSION,
        "主动吸毒、酒后驾驶或无有效驾驶证驾驶造成的伤病。",
        "What follows from taking drugs, or from driving drunk or without a licence."),
    Clause("5.4", KIND_EXCLUSION,
        "战争、军事冲突、暴乱或核辐射造成的伤病。",
        "What follows from war, armed conflict, riot or nuclear radiation."),
    Clause("6.1", KIND_DUTY,
        "成员应配合抽签选出的调查机构，提供病历、票据并允许走访。",
        "The member helps the assessor firms drawn by lot: gives records and bills and allows a visit."),
    Clause("6.2", KIND_DUTY,
        "成员应保持账户余额足以分摊；不足的，自次日起暂停保障，补足后恢复。",
        "The member keeps enough in the account to share; who falls short is suspended from the next day and covered "
        "again after paying the arrears."),
    Clause("6.3", KIND_DUTY,
        "同一张票据或同一次确诊不得重复申请。",
        "No bill and no diagnosis is claimed for twice."),
)
STANDARD_EXCLUSIONS: Final = (
    Exclusion("pre-existing", "5.1"),
    Exclusion("intent-or-crime", "5.2"),
    Exclusion("drugs-or-driving", "5.3"),
    Exclusion("war-or-radiation", "5.4"),
)
# fmt: on
