/* The explorer: redraws one option's results from the draws stored in this page. It loads nothing and sends nothing. */
(function () {
  "use strict";
  var store = document.getElementById("explorer-data");
  var root = document.getElementById("explorer-controls");
  if (!store || !root) { return; }
  var data = JSON.parse(store.textContent);
  var el = function (name) { return document.getElementById("explorer-" + name); };
  var NBSP = "\u00a0", MINUS = "\u2212";

  /* ---- draws ---- */
  function bytes(text) {
    var raw = atob(text), out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i += 1) { out[i] = raw.charCodeAt(i); }
    return out.buffer;
  }
  function little(buffer, size, read) {
    var view = new DataView(buffer), out = new Float64Array(buffer.byteLength / size);
    for (var i = 0; i < out.length; i += 1) { out[i] = view[read](i * size, true); }
    return out;
  }
  function unpack(stance) {
    var whole = little(bytes(stance.packed), 2, "getInt16"), n = stance.draws;
    stance.columns = stance.scale.map(function (scale, number) {
      var at = stance.at[number], out = new Float64Array(n);
      for (var i = 0; i < n; i += 1) { out[i] = at < 0 ? scale : whole[at * n + i] * scale; }
      return out;
    });
    stance.harm = little(bytes(stance.harm_share), 4, "getFloat32");
  }
  Object.keys(data.stances).forEach(function (name) { unpack(data.stances[name]); });

  /* ---- arithmetic: the same definitions as cba/tables/explorer.py ---- */
  function draw(stance, set, out) {
    var place = stance.place[set.option], years = data.years.length, horizon = data.horizon;
    var schedule = data.schedules[set.schedule], start = out.npv.length;
    function column(quantity, year) { return stance.columns[place[quantity][year]]; }
    for (var i = 0; i < stance.draws; i += 1) {
      var npv = 0, safe = 0, before = 0, running = 0, moved = 0, short = -1, fewerAtTarget = 0;
      for (var t = 0; t < years; t += 1) {
        var fewer = column("fewer", t)[i] + set.effect * column("fewer_help", t)[i];
        if (data.years[t] === data.target) { fewerAtTarget = fewer; }
        if (t < horizon) {
          var net = set.avoidable * (column("placements", t)[i] + set.effect * column("placements_help", t)[i])
            + column("other", t)[i] + set.effect * column("other_help", t)[i]
            - set.overrun * column("money", t)[i];
          npv += net * schedule.npv[t];
          safe += (before + fewer) / 2 * schedule.npv[t];
          running += net * schedule.payback[t];
          moved += Math.abs(net * schedule.payback[t]);
          if (running < -1e-9 * moved) { short = t; }
        }
        before = fewer;
      }
      out.npv.push(npv);
      out.benefit.push(npv + set.value * safe * (1 - stance.harm[i]));
      out.fewer.push(fewerAtTarget);
      out.payback.push(short + 1 < horizon ? data.years[short + 1] : Infinity);
    }
    return out.npv.length - start;
  }
  function weighted(values, weights) {
    var order = Array.from(values.keys()).sort(function (a, b) { return values[a] - values[b]; });
    var ranked = order.map(function (i) { return values[i]; }), at = new Float64Array(order.length), total = 0;
    for (var i = 1; i < order.length; i += 1) {
      total += (weights[order[i]] + weights[order[i - 1]]) / 2;
      at[i] = total;
    }
    return function (share) {
      var wanted = share * total;
      if (wanted <= 0) { return ranked[0]; }
      if (wanted >= total) { return ranked[ranked.length - 1]; }
      var low = 0, high = at.length - 1;
      while (high - low > 1) { var mid = (low + high) >> 1; if (at[mid] <= wanted) { low = mid; } else { high = mid; } }
      return ranked[low] + (ranked[high] - ranked[low]) * (wanted - at[low]) / (at[high] - at[low]);
    };
  }
  function chance(weights, happened, size) {
    var p = 0, count = 0;
    for (var i = 0; i < weights.length; i += 1) { if (happened(i)) { p += weights[i]; count += 1; } }
    if (count === 0 || count === weights.length) { return { value: count ? 1 : 0, error: 0.5 / size }; }
    return { value: Math.min(p, 1), error: Math.sqrt(Math.max(p * (1 - p), 0) / size) };
  }
  function yearReached(years, weights, share) {
    var seen = {}, total = 0, order;
    years.forEach(function (year, i) { seen[year] = (seen[year] || 0) + weights[i]; });
    order = Object.keys(seen).map(Number).filter(isFinite).sort(function (a, b) { return a - b; });
    for (var i = 0; i < order.length; i += 1) { total += seen[order[i]]; if (total >= share - 1e-12) { return order[i]; } }
    return NaN;
  }
  function compute(set) {
    var out = { npv: [], benefit: [], fewer: [], payback: [] }, weights = [], squares = 0, found = {}, spread = {};
    Object.keys(data.stances).forEach(function (name) {
      var share = set.weights[name];
      if (!(share > 0)) { return; }
      var made = draw(data.stances[name], set, out);
      for (var i = 0; i < made; i += 1) { weights.push(share / made); squares += share * share / made / made; }
    });
    var size = 1 / squares, level = data.level;
    var shares = { median: 0.5, lower: (1 - level) / 2, upper: (1 + level) / 2 };
    ["npv", "benefit", "fewer"].forEach(function (name) {
      var at = weighted(out[name], weights);
      spread[name] = at;
      Object.keys(shares).forEach(function (place) {
        var p = shares[place], e = Math.sqrt(p * (1 - p) / size);
        found[name + "_" + place] = { value: at(p), error: (at(p + e) - at(p - e)) / 2 };
      });
    });
    found.prob_saving = chance(weights, function (i) { return out.npv[i] > 0; }, size);
    found.prob_benefit = chance(weights, function (i) { return out.benefit[i] > 0; }, size);
    found.prob_fewer = chance(weights, function (i) { return out.fewer[i] >= data.fewer_children; }, size);
    found.prob_never = chance(weights, function (i) { return out.payback[i] === Infinity; }, size);
    var e = 0.5 / Math.sqrt(size);
    found.payback = {
      value: yearReached(out.payback, weights, 0.5),
      early: yearReached(out.payback, weights, 0.5 - e), late: yearReached(out.payback, weights, 0.5 + e)
    };
    found.ess = { value: size };
    return { found: found, benefit: out.benefit, weights: weights, spread: spread.benefit };
  }

  /* ---- numbers as text: the same rules as cba/reporting/numbers.py ---- */
  function even(x) { var r = Math.round(x); return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r; }
  function grouped(value, decimals) {
    return value.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }
  function unitOf(value, error) {
    var size = value ? Math.pow(10, Math.floor(Math.log10(Math.abs(value))) - 2) : 0;
    var noise = error > 0 && isFinite(error) ? Math.pow(10, Math.ceil(Math.log10(error) - 1e-9)) : 0;
    return Math.max(size, noise) || 1;
  }
  function plain(value, unit) {
    var decimals = Math.max(0, -Math.floor(Math.log10(unit) + 1e-9));
    return grouped(Math.abs(even(value / unit) * unit), decimals);
  }
  function money(size, unit) {
    unit = Math.max(unit, 1);
    var rounded = even(size / unit) * unit;
    if (rounded >= 1e9) { return "£" + plain(size / 1e9, unit / 1e9) + NBSP + "billion"; }
    if (rounded >= 1e6) { return "£" + plain(size / 1e6, unit / 1e6) + NBSP + "million"; }
    return "£" + plain(size, unit);
  }
  function net(entry) {
    var unit = unitOf(entry.value, entry.error);
    if (even(Math.abs(entry.value) / unit) === 0) { return "neither a net saving nor a net cost, to the nearest " + money(unit, unit); }
    return "a net " + (entry.value > 0 ? "saving" : "cost") + " of " + money(Math.abs(entry.value), unit);
  }
  function fewer(entry) {
    var unit = Math.max(unitOf(entry.value, entry.error), 1), text = plain(entry.value, unit);
    return text === "0" ? "no change, to the nearest " + plain(unit, unit) : text + (entry.value > 0 ? " fewer" : " more");
  }
  function probability(entry) {
    var step = entry.error <= 0.01 ? 1 : entry.error <= 0.05 ? 5 : 10, steps = even(entry.value * 100 / step);
    if (steps === 0) { return "<" + step + "%"; }
    if (steps === 100 / step) { return ">" + (100 - step) + "%"; }
    return steps * step + "%";
  }
  function year(value) {
    return isFinite(value) ? value - 1 + "-" + String(value % 100).padStart(2, "0") : "never";
  }
  function points(error) { return "±" + (100 * error).toPrecision(2) + " points"; }
  function about(error) { return error > 0 ? "±" + money(error, Math.pow(10, Math.floor(Math.log10(error)) - 1)) : "none"; }
  function heads(error) { return "±" + grouped(Number(error.toPrecision(2)), error < 10 ? 1 : 0); }

  /* ---- controls ---- */
  var NUMBERS = ["value", "overrun", "avoidable", "effect", "weight"];
  var stances = Object.keys(data.stances);
  function clamp(input) {
    var value = Number(input.value), low = Number(input.min), high = Number(input.max);
    return input.value.trim() === "" || !isFinite(value) ? null : Math.min(Math.max(value, low), high);
  }
  function settings() {
    var set = { option: el("option").value, schedule: Number(el("schedule").value), weights: {} };
    NUMBERS.forEach(function (name) { set[name] = el(name) ? Number(el(name).value) : data.defaults[name]; });
    stances.forEach(function (name, i) { set.weights[name] = i === 0 ? set.weight / 100 : 1 - set.weight / 100; });
    return set;
  }
  function words(name, value) {
    if (name === "value") { return value ? "£" + grouped(value, 0) + " a child-year" : "£0: cash only"; }
    if (name === "weight") { return value + "% " + data.stance_names[0] + ", " + (100 - value) + "% " + data.stance_names[1]; }
    return value === 1 ? "as drawn" : value + " times as drawn";
  }
  function supported(set, name) {
    var low = Infinity, high = -Infinity;
    stances.forEach(function (stance) {
      if (set.weights[stance] > 0) {
        low = Math.min(low, data.stances[stance].supported[name][0]);
        high = Math.max(high, data.stances[stance].supported[name][1]);
      }
    });
    return [low, high];
  }
  function marks(set, size) {
    var outside = [];
    ["overrun", "avoidable", "effect"].forEach(function (name) {
      var range = supported(set, name), out = set[name] < range[0] - 1e-9 || set[name] > range[1] + 1e-9;
      var mark = el(name + "-mark");
      mark.hidden = !out;
      el(name).classList.toggle("outside", out);
      if (out) {
        mark.textContent = "Outside what the draws support: they hold multipliers of about " + range[0].toFixed(1) + " to "
          + range[1].toFixed(1) + ".";
        outside.push(data.control_names[name]);
      }
    });
    var few = size < data.least_draws, text = "";
    if (outside.length) {
      text = "Outside what the draws support (" + outside.join("; ") + "). The arithmetic still holds, "
        + "but no belief in this run makes such a world likely.";
    }
    if (few) { text += (text ? " " : "") + "Too few draws: these results rest on fewer than " + data.least_draws + " effective draws."; }
    el("mark").textContent = text;
    el("mark").hidden = !text;
    return text;
  }

  /* ---- what is shown ---- */
  function put(name, text, error, raw, rawError) {
    var cell = el("out-" + name), other = el("error-" + name);
    cell.textContent = text;
    other.textContent = error;
    cell.setAttribute("data-raw", String(raw));
    other.setAttribute("data-raw", String(rawError));
  }
  function show(found) {
    ["npv", "benefit"].forEach(function (name) {
      ["median", "lower", "upper"].forEach(function (place) {
        var entry = found[name + "_" + place];
        put(name + "_" + place, net(entry), about(entry.error), entry.value, entry.error);
      });
    });
    ["median", "lower", "upper"].forEach(function (place) {
      var entry = found["fewer_" + place];
      put("fewer_" + place, fewer(entry), heads(entry.error), entry.value, entry.error);
    });
    ["prob_saving", "prob_benefit", "prob_fewer", "prob_never"].forEach(function (name) {
      put(name, probability(found[name]), points(found[name].error), found[name].value, found[name].error);
    });
    var paid = found.payback, same = Object.is(paid.early, paid.late);
    put("payback", year(paid.value), same ? "the same year" : year(paid.early) + " to " + year(paid.late), paid.value, paid.early + "," + paid.late);
    el("ess").textContent = grouped(found.ess.value, 0);
    el("ess").value = String(found.ess.value);
  }
  var SVG = "http://www.w3.org/2000/svg";
  function mark(parent, tag, attributes, text) {
    var node = document.createElementNS(SVG, tag);
    Object.keys(attributes).forEach(function (name) { node.setAttribute(name, attributes[name]); });
    if (text) { node.textContent = text; }
    parent.appendChild(node);
  }
  function histogram(result) {
    var low = Math.min(result.spread(0.005), 0), high = Math.max(result.spread(0.995), 0);
    var step = Math.pow(10, Math.floor(Math.log10(Math.max(high - low, 1) / 4))), jump;
    jump = [1, 2, 5, 10].map(function (k) { return k * step; }).filter(function (k) { return (high - low) / k <= 5; })[0];
    low = Math.floor(low / jump) * jump; high = Math.ceil(high / jump) * jump;
    var jumps = Math.max(Math.round((high - low) / jump), 1), bins = jumps * Math.round(24 / jumps);
    var shares = new Array(bins).fill(0), width = jump * jumps / bins; /* an edge of a bar stands at 0 */
    result.benefit.forEach(function (value, i) {
      shares[Math.min(Math.max(Math.floor((value - low) / width), 0), bins - 1)] += result.weights[i];
    });
    var most = Math.max.apply(null, shares), area = el("bars");
    while (area.firstChild) { area.removeChild(area.firstChild); }
    var x = function (value) { return 20 + 400 * (value - low) / (high - low); };
    shares.forEach(function (share, i) {
      var tall = 130 * share / most;
      mark(area, "rect", { x: 20 + i * 400 / bins + 0.5, y: 150 - tall, width: 400 / bins - 1, height: tall, "class": "bar" });
    });
    mark(area, "line", { x1: 20, x2: 420, y1: 150, y2: 150, "class": "axis" });
    mark(area, "line", { x1: x(0), x2: x(0), y1: 12, y2: 150, "class": "zero" });
    var unit = high - low >= 2e9 ? 1e9 : 1e6, digits = jump / unit < 1 ? 1 : 0;
    for (var tick = low; tick <= high + jump / 2; tick += jump) {
      var label = (tick < -jump / 2 ? MINUS : "") + grouped(Math.abs(tick) / unit, digits);
      mark(area, "text", { x: x(tick), y: 168, "text-anchor": "middle" }, label);
    }
    mark(area, "text", { x: 220, y: 190, "text-anchor": "middle" }, "£" + (unit === 1e9 ? "billion" : "million") + ", present value");
    var side = x(0) > 300 ? { x: x(0) - 4, y: 10, "text-anchor": "end" } : { x: x(0) + 4, y: 10 };
    mark(area, "text", side, "no gain, no loss");
    binTable(shares, low, width, most);
  }
  function binTable(shares, low, width, most) {
    var body = el("bins"), csv = "from_gbp,to_gbp,share\n", peak = shares.indexOf(most);
    while (body.firstChild) { body.removeChild(body.firstChild); }
    shares.forEach(function (share, i) {
      var from = low + i * width, row = document.createElement("tr");
      csv += from + "," + (from + width) + "," + share + "\n";
      ["th", "td", "td"].forEach(function (tag, k) {
        var cell = document.createElement(tag), amount = k === 1 ? from + width : from;
        cell.className = "num";
        if (k === 0) { cell.scope = "row"; }
        cell.textContent = k === 2 ? (100 * share).toFixed(1) + "%" : (amount < 0 ? MINUS : "") + money(Math.abs(amount), 1e6);
        row.appendChild(cell);
      });
      body.appendChild(row);
    });
    el("csv").href = "data:text/csv;charset=utf-8;base64," + btoa(csv);
    return peak;
  }
  function describe(set, found) {
    var name = el("option").selectedOptions[0].textContent, what = set.value ? "net benefit" : "net present value";
    var heading = name + ": " + net(found.benefit_median) + (set.value ? ", child-years valued" : "");
    el("heading").textContent = heading;
    el("bars-title").textContent = heading;
    el("bars-desc").textContent = "Histogram. Horizontal axis: " + what + " in GBP; vertical axis: share of the weighted draws. "
      + "Median " + net(found.benefit_median) + "; " + Math.round(100 * data.level) + "% of draws lie between "
      + net(found.benefit_lower) + " and " + net(found.benefit_upper) + ". The draws beyond either end stand in the last bar.";
    return heading + ". Chance of a net saving " + probability(found.prob_saving) + "; of "
      + grouped(data.fewer_children, 0) + " fewer children " + probability(found.prob_fewer) + "; of never paying back "
      + probability(found.prob_never) + ".";
  }
  var waiting = null;
  function redraw(said) {
    var set = settings();
    NUMBERS.forEach(function (name) {
      if (!el(name)) { return; }
      el(name + "-words").textContent = words(name, set[name]);
      el(name + "-range").setAttribute("aria-valuetext", words(name, set[name]));
    });
    var result = compute(set), warned = marks(set, result.found.ess.value);
    var error = data.stances[stances[0]].error[set.option];
    el("reinvest").hidden = !data.reinvest[set.option];
    el("approximate").textContent = error === null ? "too large to be known here" : money(Math.abs(error), unitOf(error, 0));
    el("approximate").value = error === null ? "" : String(Math.abs(error));
    show(result.found);
    histogram(result);
    var sentence = describe(set, result.found);
    if (said !== false) {
      clearTimeout(waiting);
      waiting = setTimeout(function () { el("status").textContent = sentence + (warned ? " " + warned : ""); }, 400);
    }
  }
  function reset() {
    el("option").value = data.defaults.option;
    el("schedule").value = String(data.defaults.schedule);
    NUMBERS.forEach(function (name) {
      if (el(name)) { el(name).value = data.defaults[name]; el(name + "-range").value = data.defaults[name]; }
    });
  }
  NUMBERS.forEach(function (name) {
    var exact = el(name), range = el(name + "-range");
    if (!exact) { return; }
    range.addEventListener("input", function () { exact.value = range.value; redraw(); });
    exact.addEventListener("input", function () {
      if (clamp(exact) === Number(exact.value) && exact.value.trim() !== "") { range.value = exact.value; redraw(); }
    });
    exact.addEventListener("change", function () {
      var value = clamp(exact);
      exact.value = value === null ? data.defaults[name] : value;
      range.value = exact.value;
      redraw();
    });
  });
  ["option", "schedule"].forEach(function (name) { el(name).addEventListener("change", redraw); });
  el("reset").addEventListener("click", function () { reset(); redraw(); });
  reset();
  root.hidden = false;
  el("figure").hidden = false;
  redraw(false);
}());
