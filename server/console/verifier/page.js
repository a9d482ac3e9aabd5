// The verify page: it takes files, lets a worker check them, and shows what was
// found.
"use strict";

const inGerman = /^de\b/i.test(navigator.language);

// t gives a text in the reader's language, with values in the places of %s.
function t(text, ...values) {
  const own = inGerman && german[text] || text;
  return values.reduce((all, value) => all.replace("%s", () => value), own);
}

const byID = (id) => document.getElementById(id);

// make builds an element: text is always text.
function make(name, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

if (inGerman) {
  document.documentElement.lang = "de";
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.textContent);
  document.title = t("Verify evidence bundles") + " · licensekit";
}

// pinned are the texts of what the reviewer trusts.
const pinned = [];

function addKey(name, text) {
  try {
    licensekit.readTrust([...pinned.map((p) => p.text), text]);
  } catch (e) {
    complain(`${name}: ${e.message}`);
    return false;
  }
  complain("");
  if (!pinned.some((p) => p.text.trim() === text.trim())) pinned.push({ name, text });
  showKeys();
  return true;
}

function complain(text) {
  byID("key_error").hidden = text === "";
  byID("key_error").textContent = text;
}

function showKeys() {
  byID("keys").replaceChildren(...pinned.map((p) => {
    const remove = make("button", { type: "button", text: t("Remove") });
    remove.setAttribute("aria-label", t("Remove %s", p.name));
    remove.addEventListener("click", () => {
      pinned.splice(pinned.indexOf(p), 1);
      showKeys();
      (byID("keys").querySelector("button") ?? byID("key_files")).focus(); // this one is gone
    });
    return make("li", {}, make("span", {}, make("strong", { text: p.name }), make("br"), make("code", { text: describe(p.text) })), remove);
  }));
  again();
}

// describe says what a trusted text is, so that it can be compared with what the
// vendor said.
function describe(text) {
  const { keys, logKeys, last } = licensekit.readTrust([text]);
  if (keys.length > 0) return t("export key %s", keys[0].id);
  if (logKeys.length > 0) return t("key of log %s", logKeys[0].origin);
  if (last.length > 0) return t("checkpoint of %s at size %s", last[0].origin, String(last[0].size));
  return t("proof of consistency");
}

// newWorker gives a worker that verifies, or null where the browser lets none be
// made of a file on the disk.
function newWorker() {
  const code = byID("core").textContent + `
onmessage = async ({ data: { blob, texts } }) => {
  let done = 0, told = 0;
  try {
    const result = await licensekit.verify(blob, licensekit.readTrust(texts), (step) => postMessage({ step }), (n) => {
      done += n;
      if (Date.now() - told > 100) { told = Date.now(); postMessage({ done }); }
    });
    postMessage({ result });
  } catch (e) {
    postMessage({ error: String(e.message || e) });
  }
};`;
  try {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(url);
    URL.revokeObjectURL(url);
    return worker;
  } catch {
    return null;
  }
}

// check verifies a bundle, tells take of what comes, and gives what ends it early.
function check(blob, texts, take) {
  const worker = newWorker();
  if (worker === null) {
    checkHere(blob, texts, take);
    return () => {};
  }
  worker.onmessage = ({ data }) => {
    if (data.result || data.error) worker.terminate();
    take(data);
  };
  worker.onerror = (e) => {
    worker.terminate();
    take({ error: e.message || t("the check could not be started") });
  };
  worker.postMessage({ blob, texts });
  return () => worker.terminate();
}

async function checkHere(blob, texts, take) {
  let done = 0;
  try {
    take({ result: await licensekit.verify(blob, licensekit.readTrust(texts), (step) => take({ step }), (n) => take({ done: done += n })) });
  } catch (e) {
    take({ error: String(e.message || e) });
  }
}

const verdicts = {
  VERIFIED: t("signed by a key that you trust, and unchanged since"),
  UNANCHORED: t("the parts fit together, but no key was given, so anybody may have made them"),
  INVALID: t("not genuine, or damaged on its way: do not rely on it"),
  FORK: t("the log shows one history to some and another to others: keep both checkpoints, and ask who has the key"),
};

const stepNames = {
  zip: t("The bundle is built as it must be"), manifest: t("The manifest can be read in one way only"), signature: t("A key that you trust signed the manifest"),
  artifact: t("The file is the one that was signed"), data: t("The data are those that were signed"), log: t("The export is in the log, where it says"),
  checkpoint: t("The log shows one history"), content: t("The file says what the data say"), pages: t("The pages show what the data say"), witnesses: t("Witnesses have seen the log"),
};

