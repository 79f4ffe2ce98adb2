"""Fits and rules on half-samples against plain arithmetic draw by draw, without bins, blocks or matrices of halves."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.stats import chi2, norm, t

from cba.decisions.information import (
    HalfSampleFits,
    covariance_of_halves,
    estimate_from_halves,
    fit_single_input,
    gains_of_rules,
    value_of_group_rules,
)
from cba.decisions.regression import (
    GroupBasis,
    SplineBasis,
    block_count,
    block_of_draw,
    find_controls,
    fit_group,
    group_basis,
    spline_basis,
)
from cba.decisions.studies import _straight_lines, fits_over_draws, fits_over_prior, prior_nodes
from cba.errors import InputError
from tests.decisions.known_answers import normal_loss

PRICE = 1.4
"""What a degree of freedom costs in the criterion, in place of Mallows' 1."""


# --- The spline in one input ---


@pytest.mark.parametrize(
    "draws, most, blocks",
    [
        (128, 64, 16),
        (255, 64, 16),
        (256, 64, 32),
        (511, 64, 32),
        (512, 64, 64),
        (9_999, 64, 64),
        (300, 32, 32),
    ],
)
def test_blocks_hold_eight_draws_where_there_are_enough(draws, most, blocks):
    assert block_count(draws, at_most=most) == blocks
    sizes = np.bincount(block_of_draw(draws, blocks))
    assert len(sizes) == blocks and np.ptp(sizes) <= 1


def test_fewer_than_128_draws_are_refused():
    with pytest.raises(InputError, match="too few draws"):
        block_count(127)


