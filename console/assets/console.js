// What a script adds to pages that work without one: findings while somebody types, and the end of a log-in elsewhere.
"use strict";

const WAIT_MS = 250;

for (const form of document.querySelectorAll("form[data-check]")) {
  const place = document.getElementById(form.dataset.into);
  let timer = 0;
  let latest = 0;
  const check = async () => {
    const mine = ++latest;
    const response = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const text = response.ok ? await response.text() : "";
    // An answer that comes after a later question is about words that no longer stand there.
    if (mine === latest && text) place.innerHTML = text;
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, WAIT_MS);
  });
}

const redeem = document.getElementById("redeem");
const code = new URLSearchParams(location.hash.slice(1)).get("code");
if (redeem && code) {
  history.replaceState(null, "", location.pathname);
  redeem.elements.code.value = code;
  redeem.submit();
}
