// Keeps what is typed: saved on the server while it is typed, nowhere in this browser; sent when it can arrive.
"use strict";
const form = document.getElementById("referral");
const say = form.dataset;
const state = document.getElementById("save-state");
const banner = document.getElementById("connection");
const bannerText = document.getElementById("connection-text");
const bannerLink = document.getElementById("connection-link");
const sendButton = document.getElementById("send");
const SAVE_AFTER_MS = 700;
const RETRY_MS = 2000;
const ASK_MS = 6000;
let dirty = false, saving = null, timer = 0, retry = 0, isSending = false, wasAway = false;

const fields = () => new URLSearchParams(new FormData(form));
const ask = (url, options) => fetch(url, { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(ASK_MS), ...options });

function show(text, withLink) {
  if (banner.hidden || bannerText.textContent !== text) bannerText.textContent = text;
  bannerLink.hidden = !withLink;
  banner.hidden = false;
  wasAway = true;
}

function calm() {
  banner.hidden = true;
  const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: say.zone });
  state.textContent = wasAway ? say.back : say.saved + " " + at;
  wasAway = false;
}

// "kept", "away" (no connection), "ended" (nobody is signed in) or "other" (somebody else is).
async function keep() {
  let answer;
  try {
    answer = await ask("/desk/drafts", { method: "POST", body: fields() });
    if (answer.type === "opaqueredirect" || answer.status === 403) return await freshToken();
  } catch { return "away"; }
  return answer.ok ? "kept" : "away";
}

// The page may have outlived its session: with a new one of the same person it goes on.
async function freshToken() {
  const answer = await ask("/desk/session");
  if (!answer.ok) return "ended";
  const told = await answer.json();
  if (told.actor !== say.actor) return "other";
  if (told.csrf === form.elements.csrf.value) return "away";
  for (const token of document.querySelectorAll("input[name=csrf]")) token.value = told.csrf;
  return (await ask("/desk/drafts", { method: "POST", body: fields() })).ok ? "kept" : "away";
}

async function save() {
  clearTimeout(timer);
  if (saving) await saving;
  dirty = false;
  saving = keep().catch(() => "away");
  const outcome = await saving;
  saving = null;
  clearTimeout(retry);
  if (outcome === "kept") {
    calm();
    if (!location.pathname.includes("/drafts/")) history.replaceState(null, "", "/desk/drafts/" + form.elements.key.value);
  } else {
    dirty = true;
    show({ away: say.offline, ended: say.ended, other: say.other }[outcome], outcome !== "away");
    retry = setTimeout(isSending ? send : save, RETRY_MS);
  }
  return outcome;
}

async function send() {
  isSending = true;
  sendButton.setAttribute("aria-disabled", "true");
  state.textContent = say.sending;
  if (await save() !== "kept") return;
  dirty = false;
  form.submit();
}

form.addEventListener("submit", (event) => {
  if (event.submitter && event.submitter.hasAttribute("formaction")) { dirty = false; return; }
  event.preventDefault();
  if (!isSending) send();
});
form.addEventListener("input", () => {
  dirty = true;
  clearTimeout(timer);
  timer = setTimeout(save, SAVE_AFTER_MS);
});
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
addEventListener("pageshow", () => { isSending = false; sendButton.removeAttribute("aria-disabled"); });

// What belongs to a "yes" is shown with it; without this script all of it is there.
const details = document.getElementById("consent-details");
const chosen = (name) => form.querySelector(`input[name=${name}]:checked`)?.value;
const part = (name) => document.getElementById(name).closest(".field");
function follow() {
  details.hidden = chosen("consent") !== "yes";
  part("consent_kept_at").hidden = chosen("consent_signature") !== "paper";
  part("consent_by_name").hidden = chosen("consent_by") !== "representative";
  part("consent_until_date").hidden = chosen("consent_until") !== "date";
}
form.addEventListener("change", follow);
follow();

const rows = [...form.querySelectorAll(".wish")];
const more = document.getElementById("more-wishes");
function wishes(extra) {
  const used = rows.filter((row) => row.querySelector("select").value).length;
  const shown = Math.max(2, used + 1, extra);
  rows.forEach((row, place) => { row.hidden = place >= shown; });
  more.hidden = shown >= rows.length;
  return shown;
}
more.addEventListener("click", () => {
  const shown = wishes(rows.filter((row) => !row.hidden).length + 1);
  rows[shown - 1].querySelector("select").focus();
});
wishes(2);

const faults = document.getElementById("faults");
if (faults) faults.focus();
for (const link of document.querySelectorAll("#faults a")) {
  link.addEventListener("click", (event) => {
    const field = document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    field.closest("details")?.setAttribute("open", "");
    field.focus();
    field.scrollIntoView({ block: "center" });
  });
}
