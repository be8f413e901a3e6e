// Tells whoever has the inbox open that something new is in it; nothing on the page moves by itself.
"use strict";
const news = document.getElementById("news");
const stream = new EventSource("/notices/news");
stream.onmessage = (event) => {
  if (event.data !== news.dataset.mark) news.hidden = false;
};
