"""Measures of the review without a modelled effect: what is known of each, and what is assumed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes
    ----------
    name, label : str
        Its key and its words.
    kind : {"cost line", "financing", "right"}
        Money in the option's costs, a way of paying for it, or a change of law with no money in the option.
    component : str or None
        Component of the option's money that pays for it.
    known : str
        What a source says. ``{claim}`` stands for the value of that row of the published claims.
    source, url : str
        Where.
    assumed : str
        What the appraisal does in place of knowing.
    people : float or None
        Children or young people it would reach, where that is published.
    """

    name: str
    label: str
    kind: str
    component: str | None
    known: str
    source: str
    url: str
    assumed: str
    people: float | None = None


_REVIEW = (
    "Independent review of children's social care, final report, May 2022",
    "https://www.scribd.com/document/626661390/The-Independent-Review-of-Childrens-Social-Care-Final-Report",
)

MEASURES = (
    Measure(
        "windfall_tax", "Windfall tax on the largest providers", "financing", None,
        "{review_windfall_tax_rate:.0f}% of profits of the {review_windfall_tax_providers:.0f} largest providers, "
        "once, on the last five years; the ten largest made more than £{windfall_context_profit:.0f}m in 2021; "
        "no estimate of the yield",
        "Room151, 2022; profits as quoted by East Devon Watch, 27 March 2022",
        "https://room151.dev.docandtee.com/funding/childrens-social-care-a-radical-review-but-is-it-realistic",
        "No revenue. Five years at the profit of the ten largest are shown as a lower bound of the yield, which is "
        "a transfer from owners to the state and may come back in prices",
    ),
    Measure(
        "regional_care", "Regional care co-operatives", "cost line", "regional_care",
        "£{rcc_pathfinder_revenue:.2f}m of revenue and up to £{rcc_pathfinder_capital:.0f}m of capital a region for "
        "two pathfinder regions; no evaluation of their effect on prices",
        "Department for Education, regional care co-operatives: pathfinder regions",
        "https://gov.uk/government/publications/regional-care-co-operatives-pathfinder-areas/regional-care-cooperatives-rccs-pathfinder-regions",
        "Their money is in the costs (the split is judgement) and has no effect here; an effect on price and mix is "
        "the option placement_reform",
    ),
    Measure(
        "workforce", "Workforce: early career framework, less agency social work", "cost line", "workforce",
        "£{review_workforce:.0f}m over four years (some reports: five); no published effect on children in care",
        "Contact, 23 May 2022",
        "https://contact.org.uk/about-contact/news-and-views/dcp-comments-on-childrens-social-care-independent-review/",
        "All of it is in the costs; no effect on starts, stays or prices",
    ),
    Measure(
        "care_leaver_grants", "Care leavers' grants and support", "right", None,
        "£{leaving_care_allowance_uplift:.1f}m a year to raise the leaving care allowance in 2025-26; 45,940 care "
        "leavers aged 17 to 21 in 2021-22",
        "Children and Families Grant Determination 2025 to 2026; House of Commons Library, CBP-8429",
        "https://commonslibrary.parliament.uk/research-briefings/cbp-8429/",
        "No money of their own in the option: some of the rest of the published total may be meant for them. No "
        "effect",
        45_940.0,
    ),
    Measure(
        "lifelong_guardianship", "Lifelong guardianship", "right", None,
        "A legal relationship for care-experienced adults; no number of orders, cost or effect is published",
        *_REVIEW,
        "No cost, no effect",
    ),
    Measure(
        "young_offender_institutions", "Phasing out of young offender institutions for children", "right", None,
        "£76,000 a place in 2018 against £210,000 in a secure children's home; 873 children in youth justice "
        "settings in 2018, about 70% of children in custody held in these institutions in 2024",
        "Children's Commissioner for England, May 2019, as reported by Equally Ours; HM Inspectorate of Prisons",
        "https://www.equallyours.org.uk/childrens-commissioner-for-england-report-who-are-they-where-are-they/",
        "No cost, no effect: a dearer place is a cost to justice and what it does for reoffending is not known here",
        873.0,
    ),
    Measure(
        "protected_characteristic", "Care experience as a protected characteristic", "right", None,
        "A change of the Equality Act; no cost or effect is published",
        *_REVIEW,
        "No cost, no effect",
    ),
)  # fmt: skip
"""In the order of the table."""
