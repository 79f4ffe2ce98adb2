"""Names of categories written out for readers."""

from __future__ import annotations

from cba.appraisal.quantities import QUANTITIES, Quantity
from cba.tables.assumptions import FITTED_NAMES

FULL_NAMES = {
    "council": "Councils",
    "dfe": "Department for Education",
    "nhs": "NHS",
    "dwp_hmrc": "DWP and HMRC",
    "programme": "Programme spending",
    "recurrent": "Recurrent spending",
    "saving": "Cashable saving",
    "deadweight": "Payments to existing carers (deadweight)",
    "unlock": "Saving released later",
    "kinship": "Kinship support",
    "home_support": "Support at home",
    "guardianship_support": "Special guardianship support",
    "mixture": "Mixture of evidence and sceptical",
    "foster": "Foster recruitment",
    "regional_care": "Regional co-operatives",
    "other": "Other measures",
    "cost_only": "Measures with a cost and no modelled effect",
    "care_entry_log_rr": "Log risk ratio of entering care",
    "family_network_log_rr": "Log risk ratio of being looked after",
    "permanence_risk_diff": "Difference in permanence",
    "foster_substitution_log_ratio": "Log ratio of foster to other placements",
    "panel": "Panel of areas",
    "review": "Review of studies",
    "foster_relative_or_friend": "Foster care with a relative or friend",
    "foster_in_house": "Foster care, council",
    "foster_agency": "Foster care, agency",
    "childrens_home": "Children's home",
    "raw": "As published",
    "precision": "Bias, small-study slope removed",
    "selection": "Bias, selection removed",
    "bias_adjusted": "Bias removed, England",
    "class_early_help": "Bias removed, early help",
    "class_family_support": "Bias removed, family support",
    "class_edge_of_care": "Bias removed, edge of care",
    "eligible": "Eligible children a year",
    "cost_per_child": "New money for a child served",
    "reach": "Share of would-be starts reached",
    "entry_risk": "Yearly risk of starting",
    "risk_ratio": "Risk ratio in a roll-out",
    "new_setting": "Roll-out at study strength",
    "new_authority": "One authority in it",
    "roll_out": "National roll-out",
    "rct": "Randomised trial",
    "cluster_rct": "Cluster randomised trial",
    "matched": "Matched comparison",
    "before_after": "Before and after",
    "provider": "Provider's claim",
    "provider_claim": "Provider's claim",
    "real": "Real terms",
    "in_steps": "Go in steps",
    "extended": "Dominated by a mix",
    "none": "Not valued",
    "lifetime_cost": "Lifetime cost of care experience",
    "pathfinder_1": "Pathfinder, one year",
    "pathfinder_2": "Pathfinder, two years",
    "pathfinder_3": "Pathfinder, three years",
    "trial": "Randomised trial",
    "cost_return_help": "Return of family help's costs",
    "cost_return_homes": "Return of children's homes' costs",
    "wellby": "Life satisfaction (WELLBY)",
    "qaly": "Quality of life (QALY)",
    "same_years": "The same years for both",
    "own_years": "As many years from each start",
    "long": "Long horizon",
    "total": "All children's social care",
    "total_cla": "Children looked after",
    "total_safeguarding": "Safeguarding",
    "total_family_support": "Family support",
    "system_cost": "Yearly cost of the system",
    "starts": "Starts to be looked after",
    "stock": "Children looked after at 31 March",
}


_EFFECTS = {
    "family_help.log_risk_ratio": "Effect of family help",
    "kinship.log_risk_ratio": "Effect of family-network meetings",
    "kinship.permanence_gain": "Effect of guardianship allowances on permanence",
    "foster.substitution": "Effect of foster support on other placements",
    "baseline.children_in_target_year": "Children in care on current policy",
}
"""Inputs that are results of the synthesis or of the path of current policy, by what they are to a reader."""


_STANCES = {"evidence": "Evidence", "sceptical": "Sceptical", "review": "Review's claims met"}


def quantities_by_name() -> dict[str, Quantity]:
    """Return each headline quantity by its name and by its key."""
    return {name: entry for entry in QUANTITIES.values() for name in (entry.name, entry.stem)}


def full_name(name: object) -> str:
    """Return the words for a category; an unknown one is shown with its underscores as spaces.

    `name`: category or name; missing where a table read back has none.
    """
    if name is None or isinstance(name, float) and name != name:
        return ""
    text = str(name)
    if text in FULL_NAMES:
        return FULL_NAMES[text]
    for entry in QUANTITIES.values():  # the words of one alone: a page asks for thousands of names
        if text in (entry.name, entry.stem):
            return entry.filled(entry.words)
    words = text.replace("_", " ")
    return words[:1].upper() + words[1:]


def input_name(name: object) -> str:
    """Return the words for an uncertain input: those of an effect or a fit, else its group, then what it is."""
    known = _EFFECTS.get(str(name)) or FITTED_NAMES.get(str(name))
    if known:
        return known
    group, _, item = str(name).partition(".")
    return f"{full_name(group)}: {item.replace('_', ' ')}" if item else full_name(group)


def stance_name(stance: str) -> str:
    """Return a stance's name as a heading."""
    return _STANCES.get(stance, full_name(stance))