def natural_splines(points: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Truncated powers made linear beyond the outer knots (Hastie, Tibshirani & Friedman 2009, 5.4-5.5), and bends."""

    def cubes(place: int) -> tuple[np.ndarray, np.ndarray]:
        inner, last = (np.maximum(points - knots[end], 0.0) for end in (place, -1))
        gap = knots[-1] - knots[place]
        return (inner**3 - last**3) / gap, 6.0 * (inner - last) / gap

    value, bend = [np.ones_like(points), points], [np.zeros_like(points), np.zeros_like(points)]
    before = cubes(len(knots) - 2)
    for place in range(len(knots) - 2):
        one = cubes(place)
        value.append(one[0] - before[0])
        bend.append(one[1] - before[1])
    return np.stack(value, axis=1), np.stack(bend, axis=1)


@pytest.mark.parametrize(
    "draws, levels, bins, knots",
    [
        (130, None, 128, 4),
        (400, None, 128, 10),
        (3_000, None, 128, 24),
        (3_000, 129, 128, 24),
        (3_000, 128, 128, 24),
        (3_000, 9, 9, 9),
        (3_000, 3, 3, 3),
    ],
)
def test_the_basis_is_of_natural_splines_orthonormal_and_ordered_by_roughness(draws, levels, bins, knots):
    rng = np.random.default_rng(draws)
    values = rng.normal(50.0, 3.0, draws) if levels is None else rng.integers(0, levels, draws) ** 1.1
    basis = spline_basis(values)
    assert basis.functions.shape == (bins, knots)
    for place in range(bins):
        assert basis.centre[place] == pytest.approx(values[basis.bin_of_draw == place].mean(), rel=1e-13)
    np.testing.assert_allclose(basis.share * draws, np.bincount(basis.bin_of_draw), rtol=1e-12)
    if levels in (None, 129):
        assert np.ptp(np.bincount(basis.bin_of_draw)) <= 1
    spread = np.sqrt(basis.share @ (basis.centre - values.mean()) ** 2)
    standard = (basis.centre - values.mean()) / spread
    np.testing.assert_allclose(basis.standardised, (values - values.mean()) / spread, atol=1e-11)
    np.testing.assert_allclose(basis.functions[:, 1], standard, atol=1e-11)
    gram = basis.functions.T @ (basis.share[:, None] * basis.functions)
    np.testing.assert_allclose(
        gram, np.eye(knots), atol=5e-9
    )  # what keeps it invertible is 1e-10 of its mean
    below = np.cumsum(basis.share) - basis.share / 2  # knots: the first bins half of which reach even shares
    places = [min(int((below < q).sum()), bins - 1) for q in np.linspace(0.0, 1.0, knots)]
    places = range(bins) if bins == knots else places
    plain, _ = natural_splines(standard, standard[places])
    weights = np.linalg.lstsq(plain, basis.functions, rcond=None)[0]
    np.testing.assert_allclose(plain @ weights, basis.functions, atol=1e-6)
    ends = standard[places]
    middles = (ends[1:] + ends[:-1]) / 2
    at_ends, at_middles = (natural_splines(x, ends)[1] @ weights for x in (ends, middles))
    simpson = np.diff(ends) / 6 @ (at_ends[:-1] ** 2 + 4 * at_middles**2 + at_ends[1:] ** 2)
    np.testing.assert_allclose(basis.roughness, simpson, rtol=1e-4, atol=1e-6)
    assert (basis.roughness[:2] == 0.0).all() and (np.diff(basis.roughness[1:]) > 0).all()


def test_two_values_leave_a_straight_line_and_one_leaves_a_constant():
    two = spline_basis(np.repeat([3.0, 5.0], [100, 300]))
    assert two.functions.shape == (2, 2) and (two.roughness == 0.0).all()
    assert two.at_draws(3).shape == (400, 1) and two.at_draws(0).shape == (400, 0)
    one = spline_basis(np.full(400, 3.0))
    assert one.functions.tolist() == [[1.0]] and one.roughness.tolist() == [0.0]
    assert one.centre.tolist() == [3.0] and (one.standardised == 0.0).all()


# --- The fit of one input, and rules from it ---


def signs_of(draws: int, blocks: int) -> np.ndarray:
    """Row by row: +1 for draws of the learning half, -1 for the others."""
    return hadamard(blocks)[1:][:, block_of_draw(draws, blocks)].astype(float)


def plain_fit(
    basis: SplineBasis, responses: np.ndarray, controls: np.ndarray
) -> tuple[HalfSampleFits, np.ndarray]:
    draws = len(responses)
    rest = responses - controls
    mean = rest.mean(axis=0)
    at_bins, at_draws = basis.functions, basis.functions[basis.bin_of_draw]
    count = at_bins.shape[1]
    weights = at_draws.T @ (rest - mean) / draws
    noise = ((rest - mean - at_draws @ weights) ** 2).mean(axis=0) / (1 - count / draws)
    choices = [np.eye(count)[0]]
    for strength in [*10.0 ** np.linspace(-8, 2, 31), 1e12]:
        choices.append(np.r_[1.0, 1.0, 1 / (1 + strength * basis.roughness[2:])])
    scores = [
        (((rest - mean - at_draws @ (kept[:, None] * weights)) ** 2).sum(axis=0) / noise).sum()
        + 2 * PRICE * kept.sum() * responses.shape[1]
        for kept in choices
    ]
    best = int(np.argmin(scores))
    kept, moving = choices[best], choices[best or -1]
    fitted = at_bins @ (kept[:, None] * weights) + mean
    left = rest - fitted[basis.bin_of_draw]
    in_bin = np.eye(len(at_bins))[basis.bin_of_draw]
    straight = bool((kept[2:] < 0.5).all())
    sums = in_bin.T @ rest / draws
    total = fitted * basis.share[:, None] if straight else sums
    shifts, total_shifts = [], []
    for sign in signs_of(draws, block_count(draws)):
        shift = at_bins @ (moving[:, None] * (at_draws.T @ (sign[:, None] * left) / draws))
        share = in_bin.T @ sign / draws - sign.mean() * basis.share
        if straight:
            moved = shift * basis.share[:, None] + fitted * share[:, None]
        else:
            moved = in_bin.T @ (sign[:, None] * (rest - mean)) / draws + mean * share[:, None]
        drift = sign @ controls / draws
        shifts.append(shift + drift)
        total_shifts.append(moved + drift * basis.share[:, None])
    parts = (np.transpose(array, (2, 0, 1)) for array in (shifts, total_shifts))
    shift, total_shift = parts
    return HalfSampleFits(fitted.T, shift, total.T, total_shift), kept


CURVES = {
    "nothing": lambda x: 0 * x,
    "line": lambda x: 2 * x,
    "bend": lambda x: 2 * x**2,
    "wave": lambda x: 4 * np.sin(3 * x),
}


@pytest.mark.parametrize("draws", [203, 700])
@pytest.mark.parametrize("curve", CURVES)
def test_one_input_is_fitted_on_every_half_as_a_plain_loop_does(draws, curve):
    rng = np.random.default_rng(draws)
    x, noise, others = rng.normal(size=draws), rng.normal(size=(draws, 3)), rng.normal(size=(draws, 3))
    responses = 2.0 + np.outer(CURVES[curve](x), [0.0, 1.0, -0.7]) + noise + others
    basis = spline_basis(x)
    for controls in (np.zeros((draws, 3)), others - others.mean(axis=0)):
        plain, kept = plain_fit(basis, responses, controls)
        assert (kept[1] == 0.0) == (curve == "nothing")
        assert (kept[2:] < 0.5).all() == (curve in ("nothing", "line"))
        found = fit_single_input(basis, responses, controls=controls if controls.any() else None)
        for name in ("fitted", "fitted_shift", "total", "total_shift"):
            np.testing.assert_allclose(getattr(found, name), getattr(plain, name), atol=1e-9, err_msg=name)


def test_a_response_that_never_varies_changes_no_fit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    moving = np.sin(3 * x) + 0.3 * rng.normal(size=400)
    basis = spline_basis(x)
    alone = fit_single_input(basis, moving[:, None])
    beside = fit_single_input(basis, np.column_stack([np.full(400, 5.0), moving]))
    np.testing.assert_allclose(beside.fitted, [np.full(128, 5.0), alone.fitted[0]], atol=1e-12)
    still = fit_single_input(basis, np.full((400, 1), 5.0))
    np.testing.assert_allclose(still.fitted, 5.0, atol=1e-12)
    np.testing.assert_allclose(still.fitted_shift, 0.0, atol=1e-12)


def test_rules_of_halves_gain_what_a_plain_loop_finds():
    rng = np.random.default_rng(1)
    fits = HalfSampleFits(
        rng.normal(size=(3, 6)),
        rng.normal(size=(3, 7, 6)),
        rng.normal(size=(3, 6)),
        rng.normal(size=(3, 7, 6)),
    )
    everyone, contrast = [], []
    for direction, half in product((1, -1), range(7)):
        gain = extra = 0.0
        for point in range(6):
            rule = int(np.argmax(fits.fitted[:, point] + direction * fits.fitted_shift[:, half, point]))
            gain += fits.total[rule, point]
            extra += direction * fits.total_shift[rule, half, point]
        whole, tilt = fits.total.sum(axis=1), direction * fits.total_shift[:, half].sum(axis=1)
        best = int(np.argmax(whole + tilt))
        everyone.append(gain - whole[best])
        contrast.append(extra - tilt[best])
    found = gains_of_rules(fits)
    np.testing.assert_allclose(found[0], everyone, rtol=1e-12)
    np.testing.assert_allclose(found[1], contrast, rtol=1e-12)


@pytest.mark.parametrize("shift, widest", [(0.0, "spread"), (6.0, "luck")])
def test_the_error_is_that_of_the_halves_or_reaches_to_the_luckiest_rules(shift, widest):
    rng = np.random.default_rng(2)
    everyone, contrast = 3.0 + 0.5 * rng.normal(size=126), shift + rng.normal(size=126)
    value = (everyone - contrast / 2).mean()
    spread = (everyone - contrast).std() * t.ppf(0.975, 63) / norm.ppf(0.975)
    lucky = np.array([0.9, 0.925, 0.95, 0.975])
    luck = np.mean([(np.quantile(everyone + contrast, q) - max(value, 0.0)) / norm.ppf(q) for q in lucky])
    assert (luck > spread) == (widest == "luck")
    found = estimate_from_halves(everyone, contrast)
    assert found.value == pytest.approx(max(value, 0.0), rel=1e-12)
    assert found.se == pytest.approx(max(spread, luck), rel=1e-12)


# --- The fit of a group of inputs, and rules from it ---


@pytest.mark.parametrize(
    "inputs, draws, mains, products",
    [
        (2, 1_000, 12, 7),  # 1 + 2 x 12 + 7 x 7 = 74 of at most 83
        (2, 888, 12, 7),  # 74 of 74
        (2, 887, 11, 7),  # 72 of 73
        (2, 600, 8, 5),  # 42 of 50, by way of (10, 7) 70, (9, 7) 68, (9, 6) 55 and (8, 6) 53
        (2, 130, 4, 1),  # 10 of 10
        (3, 900, 8, 4),  # 73 of 75, by way of (10, 4) 79 and (9, 4) 76
        (4, 4_000, 9, 3),  # 91 of 300
        (5, 4_000, 6, 2),  # 71
        (6, 200, 2, 0),  # 13 of 16
        (12, 130, 1, 0),  # 13, though 10 would be wanted: every input keeps its line
    ],
)
def test_a_group_has_at_most_one_function_for_twelve_draws(inputs, draws, mains, products):
    rng = np.random.default_rng(inputs)
    bases = [spline_basis(column) for column in rng.normal(size=(inputs, draws))]
    found = group_basis(bases)
    columns, rough, owners = [np.ones(draws)], [0.0], [(-1, -1)]
    for one, basis in enumerate(bases):
        count = min(mains, len(basis.roughness) - 1)
        columns += list(basis.at_draws(count).T)
        rough += [basis.roughness[place + 1] / basis.roughness[2] for place in range(count)]
        owners += [(one, -1)] * count
    for one, two in combinations(range(inputs), 2):
        for a, b in product(range(min(products, mains)), repeat=2):
            columns.append(bases[one].at_draws(mains)[:, a] * bases[two].at_draws(mains)[:, b])
            bends = [bases[i].roughness[p + 1] / bases[i].roughness[2] for i, p in ((one, a), (two, b))]
            rough.append((1 + bends[0]) * (1 + bends[1]))
            owners.append((one, two))
    np.testing.assert_allclose(found.functions, np.stack(columns, axis=1), atol=1e-12)
    np.testing.assert_allclose(found.roughness, rough, rtol=1e-12)
    assert [tuple(owner) for owner in found.inputs] == owners


def test_an_input_of_two_values_has_no_bend_to_measure_roughness_by():
    rng = np.random.default_rng(0)
    two, many = rng.integers(0, 2, 2_000).astype(float), rng.normal(size=2_000)
    found = group_basis([spline_basis(two), spline_basis(many)])
    alone = found.roughness[(found.inputs == (0, -1)).all(axis=1)]
    bends = found.roughness[(found.inputs == (1, -1)).all(axis=1)]
    together = found.roughness[(found.inputs == (0, 1)).all(axis=1)]
    assert alone.tolist() == [0.0] and bends[1] == 1.0
    np.testing.assert_allclose(together, 1.0 + bends[:7], rtol=1e-12)


def plain_penalty(basis: GroupBasis, responses: np.ndarray) -> np.ndarray:
    """Penalties with the least criterion, for main effects and then for products, from residuals at the draws."""
    draws, count = basis.functions.shape
    floor = 1e-9 * (basis.functions**2).sum() / draws / count

    def fitted(used: int, penalty: np.ndarray) -> tuple[np.ndarray, float]:
        part = basis.functions[:, :used]
        inverse = np.linalg.inv(part.T @ part / draws + np.diag(penalty + floor))
        return part @ (inverse @ part.T @ responses / draws), float(np.trace(inverse @ part.T @ part / draws))

    whole, _ = fitted(count, np.zeros(count))
    noise = ((responses - whole) ** 2).mean(axis=0) / (1 - count / draws)
    mains = int((basis.inputs[:, 1] == -1).sum())
    best = np.zeros(0)
    for used in (mains, count):
        trials = []
        for strength in [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 1e6]:
            penalty = np.r_[best[:mains], strength * basis.roughness[len(best[:mains]) : used]]
            fit, freedom = fitted(used, penalty)
            score = (((responses - fit) ** 2).sum(axis=0) / noise).sum()
            trials.append((score + 2 * PRICE * freedom * responses.shape[1], penalty))
        best = min(trials, key=lambda trial: trial[0])[1]
    return best + floor


SURFACES = {
    "lines": lambda x, y: x - y,
    "bends": lambda x, y: np.sin(2 * x) + y**2,
    "product": lambda x, y: 2 * x * y,
    "wave": lambda x, y: 2 * np.sin(2 * x * y),
    "sharp": lambda x, y: 50 * np.sin(4 * x) * (1 + x) + 50 * np.cos(3 * y) * x,
}


@pytest.fixture(scope="module", params=SURFACES)
def group(request):
    rng = np.random.default_rng(3)
    x, y, noise = rng.normal(size=(3, 300))
    basis = group_basis([spline_basis(x), spline_basis(y)])
    gain = SURFACES[request.param](x, y)
    return basis, np.column_stack([0.3 * noise, gain + noise, 0.2 - 0.5 * gain + 0.5 * noise[::-1]])


def test_a_group_is_fitted_on_every_half_as_ridge_regression_fits_it(group):
    basis, responses = group
    penalty = np.diag(plain_penalty(basis, responses))
    found = fit_group(basis, responses)
    signs = signs_of(300, 32)
    assert found.signs.shape == (62, 32)
    for place, sign in enumerate([*signs, *-signs]):
        weighted = basis.functions * ((1 + sign) / 300)[:, None]
        half = np.linalg.solve(weighted.T @ basis.functions + penalty, weighted.T @ responses)
        np.testing.assert_allclose(
            basis.functions @ found.half_coefficients[place], basis.functions @ half, atol=2e-9
        )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("controlled", [False, True])
def test_rules_of_a_group_gain_what_a_plain_loop_finds(group, weighted, controlled):
    basis, responses = group
    weights = np.array([[1.0, 0.0], [0.5, 2.0], [0.0, -1.0]]) if weighted else np.eye(3)
    others = np.random.default_rng(4).normal(size=responses.shape) if controlled else np.zeros_like(responses)
    others -= others.mean(axis=0)
    fit = fit_group(basis, responses)
    net_benefit, controls = (responses + others) @ weights, others @ weights
    rest = net_benefit - controls
    everyone, contrast = [], []
    signs = signs_of(300, 32)
    for sign, half in zip([*signs, *-signs], fit.half_coefficients, strict=True):
        drift = (sign[:, None] * controls).mean(axis=0)
        rule = np.argmax(basis.functions @ half @ weights + drift, axis=1)
        gained = rest[np.arange(300), rule]
        whole, tilt = rest.mean(axis=0), (sign[:, None] * rest).mean(axis=0) + drift
        best = int(np.argmax(whole + tilt))
        everyone.append(gained.mean() - whole[best])
        contrast.append((sign * gained + drift[rule]).mean() - tilt[best])
    plain = estimate_from_halves(np.array(everyone), np.array(contrast))
    found = value_of_group_rules(
        fit,
        net_benefit,
        controls=controls if controlled else None,
        weights=weights if weighted else None,
    )
    assert (found.value, found.se) == pytest.approx((plain.value, plain.se), rel=1e-8)


# --- What other inputs contribute ---


def drawn_inputs(draws: int, inputs: int, *, seed: int, kind: str = "independent"):
    """Bases of inputs that depend on each other in one way or another, and responses to them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(inputs, draws))
    reach = inputs
    if kind == "a pair":
        x[-1] += 0.24 * x[-2]
        reach = 4
    elif kind == "all alike":
        x += 0.34 * rng.normal(size=draws)
        reach = 1
    elif kind == "one and the rest":
        x[0] += 0.09 * x[1:].sum(axis=0)
    responses = np.column_stack([x[:reach].sum(axis=0), x[0] - 0.5 * x[0] ** 2])
    bases = {f"x{place}": spline_basis(column) for place, column in enumerate(x)}
    return bases, responses + rng.normal(size=(draws, 2))


