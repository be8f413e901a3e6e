// Keeps an open page true: the server says when something changed, and the page is told in words too.
"use strict";
const live = document.getElementById("live");
const news = document.getElementById("news");
const standing = document.getElementById("live-state");
let stream = null;

function open() {
  const query = live.dataset.query ? live.dataset.query + "&" : "";
  stream = new EventSource(`${live.dataset.url}?${query}mark=${encodeURIComponent(live.dataset.mark)}`);
  stream.addEventListener("open", () => { standing.textContent = standing.dataset.live; });
  stream.addEventListener("shown", (event) => { show(JSON.parse(event.data)); });
  stream.addEventListener("ended", () => { stream.close(); location.replace("/desk/sign-in?next=" + encodeURIComponent(location.pathname)); });
  stream.addEventListener("error", () => {
    standing.textContent = standing.dataset.away;
    stream.close();  // asked again with what the page shows by now
    setTimeout(open, 2000);
  });
}

const said = () => new Map([...live.querySelectorAll("[data-id]")].map((row) => [row.dataset.id, row.querySelector(".said")?.innerText]));

function show(told) {
  const before = said();
  const focused = document.activeElement?.closest?.("#live") ? document.activeElement : null;
  const at = focused && { href: focused.getAttribute("href"), id: focused.id };
  // Our own server's page, with everything in it escaped there; the policy lets no script in it run.
  live.innerHTML = told.html;
  live.dataset.mark = told.mark;
  if (at) [...live.querySelectorAll("a, button, input, select")].find((one) => (at.id && one.id === at.id) || (at.href && one.getAttribute("href") === at.href))?.focus();
  const changes = [];
  for (const [id, words] of said()) {
    if (before.get(id) === words) continue;
    const row = live.querySelector(`[data-id="${CSS.escape(id)}"]`);
    row.classList.add("changed");
    changes.push((row.querySelector("th")?.innerText ?? "") + ": " + words);
  }
  news.textContent = changes.join(". ").replace(/\s+/g, " ");
}

addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => { if (event.persisted) open(); });
open();
