// The button prints; without this script the browser's own command does.
"use strict";
const button = document.getElementById("print");
button.hidden = false;
button.addEventListener("click", () => print());