@pytest.mark.parametrize(
    "draws, inputs, columns", [(480, 8, 3), (479, 8, 1), (120, 2, 3), (119, 2, 1), (80, 8, 1)]
)
def test_controls_are_the_least_squares_of_all_inputs_together(draws, inputs, columns):
    bases, responses = drawn_inputs(draws, inputs, seed=5)
    found = find_controls(bases, responses, independent=True)
    matrix = np.hstack([basis.at_draws(columns) for basis in bases.values()])
    weights = np.linalg.lstsq(matrix, responses - responses.mean(axis=0), rcond=None)[0]
    np.testing.assert_allclose(found.total, matrix @ weights, atol=1e-6)
    for place, name in enumerate(bases):
        own = slice(place * columns, (place + 1) * columns)
        np.testing.assert_allclose(found.parts[name], matrix[:, own] @ weights[own], atol=1e-6)
    np.testing.assert_allclose(found.without(["x0"]), found.total - found.parts["x0"], atol=1e-12)


@pytest.mark.parametrize(
    "draws, inputs, independent", [(79, 8, True), (500, 1, True), (500, 7, None), (500, 9, False)]
)
def test_controls_are_not_used_where_they_cannot_be_trusted(draws, inputs, independent):
    bases, responses = drawn_inputs(draws, inputs, seed=6)
    assert find_controls(bases, responses, independent=independent) is None


