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
// replaced by what they are there, until that is no longer live.
function live(element) {
  const wait = Number(element.dataset.live);
  if (!wait) return;
  let pause = wait;
  const again = async () => {
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
        const moved = fresh.dataset.say && fresh.dataset.say !== element.dataset.say;
        if (element.innerHTML !== fresh.innerHTML && !element.contains(document.activeElement)) {
          element.replaceChildren(...fresh.childNodes);
          enhance(element);
        }
        if (moved) say(fresh.dataset.say);
        element.dataset.say = fresh.dataset.say || "";
        if (!fresh.dataset.live) {
          delete element.dataset.live;
          if (fresh.dataset.reload) location.reload();
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
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      const label = button.querySelector("span");
      const before = label.textContent;
      label.textContent = button.dataset.done;
      say(button.dataset.done);
      setTimeout(() => { label.textContent = before; }, 1600);
    });
  }
}

function enhance(root) {
  local(root);
  copying(root);
}

// Filters apply as they are chosen; what was not chosen stays out of the URL.
for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
}
for (const form of document.querySelectorAll("form[method=get]")) {
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

// A form is sent once.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
}
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});

enhance(document);
for (const element of document.querySelectorAll("[data-live]")) live(element);
