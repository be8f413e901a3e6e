// What was told past the glass leaves the screen when its time is over, or the page is come back to.
"use strict";
const glass = document.getElementById("glass");
const leave = () => { if (Date.now() >= Number(glass.dataset.until)) location.replace(glass.dataset.home); };
setInterval(leave, 1000);
addEventListener("pageshow", (event) => { if (event.persisted) location.replace(glass.dataset.home); leave(); });
document.addEventListener("visibilitychange", leave);