def dependence(bases: dict[str, SplineBasis], responses: np.ndarray) -> tuple[float, float, float]:
    """Chances of what is seen, were all inputs independent: largest pair, all pairs together, sums of the others."""
    draws = len(responses)
    columns = {name: basis.at_draws(3) for name, basis in bases.items()}
    squares = [
        draws * (one * two).mean() ** 2
        for a, b in combinations(columns, 2)
        for one, two in product(columns[a].T, columns[b].T)
    ]
    fit = find_controls(bases, responses, independent=True)
    sums = []
    for name, own in columns.items():
        others = fit.total - fit.parts[name]
        together = own.T @ others / draws
        statistic = draws * np.trace(together @ np.linalg.inv(others.T @ others / draws) @ together.T)
        sums.append(len(columns) * chi2.sf(statistic, own.shape[1] * others.shape[1]))
    return chi2.sf(max(squares), 1) * len(squares), chi2.sf(sum(squares), len(squares)), min(sums)


def test_dependence_is_found_where_chance_explains_it_in_less_than_one_case_of_a_hundred():
    seen = []
    for kind, seed in product(("independent", "a pair", "all alike", "one and the rest"), range(15)):
        bases, responses = drawn_inputs(500, 8, seed=100 + seed, kind=kind)
        chances = dependence(bases, responses)
        assert (find_controls(bases, responses, independent=None) is None) == (min(chances) < 0.01)
        seen.append([chance < 0.01 for chance in chances])
    alone = np.array(seen)[np.sum(seen, axis=1) == 1]
    assert alone.any(axis=0).all()  # each of the three is at least once the only one that sees it
    assert not np.all(seen, axis=1).all()


