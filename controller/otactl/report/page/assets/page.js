// The page's own script: shows one view at a time, lists devices and filters them, adds local times.
"use strict";
(() => {
  const STEP = 50;
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const words = { succeeded: "updated", failed: "failed", waiting: "waiting", unknown: "unknown", notSent: "not sent" };
  const looks = { succeeded: ["good", "ok"], failed: ["bad", "bad"], waiting: ["calm", "wait"], unknown: ["warn", "unknown"], notSent: ["calm", "none"] };
  const proofs = {
    reported: "the device reports it", reverted: "the device reported another version since",
    spared: "the device reported it before the start, so nothing was sent",
  };
  const SVG = "http://www.w3.org/2000/svg";
  const number = new Intl.NumberFormat("en");

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    const use = document.createElementNS(SVG, "use");
    for (const [key, value] of [["class", "icon"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
    use.setAttribute("href", `#i-${name}`);
    svg.append(use);
    return svg;
  }

  const badge = (verdict) => make("span", { class: `badge ${looks[verdict][0]}` }, icon(looks[verdict][1]), words[verdict]);
  const small = (text) => make("span", { class: "small" }, text);

  // Times: UTC as written, and the reader's zone below.
  const localTime = new Intl.DateTimeFormat("en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
  const inUtc = new Date().getTimezoneOffset() === 0 && new Date(2026, 6, 1).getTimezoneOffset() === 0;
  function addLocal(within) {
    if (inUtc) return;
    for (const time of within.querySelectorAll("time:not([data-local])")) {
      time.dataset.local = "";
      time.after(" ", make("span", { class: "local" }, localTime.format(new Date(time.dateTime))));
    }
  }
  const utc = (at) => make("time", { datetime: at }, `${at.slice(0, 10)}\u00a0${at.slice(11, 16)}\u00a0UTC`);

  function tellAge() {
    const place = $("page-age");
    const minutes = Math.floor((Date.now() - Date.parse(place.dataset.built)) / 60000);
    const text = minutes < 1 ? "just now" : minutes < 120 ? `${minutes} min ago` : minutes < 2880 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} days ago`;
    place.textContent = `, ${text}`;
    place.className = minutes > 1440 ? "stale" : "";
  }

  // Devices: compact rows of the embedded data, see the package's module device_data.
  let data = null;
  let texts = [];
  function load() {
    if (data !== null) return;
    data = JSON.parse($("data").textContent);
    texts = data.devices.map((device) => {
      const parts = [device[0], device[1], data.labels[device[3]].join(" "), data.verdicts[device[4]], words[data.verdicts[device[4]]], data.reasons[device[5]]];
      for (const sent of device[7]) {
        const attempt = data.attempts[sent[0]];
        parts.push(data.rollouts[attempt[0]][0], attempt[3], data.details[sent[3] || 0]);
      }
      for (const place of device[8] || []) parts.push(data.rollouts[place][0]);
      return parts.join("\n").toLowerCase();
    });
    const option = (value, text) => make("option", { value }, text);
    $("frollout").append(...data.rollouts.map((rollout) => option(rollout[2], rollout[0])));
    $("fwave").append(...[...new Set(data.attempts.map((attempt) => attempt[1]))].sort().map((name) => option(name, name)));
    $("flabel").append(...[...new Set(data.labels.flat())].sort().map((label) => option(label, label)));
    $("fverdict").append(...data.verdicts.map((verdict) => option(verdict, words[verdict])));
    $("fcause").append(...data.reasons.slice(1).sort().map((reason) => option(reason, reason)));
  }

  const fields = { q: "q", rollout: "frollout", wave: "fwave", label: "flabel", verdict: "fverdict", cause: "fcause" };
  let matches = [];
  let shown = 0;

  // The attempt whose device a rollout and a wave ask for; the newest without them.
  function chosenOf(device, rollout, wave) {
    if (!rollout && !wave) return device[6] >= 0 ? device[7][device[6]] : null;
    for (let place = device[7].length - 1; place >= 0; place--) {
      const attempt = data.attempts[device[7][place][0]];
      if ((!rollout || data.rollouts[attempt[0]][2] === rollout) && (!wave || attempt[1] === wave)) return device[7][place];
    }
    return undefined;
  }

  function find() {
    const wanted = Object.fromEntries(Object.entries(fields).map(([name, id]) => [name, $(id).value]));
    const queries = wanted.q.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const verdict = data.verdicts.indexOf(wanted.verdict);
    const cause = wanted.cause ? data.reasons.indexOf(wanted.cause) : -1;
    matches = [];
    for (let place = 0; place < data.devices.length; place++) {
      const device = data.devices[place];
      const text = texts[place];
      if (!queries.every((query) => text.includes(query))) continue;
      if (wanted.label && !data.labels[device[3]].includes(wanted.label)) continue;
      let chosen = chosenOf(device, wanted.rollout, wanted.wave);
      let row = [device[4], device[5]];
      if (wanted.rollout || wanted.wave) {
        if (chosen === undefined) {
          const waits = !wanted.wave && (device[8] || []).some((each) => data.rollouts[each][2] === wanted.rollout);
          if (!waits) continue;
          chosen = null;
          row = [data.verdicts.indexOf("notSent"), 0];
        } else if (chosen !== device[7][device[6]]) row = [chosen[1] || 0, chosen[2] || 0];
      }
      if (wanted.verdict && row[0] !== verdict) continue;
      if (cause >= 0 && row[1] !== cause) continue;
      matches.push([place, chosen, row]);
    }
    return wanted;
  }

  const path = (device) => `#device:${encodeURIComponent(data.environments[device[2]])}/${encodeURIComponent(device[0])}`;

  function cell(label, ...children) {
    return make("td", { role: "cell", "data-label": label }, ...children);
  }

  function row([place, chosen, [verdict, reason]]) {
    const device = data.devices[place];
    const attempt = chosen ? data.attempts[chosen[0]] : null;
    const rollout = attempt ? data.rollouts[attempt[0]] : (device[8] || []).length ? data.rollouts[device[8][0]] : null;
    const head = make("th", { role: "rowheader", scope: "row", "data-label": "Device" }, make("a", { href: path(device) }, device[1] || device[0]));
    if (device[1]) head.append(make("span", { class: "small unit" }, device[0]));
    const labels = data.labels[device[3]];
    if (labels.length) head.append(make("span", { class: "small" }, ...labels.map((label) => make("span", { class: "label" }, label))));
    const detail = chosen && chosen[3] ? small(data.details[chosen[3]]) : null;
    const name = data.verdicts[verdict];
    const sent = attempt && name !== "notSent" ? attempt[3] || `image ${attempt[4]}` : null;
    return make("tr", { role: "row" }, head,
      cell("Verdict", badge(name)),
      cell("Cause", reason ? make("code", {}, data.reasons[reason]) : make("span", { class: "none" }, "none"), detail),
      cell("Rollout", rollout ? make("a", { href: `#rollout:${rollout[2]}` }, rollout[0]) : make("span", { class: "none" }, "none"), attempt ? small(`wave ${attempt[1]}, attempt ${attempt[2]}`) : null),
      cell("Version sent", sent || make("span", { class: "none" }, "none")),
      cell("When", attempt && (attempt[7] || attempt[6]) ? utc(attempt[7] || attempt[6]) : make("span", { class: "none" }, "not yet")));
  }

  function more() {
    const next = matches.slice(shown, shown + STEP).map(row);
    $("device-rows").append(...next);
    shown += next.length;
    const left = matches.length - shown;
    $("dmore").hidden = left === 0;
    $("dmore").textContent = `Show ${number.format(Math.min(STEP, left))} more of ${number.format(left)}`;
    addLocal($("device-rows"));
  }

  function list() {
    const wanted = find();
    shown = 0;
    $("device-rows").replaceChildren();
    const total = data.devices.length;
    $("dcount").textContent = matches.length === total ? `${number.format(total)} devices` : `${number.format(matches.length)} of ${number.format(total)} devices match`;
    more();
    const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString();
    history.replaceState(null, "", `#devices${query ? `?${query}` : ""}`);
  }

  function openDevices(query) {
    load();
    const given = new URLSearchParams(query);
    for (const [name, id] of Object.entries(fields)) $(id).value = given.get(name) || "";
    list();
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // an address that someone typed
    }
  }

  function openDevice(rest) {
    load();
    const [environment, id] = rest.split("/").map(decoded);
    const device = data.devices.find((each) => each[0] === id && data.environments[each[2]] === environment);
    const heading = $("device-h");
    const body = $("device-body");
    heading.textContent = device ? device[1] || device[0] : id || "Device";
    if (!device) {
      body.replaceChildren(make("p", { class: "card" }, "This page knows no such device."));
      return heading.textContent;
    }
    const labels = data.labels[device[3]].map((label) => make("span", { class: "label" }, label));
    const reason = data.reasons[device[5]];
    const under = make("p", { class: "under" }, badge(data.verdicts[device[4]]), reason ? make("code", {}, reason) : null, device[1] ? make("span", { class: "unit" }, device[0]) : null, make("span", {}, environment), ...labels);
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...["Version", "Outcome", "How it is known", "Rollout", "Started", "Results"].map((text) => make("th", { role: "columnheader", scope: "col" }, text))));
    const rows = device[7].slice().reverse().map((sent) => {
      const attempt = data.attempts[sent[0]];
      const rollout = data.rollouts[attempt[0]];
      const verdict = data.verdicts[sent[1] || 0];
      const proof = data.proofs[sent[5] || 0];
      const known = proofs[proof] || (verdict === "succeeded" ? "its service reports the transfer complete" : "");
      const cause = sent[2] ? make("code", {}, data.reasons[sent[2]]) : null;
      const via = sent[4] ? small(`through ${data.vias[sent[4]]}`) : null;
      const time = (at, none) => (at ? utc(at) : make("span", { class: "none" }, none));
      return make("tr", { role: "row" },
        make("th", { role: "rowheader", scope: "row", "data-label": "Version" }, attempt[3] || `image ${attempt[4] || "not known"}`),
        cell("Outcome", badge(verdict), cause),
        cell("How it is known", [data.details[sent[3] || 0], known].filter(Boolean).join("; ") || make("span", { class: "none" }, "nothing yet"), via),
        cell("Rollout", make("a", { href: `#rollout:${rollout[2]}` }, rollout[0]), small(`wave ${attempt[1]}, attempt ${attempt[2]}, ${attempt[5]}`)),
        cell("Started", verdict === "notSent" ? make("span", { class: "none" }, "never") : time(attempt[6], "not started")),
        cell("Results", time(attempt[7], "none yet")));
    });
    const caption = make("caption", { class: "sr" }, "Every version that was sent to this device, newest first");
    const table = make("table", { class: "stack", role: "table" }, caption, head, make("tbody", { role: "rowgroup" }, ...rows));
    const took = device[7].slice().reverse().find((sent) => data.verdicts[sent[1] || 0] === "succeeded" && data.proofs[sent[5] || 0] !== "reverted");
    const surely = took && ["reported", "spared"].includes(data.proofs[took[5] || 0]);
    const version = took ? data.attempts[took[0]][3] || `image ${data.attempts[took[0]][4]}` : "";
    const runs = took ? `Runs ${version}: ${surely ? "the device reports it" : "its service reports that it took it"}.` : "What it runs is not known: no update is known to have succeeded.";
    const wanted = (device[8] || []).map((place) => data.rollouts[place]);
    const waits = wanted.length ? make("p", { class: "small" }, "Named by ", ...wanted.flatMap((each, n) => [n ? ", " : "", make("a", { href: `#rollout:${each[2]}` }, each[0])]), ", which sent it nothing yet.") : null;
    body.replaceChildren(under, make("section", { class: "card" }, make("h2", {}, "Every version it was sent"), make("p", {}, runs), rows.length ? table : make("p", {}, "Nothing was sent to it yet."), waits));
    return heading.textContent;
  }

  // Rollouts of the overview.
  function filterRollouts() {
    const queries = $("rq").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...$("rollout-rows").rows];
    let left = 0;
    for (const each of rows) {
      const fits = queries.every((query) => each.dataset.text.includes(query)) && (!$("rphase").value || each.dataset.phase === $("rphase").value) && (!$("renv").value || each.dataset.environment === $("renv").value);
      each.hidden = !fits;
      left += fits ? 1 : 0;
    }
    $("rcount").textContent = left === rows.length ? `${number.format(left)} rollouts` : `${number.format(left)} of ${number.format(rows.length)} rollouts match`;
  }

  const views = [...document.querySelectorAll(".view")];
  const base = document.title;
  let first = true;
  function route() {
    const [name, query] = (location.hash.slice(1) || "overview").split(/\?(.*)/s);
    const isDevice = name.startsWith("device:");
    const id = isDevice ? "device" : name;
    const view = views.find((each) => each.id === id) || $("overview");
    for (const each of views) each.hidden = each !== view;
    let title = view.querySelector("h1").textContent;
    if (view.id === "devices") openDevices(query || "");
    if (isDevice) title = openDevice(name.slice("device:".length));
    if (view.id === "overview") {
      const given = new URLSearchParams(query || "");
      $("rphase").value = given.get("phase") || "";
      filterRollouts();
      if (given.get("phase")) $("rollouts-h").scrollIntoView();
    }
    const current = isDevice ? "devices" : view.classList.contains("rollout") ? "overview" : view.id;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.dataset.view === current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = view.id === "overview" ? base : `${title} · ${base}`;
    addLocal(view);
    if (!first) {
      view.querySelector("h1").focus({ preventScroll: view.id === "overview" && Boolean(query) });
      if (!query || view.id !== "overview") scrollTo(0, 0);
    }
    first = false;
  }

  root.classList.add("js");
  for (const each of document.querySelectorAll(".needs-script")) if (!each.classList.contains("view")) each.hidden = false;
  document.querySelector(".local-note").hidden = inUtc;
  $("zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  addLocal(document.querySelector("header"));
  tellAge();
  setInterval(tellAge, 30000);
  for (const id of Object.values(fields)) $(id).addEventListener("input", list);
  for (const id of ["rq", "rphase", "renv"]) $(id).addEventListener("input", filterRollouts);
  for (const form of ["device-filters", "rollout-filters"]) $(form).addEventListener("submit", (event) => event.preventDefault());
  $("freset").addEventListener("click", () => {
    for (const id of Object.values(fields)) $(id).value = "";
    list();
    $("q").focus();
  });
  $("dmore").addEventListener("click", () => {
    const at = shown;
    more();
    $("device-rows").rows[at].querySelector("a").focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(input|select|textarea)$/i.test(event.target.tagName)) {
      event.preventDefault();
      if ($("devices").hidden) location.hash = "#devices";
      setTimeout(() => $("q").focus());
    }
  });
  addEventListener("hashchange", route);
  addEventListener("beforeprint", () => addLocal(document.body));
  route();
})();
