// A sign-in link carries its token in the fragment, which no server and no log sees: it is posted, and taken away.
"use strict";
const signIn = () => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = given;
  document.getElementById("sign-in").submit();
};
addEventListener("hashchange", signIn);
signIn();