# --- Errors of several estimates from the same halves ---


def test_errors_of_estimates_go_together_as_their_gains_over_halves_do():
    rng = np.random.default_rng(7)
    everyone = rng.normal(size=(3, 126)) + rng.normal(size=126)
    contrast = rng.normal(size=(3, 126))
    gains = [*zip(everyone, contrast, strict=True), (np.full(126, 2.0), np.full(126, 0.5))]
    errors = np.array([0.5, 1.0, 3.0, 0.0])
    unseen = everyone - contrast
    expected = np.zeros((4, 4))
    expected[:3, :3] = np.corrcoef(unseen) * np.outer(errors, errors)[:3, :3]
    np.testing.assert_allclose(covariance_of_halves(gains, errors=errors), expected, atol=1e-12)


# --- Results of a study with normal error, on a grid ---


@pytest.mark.parametrize("size", [0.05, 0.5, 2.0])
def test_a_study_leaves_the_means_that_two_normals_multiplied_leave(size):
    """Prior N(1, 2), estimate with error e: the mean to come is N(1, 4 / sqrt(4 + e^2)), so its losses are known."""
    centre = norm.ppf((np.arange(2_000) + 0.5) / 2_000, 1.0, 2.0)
    share = np.full(2_000, 1 / 2_000)
    means = np.stack([0 * centre, centre])
    shift = np.zeros((2, 1, 2_000))
    shift[1] = 0.1 * centre
    still = HalfSampleFits(means, shift, means * share, shift * share)
    spread = 4.0 / np.sqrt(4.0 + size**2)
    nodes = prior_nodes(norm(1.0, 2.0))
    for found, close in (
        (fits_over_draws(centre, share, still, size=size), 4e-3),
        (fits_over_prior(centre, nodes, still, size=size), 5e-4),
    ):
        gain = np.maximum(found.total[1], 0.0).sum()
        assert gain - 1.0 == pytest.approx(normal_loss(1.0, spread), abs=close)
        assert found.total[1].sum() == pytest.approx(1.0, abs=1e-3) and (found.total[0] == 0.0).all()
        reach = found.total[1] / found.fitted[1]  # probability of each result
        assert reach.sum() == pytest.approx(1.0, abs=1e-6)
        assert reach @ found.fitted[1] ** 2 == pytest.approx(1.0 + spread**2, rel=0.005)
        np.testing.assert_allclose(found.fitted_shift[1, 0], 0.1 * found.fitted[1], rtol=1e-9)
        np.testing.assert_allclose(found.total_shift[1, 0], 0.1 * found.total[1], rtol=1e-9)


