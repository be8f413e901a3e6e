// What is read past the glass leaves the screen when the glass closes.
"use strict";
const glass = document.getElementById("glass");
const leave = () => { if (Date.now() >= Number(glass.dataset.until)) location.replace("/desk"); };
setInterval(leave, 1000);
addEventListener("pageshow", leave);
document.addEventListener("visibilitychange", leave);
