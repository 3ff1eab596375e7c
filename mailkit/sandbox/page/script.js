// The page works without this: it refreshes what is shown, copies, and asks before a reset.
"use strict";

let refreshing = false;
let again = false;

function swap(region, fresh) {
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...region.querySelectorAll("details[open]")].map((one) => one.id);
  region.replaceChildren(...fresh.childNodes);
  for (const id of open) {
    document.getElementById(id)?.setAttribute("open", "");
  }
  prepare(region);
  if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    const response = await fetch(location.href);
    if (response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const region of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(region.id);
        if (fresh && shown.get(region) !== fresh.innerHTML) {
          shown.set(region, fresh.innerHTML);
          swap(region, fresh);
        }
      }
    }
  } catch {
    // The sandbox has stopped: the stream of events says so.
  } finally {
    refreshing = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    source.hidden = false;
    getSelection().selectAllChildren(source);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = before), 1500);
}

function prepare(root) {
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

const shown = new Map();
for (const region of document.querySelectorAll("[data-live]")) {
  shown.set(region, region.innerHTML);
}
prepare(document);

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) {
      event.preventDefault();
    }
  });
}

const light = document.querySelector("[data-link]");
const updates = new EventSource("/sandbox/page/updates");
let lost = false;

function say(word, title) {
  light.hidden = false;
  light.className = `link ${word}`;
  light.textContent = title;
}

updates.addEventListener("open", () => say("on", "live"));
updates.addEventListener("error", () => {
  lost = true;
  say("off", "not connected");
});
updates.addEventListener("message", (event) => {
  if (event.data === "look" || lost) {
    lost = false;
    refresh();
  }
});