def test_results_of_a_study_of_a_normal_lie_where_their_quantiles_are():
    """With prior N(1, 2) and error 1.5 results are N(1, 2.5): the mean after each is 1 + 0.64 (result - 1)."""
    nodes = prior_nodes(norm(1.0, 2.0))
    means = np.stack([0 * nodes.values, nodes.values])
    still = np.zeros((2, 1, len(nodes.values)))
    found = fits_over_prior(nodes.values, nodes, HalfSampleFits(means, still, means, still), size=1.5)
    places = np.linspace(-6.0, 6.0, 161)
    inner = np.abs(places) < 4.0
    np.testing.assert_allclose(found.fitted[1][inner], (1.0 + 0.64 * 2.5 * places)[inner], atol=0.005)
    even = norm.pdf(places) * (places[1] - places[0])
    np.testing.assert_allclose((found.total[1] / found.fitted[1])[inner], even[inner], rtol=0.01)


def test_a_fit_is_read_between_its_points_and_continued_in_straight_lines_beyond():
    known = np.array([0.0, 1.0, 3.0])
    curve = np.array([2.0, 4.0, 0.0])
    wanted = np.array([-1.0, 0.0, 0.25, 1.0, 2.0, 3.0, 4.0])
    plain = [0.0, 2.0, 2.5, 4.0, 2.0, 0.0, -2.0]
    np.testing.assert_allclose(_straight_lines(known, wanted) @ curve, plain, atol=1e-12)
