"""The prior registry in memory: look up, draw and tabulate every uncertain number of the appraisal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cba.errors import InputError
from cba.inputs.distributions import Floats
from cba.inputs.prior_entries import PriorEntry
from cba.inputs.toml_reading import fingerprint, nearest

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True)
class PriorRegistry:
    """All priors as one stance holds them.

    Parameters
    ----------
    stance : str
        ``evidence`` or ``sceptical``.
    entries : mapping of str to PriorEntry
        By dotted name, sorted.
    evidence_designs : tuple of str or None
        Study designs the stance lets into the evidence synthesis; None for all.
    """

    stance: str
    entries: Mapping[str, PriorEntry]
    evidence_designs: tuple[str, ...] | None = None

    def __getitem__(self, name: str) -> PriorEntry:
        if name not in self.entries:
            raise InputError(
                "an unknown prior",
                file="priors/",
                field=name,
                found=name,
                allowed=f"one of {len(self.entries)} entries",
                cause="a misspelt name, or an entry removed",
                remedy="list them with `cba priors`" + nearest(name, self.entries),
            )
        return self.entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def quantile(self, name: str, q: float) -> float:
        """Return the `q` quantile (0 < q < 1) of one entry, in its unit."""
        return self[name].quantile(q)

    def sample(self, n: int, seed: int) -> xr.Dataset:
        """Draw `n` paired samples of every entry.

        Parameters
        ----------
        n : int
            Number of draws, 1 or more.
        seed : int
            Zero or more. Each entry has a generator of its own, seeded with `seed` and a hash of its name,
            so draws of one entry do not depend on which others exist; the first draws of a longer sample
            are those of a shorter one.

        Returns
        -------
        Dataset, dims (sample)
            One variable per entry, with `unit`, `description` (and `price_year`) as attributes.

        Raises
        ------
        InputError
            If `n` or `seed` is out of range.

        Notes
        -----
        ``x = F^-1(u)``, u uniform. Entries of one `shares_group` are drawn independently and divided by
        their sum, as a Dirichlet is made from Gammas, so that every draw of the group sums to 1.
        """
        import xarray as xr

        if n < 1 or seed < 0:
            raise InputError(
                "a sample needs n of 1 or more and a seed of 0 or more", found=f"n={n}, seed={seed}"
            )
        draws = _closed_shares(
            self.entries, {k: e.fitted.ppf(_uniforms(k, n, seed)) for k, e in self.entries.items()}
        )
        variables = {
            name: ("sample", values, _attributes(self.entries[name])) for name, values in draws.items()
        }
        return xr.Dataset(
            variables,
            coords={"sample": np.arange(n)},
            attrs={"stance": self.stance, "seed": seed, "fingerprint": self.fingerprint()},
        )

    def table(self) -> pd.DataFrame:
        """Return one row per entry: all fields, the fitted 5%, 50% and 95% points and the fit error."""
        import pandas as pd

        return pd.DataFrame([_row(entry) for entry in self.entries.values()]).set_index("name")

    def fingerprint(self) -> str:
        """Return the SHA-256 of the content: same priors, same fingerprint, whatever file they stand in."""
        designs = None if self.evidence_designs is None else list(self.evidence_designs)
        content = [entry.content() for entry in self.entries.values()]
        return fingerprint({"stance": self.stance, "evidence_designs": designs, "entries": content})


def _uniforms(name: str, n: int, seed: int) -> Floats:
    """Return n uniforms strictly inside (0, 1) from a generator that belongs to this name and seed."""
    words = np.frombuffer(hashlib.sha256(name.encode("utf-8")).digest(), dtype="<u4")
    generator = np.random.default_rng(np.random.SeedSequence([seed, *(int(word) for word in words)]))
    return generator.random(n) * (1 - 2.0**-52) + 2.0**-53


def _closed_shares(entries: Mapping[str, PriorEntry], draws: dict[str, Floats]) -> dict[str, Floats]:
    """Divide the draws of each shares group by their sum (see :meth:`PriorRegistry.sample`)."""
    totals: dict[str, Floats] = {}
    for name, entry in entries.items():
        if entry.shares_group:
            totals[entry.shares_group] = totals.get(entry.shares_group, 0.0) + draws[name]
    return {
        name: draws[name] / totals[group] if (group := entries[name].shares_group) else draws[name]
        for name in draws
    }


def _attributes(entry: PriorEntry) -> dict[str, Any]:
    attributes: dict[str, Any] = {"unit": entry.unit, "description": entry.description}
    if entry.price_year is not None:
        attributes["price_year"] = entry.price_year
    if entry.shares_group is not None:
        attributes["shares_group"] = entry.shares_group
    return attributes


def _row(entry: PriorEntry) -> dict[str, Any]:
    p05, p50, p95 = (float(value) for value in entry.fitted.ppf([0.05, 0.5, 0.95]))
    return {
        "name": entry.name,
        "description": entry.description,
        "unit": entry.unit,
        "price_year": entry.price_year,
        "distribution": entry.distribution,
        "parameters": ", ".join(f"{key} = {value:.6g}" for key, value in entry.parameters.items()),
        "stated": "params"
        if entry.quantiles is None
        else ", ".join(f"{q:g}: {v:g}" for q, v in entry.quantiles.items()),
        "p05": p05,
        "p50": p50,
        "p95": p95,
        "fit_error": entry.fit_error,
        "confidence": entry.confidence,
        "basis": entry.basis,
        "owner": entry.owner,
        "reviewed": entry.reviewed.isoformat(),
        "source": "; ".join(source.title for source in entry.source),
        "url": "; ".join(source.url for source in entry.source if source.url),
        "shares_group": entry.shares_group or "",
        "stance": entry.stance,
        "reason": entry.reason,
        "overridden_by": ", ".join(entry.overridden_by),
        "file": Path(entry.file).name,
    }
