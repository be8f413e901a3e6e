// Keeps an open page true, and counts down to a deadline; the page says the same without it, once.
"use strict";
const live = document.getElementById("live");
const standing = document.getElementById("live-state");
const waiting = document.getElementById("news");
let stream = null;
let pending = null;

function open() {
  stream = new EventSource(`/matching/live?mark=${encodeURIComponent(live.dataset.mark)}&site=${encodeURIComponent(live.dataset.site ?? "")}&area=${encodeURIComponent(live.dataset.area ?? "")}`);
  stream.addEventListener("open", () => { standing.textContent = standing.dataset.live; });
  stream.addEventListener("shown", (event) => { take(JSON.parse(event.data)); });
  stream.addEventListener("ended", () => { stream.close(); location.replace("/matching/sign-in?next=" + encodeURIComponent(location.pathname)); });
  stream.addEventListener("error", () => {
    standing.textContent = standing.dataset.away;
    stream.close();  // asked again with what the page shows by now
    setTimeout(open, 3000);
  });
}

// Whoever fills something in is not interrupted: the news wait behind a button.
const isBusy = () => live.querySelector("details[open], form:focus-within, :user-invalid") !== null;

function take(told) {
  live.dataset.mark = told.mark;
  pending = told.html;
  if (!isBusy()) { show(); return; }
  waiting.hidden = false;
}

function show() {
  const focused = document.activeElement?.closest?.("#live")?.querySelector(":focus")?.getAttribute("href");
  // Our own server's page, with everything in it escaped there; the policy lets no script in it run.
  live.innerHTML = pending;
  pending = null;
  waiting.hidden = true;
  if (focused) [...live.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
  count();
}

function count() {
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = Math.max(Math.floor((Date.parse(time.dateTime) - Date.now()) / 1000), 0);
    const shown = time.parentElement.querySelector(".left");
    if (!shown || left > 5999) continue;
    shown.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    shown.classList.toggle("short", left < 60);
  }
}

if (live) {
  waiting.querySelector("button").addEventListener("click", show);
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
}
count();
setInterval(count, 1000);
