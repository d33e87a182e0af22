"use strict";
// The token of this page, from behind the # of its address, which no browser sends. The address that `fer annotate`
// gives to the browser holds a word that opens the page once, and is exchanged for the token here.
window.ferEnter = async () => {
  const [key, ...rest] = location.hash.slice(1).split("/");
  if (!key.startsWith("once-")) return key;
  const body = JSON.stringify({ word: key.slice("once-".length) });
  const answer = await fetch("/api/enter", { method: "POST", body, cache: "no-store" }).catch(() => null);
  if (!answer || !answer.ok) throw new Error("This address opens the page only once. Open the link that fer annotate printed.");
  const { token } = await answer.json();
  history.replaceState(null, "", `#${[token, ...rest].join("/")}`);
  return token;
};
