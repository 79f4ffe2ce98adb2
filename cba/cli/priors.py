"""``cba priors``: list the prior registry, or explain one entry in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cba.cli.answers import AsJson, answer_json, say, tell, text_table

if TYPE_CHECKING:
    from cba.inputs.prior_entries import PriorEntry
    from cba.inputs.priors import PriorRegistry


_CONFIDENCE = {
    "green": "green: good evidence",
    "amber": "amber: some evidence, or evidence from elsewhere",
    "red": "red: judgement, or weak evidence",
    "blue": "blue: known by definition or set by policy",
}


def priors(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One entry, such as family_help.stay_ratio.")
    ] = None,
    stance: Annotated[str, typer.Option(help="evidence or sceptical.")] = "evidence",
    as_json: AsJson = False,
) -> None:
    """List the prior registry, or explain one entry."""
    from cba.inputs.priors import load_priors

    registry = load_priors(stance=stance)
    if name is None:
        _list(registry, as_json=as_json)
        return
    entry = registry[name]
    if as_json:
        row = registry.table().reset_index().set_index("name", drop=False).loc[name].to_dict()
        others = {"alternatives": _alternative_rows(entry)}
        answer_json({**row, **others})
        return
    say(explain(entry, registry=registry))


def explain(entry: PriorEntry, *, registry: PriorRegistry) -> str:
    """Return one entry in words: what is believed, how strongly, on what grounds, and who believes otherwise."""
    low, middle, high = _quantiles(entry.fitted)
    unit = entry.unit + (
        f", {entry.price_year - 1}-{entry.price_year % 100:02d} prices" if entry.price_year else ""
    )
    shape = ", ".join(f"{key} = {value:.4g}" for key, value in entry.parameters.items())
    stated = "parameters as stated"
    if entry.quantiles:
        points = ", ".join(
            f"{probability:.0%} at {value:g}" for probability, value in entry.quantiles.items()
        )
        stated = f"fitted to {points} ({_miss(entry.fit_error)})"
    lines = [
        f"{entry.name}: {entry.description}",
        f"  Belief:     as likely above as below {middle:.4g}; 9 chances in 10 that it lies from {low:.4g} to"
        f" {high:.4g} ({unit})",
        f"  Shape:      {entry.distribution}({shape}), {stated}",
        f"  Grounds:    {entry.basis}; confidence {_CONFIDENCE[entry.confidence]}",
        f"  Owner:      {entry.owner}, last reviewed {entry.reviewed}",
        *(
            f"  Source:     {source.title}" + (f" <{source.url}>" if source.url else "")
            for source in entry.source
        ),
    ]
    lines += [
        f"  Instead:    {row['family']}: {row['q50']:.4g}, from {row['q05']:.4g} to {row['q95']:.4g}"
        f" ({_miss(row['fit_error'])})"
        for row in _alternative_rows(entry)
    ]
    if entry.shares_group:
        others = [e.name for e in registry.entries.values() if e.shares_group == entry.shares_group]
        lines.append(f"  Shares:     one of {len(others)} that sum to 1 in every draw: {', '.join(others)}")
    if entry.reason:
        lines.append(f"  Stance:     as {entry.stance} holds it: {entry.reason}")
    lines += _other_stances(entry, held_by=registry.stance)
    return "\n".join(lines)


def _miss(error: float) -> str:
    """Say how far a fit is from what was stated."""
    return "an exact fit" if error < 5e-4 else f"largest miss {error:.1%} of the stated spread"


def _alternative_rows(entry: PriorEntry) -> list[dict[str, Any]]:
    """Return the other families nearest to what was stated, with their quantiles."""
    from cba.inputs.prior_checks import alternative_fits

    rows = []
    for fit in alternative_fits(entry):
        low, middle, high = _quantiles(fit.distribution)
        found = {"family": fit.distribution.label, "fit_error": fit.error}
        rows.append({**found, "q05": low, "q50": middle, "q95": high})
    return rows


def _quantiles(distribution: Any) -> list[float]:
    return [float(value) for value in distribution.ppf([0.05, 0.5, 0.95])]


def _other_stances(entry: PriorEntry, *, held_by: str) -> list[str]:
    """Say what the stances that override the entry believe in its place."""
    from cba.inputs.priors import load_priors

    lines = []
    for stance in entry.overridden_by:
        if stance != held_by:
            other = load_priors(stance=stance)[entry.name]
            low, middle, high = _quantiles(other.fitted)
            lines.append(
                f"  {stance.capitalize()}:  {middle:.4g}, from {low:.4g} to {high:.4g}: {other.reason}"
            )
    return lines


def _list(registry: PriorRegistry, *, as_json: bool) -> None:
    """Print one row an entry."""
    rows = registry.table().reset_index().to_dict("records")
    if as_json:
        answer_json({"stance": registry.stance, "fingerprint": registry.fingerprint(), "priors": rows})
        return
    figures = {"p05": "5%", "p50": "50%", "p95": "95%"}
    words = {"confidence": "Confidence", "basis": "Basis", "stance": "Stance"}
    columns = {"name": "Name", **figures, "unit": "Unit", **words}
    table = text_table(
        [[f"{row[name]:.4g}" if name in figures else row[name] for name in columns] for row in rows],
        title=f"{len(rows)} priors, stance {registry.stance}; explain one with `cba priors NAME`",
        columns=tuple(columns.values()),
        right=tuple(figures.values()),
        whole=("Name", *figures.values(), *words.values()),
    )
    tell(table)