const states = { passed: t("passed"), failed: t("failed"), "not run": t("not run") };

// bundles are what was given, so that a key that comes later counts for them.
const bundles = [];

function addBundle(file) {
  byID("results_part").hidden = false;
  const view = make("article", { class: "result" });
  byID("results").append(view);
  const bundle = { file, view, run: 0, stop: () => {} };
  bundles.push(bundle);
  verifyBundle(bundle);
}

function again() { for (const bundle of bundles) verifyBundle(bundle); }

function verifyBundle(bundle) {
  const run = ++bundle.run;
  bundle.stop();
  const progress = make("progress", { max: String(Math.max(1, 2.2 * bundle.file.size)), value: "0", "aria-label": t("Checking %s", bundle.file.name) });
  const steps = make("ol", { class: "steps" });
  bundle.view.dataset.verdict = "";
  bundle.view.replaceChildren(make("h3", { text: bundle.file.name }), progress, steps);
  bundle.stop = check(bundle.file, pinned.map((p) => p.text), (said) => {
    if (run !== bundle.run) return; // it is checked anew
    if (said.step) steps.append(stepView(said.step));
    if (said.done) progress.value = said.done;
    if (said.error) progress.replaceWith(make("p", { class: "verdict error" }, make("strong", { text: t("It could not be checked") }), said.error));
    if (said.result) progress.replaceWith(...conclusion(said.result));
    if (!said.result && !said.error) return;
    bundle.view.dataset.verdict = said.result ? said.result.verdict : "ERROR";
    byID("say").textContent = `${bundle.file.name}: ${said.result ? said.result.verdict : t("It could not be checked")}`;
  });
}

function conclusion(result) {
  const parts = [make("p", { class: "verdict " + result.verdict }, make("strong", { text: result.verdict }), verdicts[result.verdict])];
  if (result.manifest) parts.push(facts(result.manifest.predicate));
  if (result.fork) parts.push(make("pre", { tabindex: "0", text: result.fork.kept + "\n" + result.fork.found }));
  if (result.keep) {
    const link = make("a", { download: "checkpoint", href: "data:text/plain;base64," + btoa(String.fromCharCode(...result.keep)), text: t("Keep the log's checkpoint") });
    parts.push(make("p", { class: "actions" }, link, t("Give it with the keys the next time: a log that was rewritten then shows.")));
  }
  return parts;
}

function facts(p) {
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const rows = [
    [t("Report"), `${p.report_kind}, ${p.format}`], [t("Rows"), number.format(p.row_count)], [t("Filters"), JSON.stringify(p.filters)],
    [t("Frozen at"), p.frozen_at.replace("T", " ").replace("Z", " UTC")], [t("Instance"), p.instance], [t("Export"), p.export_id], [t("Key"), p.key_id],
  ];
  return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

function stepView(step) {
  const mark = { passed: "\u2713", failed: "\u2717", "not run": "\u2013" }[step.status];
  const view = make("li", { class: step.status.replace(" ", "-") }, make("span", { class: "mark", "aria-hidden": "true", text: mark }),
    make("strong", { text: stepNames[step.name] }), make("span", { class: "state", text: states[step.status] }), make("p", { class: "detail", text: step.detail }));
  view.dataset.step = step.name;
  if (step.expected !== undefined) {
    view.append(make("dl", {}, make("dt", { text: t("expected") }), make("dd", {}, make("code", { text: step.expected })), make("dt", { text: t("found") }), make("dd", {}, make("code", { text: step.found }))));
  }
  return view;
}

// take sorts files: bundles are zips, everything else is something to trust.
async function take(files) {
  for (const file of files) {
    if (/\.zip$/i.test(file.name)) addBundle(file);
    else if (file.size > 64 << 10) complain(`${file.name}: ${t("this is neither a bundle nor a key")}`);
    else addKey(file.name, await file.text());
  }
}

// chosen gives the files of a field, which forgets them: the same ones may be chosen
// once more.
function chosen(field) {
  const files = [...field.files];
  field.value = "";
  return files;
}

byID("key_files").addEventListener("change", async (event) => {
  for (const file of chosen(event.target)) addKey(file.name, (await file.slice(0, 64 << 10).text()));
});
byID("bundle_files").addEventListener("change", (event) => {
  for (const file of chosen(event.target)) addBundle(file);
});
byID("key_add").addEventListener("click", () => {
  if (addKey(t("pasted key"), byID("key_text").value)) byID("key_text").value = "";
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    for (const drop of document.querySelectorAll(".drop")) drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}
