// What is pleasant but not needed: the pages work without it.
"use strict";

// say tells a screen reader something that changed without a new page.
const say = (() => {
  const region = document.createElement("p");
  region.className = "gone";
  region.setAttribute("role", "status");
  document.body.append(region);
  return (text) => { region.textContent = text; };
})();

// local shows instants in the reader's own time by the pointer.
function local(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "long" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = format.format(at);
  }
}

// live elements follow the server: their page is asked for again, and they are
// replaced by what they are there, until that is no longer live. Where the keyboard
// is, nothing is taken from under it.
function live(element) {
  const wait = Number(element.dataset.live);
  if (!wait) return;
  let pause = wait;
  const again = async () => {
    if (!element.isConnected) return;
    if (document.hidden) {
      setTimeout(again, pause);
      return;
    }
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected) { // signed out
        location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = answer.ok && page.getElementById(element.id);
      if (fresh) {
        enhance(fresh); // as what it is compared with was
        const moved = fresh.dataset.say && fresh.dataset.say !== element.dataset.say;
        const used = element.contains(document.activeElement);
        const stale = element.innerHTML !== fresh.innerHTML;
        if (stale && !used) element.replaceChildren(...fresh.childNodes);
        if (moved) say(fresh.dataset.say);
        element.dataset.say = fresh.dataset.say || "";
        if (!fresh.dataset.live && (element.dataset.reload || !stale || !used)) {
          delete element.dataset.live;
          if (element.dataset.reload) location.reload(); // for what stands beside it
          return;
        }
      }
      pause = Math.min(pause * 1.15, 10 * wait);
    } catch {
      pause = Math.min(pause * 2, 30000); // the server is away; it may come back
    }
    setTimeout(again, pause);
  };
  setTimeout(again, pause);
}

// copying buttons stand beside what they copy.
function copying(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    const label = button.querySelector("span");
    const before = label.textContent;
    let soon;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      label.textContent = button.dataset.done;
      say(button.dataset.done);
      clearTimeout(soon);
      soon = setTimeout(() => { label.textContent = before; }, 1600);
    });
  }
}

// origins in commands are those that this page came from, whatever the server
// knows of the proxies in between.
function origins(root) {
  for (const code of root.querySelectorAll("[data-origin]")) {
    code.textContent = code.textContent.replaceAll(/https?:\/\/[^\s/]+(?=[\s/])/g, location.origin);
  }
}

// enhance does all this to a page, or to a part of one that has just come.
function enhance(root) {
  origins(root);
  local(root);
  copying(root);
  once(root);
  for (const form of root.querySelectorAll("form[data-auto]")) applying(form);
  for (const form of root.querySelectorAll("form[method=get]")) sparing(form);
  for (const form of root.querySelectorAll("form[data-going]")) {
    if ("file" in form.dataset) sending(form);
    else working(form);
  }
  for (const input of root.querySelectorAll("input[data-pick]")) picking(input);
  for (const zones of root.querySelectorAll("#zones")) zones.prepend(new Option("", Intl.DateTimeFormat().resolvedOptions().timeZone));
}

// progress shows in a block how far something is, unless it is over in a moment,
// and lets it be stopped.
function progress(block, stop) {
  const [title, amount, bar, button] = ["strong", "span", "progress", "button"].map((name) => block.querySelector(name));
  const size = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "megabyte", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const call = (text) => {
    if (title.textContent === text) return;
    title.textContent = text;
    if (!block.hidden) say(text);
  };
  const soon = setTimeout(() => {
    if (!block.isConnected) return; // the answer was faster
    block.hidden = false;
    block.scrollIntoView({ block: "nearest" });
    say(title.textContent);
  }, 300);
  title.textContent = block.dataset.first;
  amount.textContent = "";
  bar.hidden = button.hidden = button.disabled = false;
  bar.removeAttribute("value");
  button.onclick = () => {
    if (block.dataset.stop) {
      button.disabled = true;
      call(block.dataset.stop);
    }
    stop();
  };
  return {
    at(done, all) {
      if (button.disabled) return;
      if (done < all) {
        bar.max = all;
        bar.value = done;
        amount.textContent = `${size.format(done / 1e6)} / ${size.format(all / 1e6)}`;
        return;
      }
      bar.removeAttribute("value");
      amount.textContent = "";
      button.hidden = true;
      call(block.dataset.then);
    },
    end(failure) {
      clearTimeout(soon);
      block.hidden = !failure;
      if (!failure) return;
      bar.hidden = button.hidden = true;
      amount.textContent = "";
      call(failure);
    },
  };
}

// arrive shows the answer to a form: the page that it leads to, or in place what
// is wrong. It tells whether it is a page at all.
function arrive(url, ok, text) {
  if (ok) {
    location.assign(url);
    return true;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const main = page.querySelector("main");
  if (!main) return false;
  document.querySelector("main").replaceWith(main);
  document.title = page.title;
  enhance(main);
  main.tabIndex = -1;
  main.focus();
  return true;
}

// A form with a file shows how much of it is sent.
function sending(form) {
  const block = document.getElementById(form.dataset.going);
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    const shown = progress(block, () => request.abort());
    const end = (failure) => {
      shown.end(failure);
      again(form);
    };
    request.upload.addEventListener("progress", (sent) => shown.at(sent.loaded, sent.total));
    request.addEventListener("load", () => {
      if (!arrive(request.responseURL, request.status < 400, request.responseText)) end(block.dataset.failed);
    });
    request.addEventListener("error", () => end(block.dataset.failed));
    request.addEventListener("abort", () => end());
    request.open("POST", form.getAttribute("action"));
    request.send(new FormData(form));
  });
}

// A form whose work takes long shows how far the server is with it.
function working(form) {
  const block = document.getElementById(form.dataset.going);
  const action = form.getAttribute("action");
  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented || !event.submitter?.matches("[data-long]")) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    const shown = progress(block, () => {
      fetch(action + "/stop", { method: "POST", body: new URLSearchParams({ form_token: fields.get("form_token") }), credentials: "same-origin" });
    });
    let looking = setInterval(async () => {
      try {
        const answer = await fetch(action + "/work", { credentials: "same-origin" });
        const at = await answer.json();
        if (looking && at.running) shown.at(at.read, at.size);
      } catch { /* the next one may come through */ }
    }, 400);
    let arrived = false;
    try {
      const answer = await fetch(action, { method: "POST", body: fields, credentials: "same-origin" });
      arrived = arrive(answer.url, answer.ok, await answer.text());
    } catch { /* it did not */ }
    clearInterval(looking);
    looking = 0;
    if (!arrived) {
      shown.end(block.dataset.failed);
      again(form);
    }
  });
}

// A form with a part shows what it would come to there, as it is filled in.
// Until the part is about what the form says now, nothing in it can be sent.
function partial(form) {
  const part = () => document.getElementById(form.dataset.part);
  let turn = 0;
  const refresh = async () => {
    const mine = ++turn;
    const query = new URLSearchParams(new FormData(form));
    const shown = new URLSearchParams(query);
    shown.delete("check");
    history.replaceState(null, "", form.getAttribute("action") + "?" + shown);
    busy(true);
    try {
      const answer = await fetch(form.getAttribute("action") + "?" + query, { credentials: "same-origin" });
      if (answer.redirected) {
        location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(form.dataset.part);
      if (mine !== turn) return;
      part().replaceChildren(...fresh.childNodes);
      once(part());
      busy(false);
    } catch {
      if (mine === turn) setTimeout(refresh, 3000);
    }
  };
  const busy = (is) => {
    part().setAttribute("aria-busy", String(is));
    for (const button of part().querySelectorAll("button")) button.disabled = is;
  };
  let soon;
  form.addEventListener("input", () => {
    busy(true);
    clearTimeout(soon);
    soon = setTimeout(refresh, 350);
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-reload]")) {
      clearTimeout(soon);
      turn++;
      const query = new URLSearchParams(new FormData(form));
      query.delete("check");
      query.delete("group_by");
      leaveFrom(event.target);
      location.assign(form.getAttribute("action") + "?" + query);
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });
  refresh();
}

// A field with a pick offers values that there are, by what was typed.
function picking(input) {
  const list = input.list;
  let asked, soon;
  const offer = async () => {
    const search = input.value;
    if (asked === search) return;
    asked = search;
    const found = await ask(search);
    if (asked !== search) return; // a later one has its turn
    if (found === undefined) {
      asked = undefined;
      if (document.activeElement === input) soon = setTimeout(offer, 1000);
      return;
    }
    const page = new DOMParser().parseFromString("<datalist>" + found + "</datalist>", "text/html");
    list.replaceChildren(...page.querySelector("datalist").childNodes);
  };
  // ask gives undefined where the server can't answer now.
  const ask = async (search) => {
    try {
      const answer = await fetch(input.dataset.pick + "?search=" + encodeURIComponent(search), { credentials: "same-origin" });
      if (answer.redirected) return ""; // signed out
      return answer.ok ? await answer.text() : undefined;
    } catch {
      return undefined;
    }
  };
  input.addEventListener("focus", offer);
  input.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(offer, 200);
  });
  if (document.activeElement === input) offer();
}

// Filters apply as they are chosen.
function applying(form) {
  form.addEventListener("change", (event) => {
    if (!event.target.matches("select")) return;
    leaveFrom(event.target);
    form.requestSubmit();
  });
}

// What was not chosen stays out of the URL.
function sparing(form) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const name of new Set(formData.keys())) {
      const values = formData.getAll(name).filter((value) => value !== "");
      formData.delete(name);
      for (const value of values) formData.append(name, value);
    }
  });
}

// leaveFrom remembers the field whose choice leads to another page by itself, and
// arriveAt goes back to it there: the keyboard chooses one value after the other.
function leaveFrom(field) {
  const place = { path: location.pathname, name: field.name, at: [...document.getElementsByName(field.name)].indexOf(field) };
  sessionStorage.setItem("place", JSON.stringify(place));
}

function arriveAt() {
  const place = JSON.parse(sessionStorage.getItem("place"));
  sessionStorage.removeItem("place");
  if (place?.path === location.pathname) document.getElementsByName(place.name)[place.at]?.focus();
}

// buttons are those of a form, which may stand elsewhere.
const buttons = (form) => [...form.elements].filter((element) => element.localName === "button");

// once keeps forms from being sent twice.
function once(root) {
  for (const form of root.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "yes";
      for (const button of buttons(form)) button.setAttribute("aria-disabled", "true");
    });
  }
}

// again lets a form be sent once more.
function again(form) {
  delete form.dataset.sent;
  for (const button of buttons(form)) button.removeAttribute("aria-disabled");
}
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) again(form);
  for (const block of document.querySelectorAll(".going")) block.hidden = true;
});

enhance(document);
for (const form of document.querySelectorAll("form[data-part]")) partial(form);
for (const element of document.querySelectorAll("[data-live]")) live(element);
arriveAt();
