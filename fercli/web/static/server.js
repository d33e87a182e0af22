"use strict";
// The backend of `fer annotate`: faces from the server of this page, votes to its disk. The token (see enter.js) goes
// along in a header.
(() => {
  let token = "";
  const window_ = fer.id();
  let stores = "";

  class Refusal extends Error {
    constructor(message, { refused = false, retry = false } = {}) {
      super(message);
      this.refused = refused;
      this.retry = retry;
    }
  }

  async function ask(path, body, more = {}) {
    const options = { headers: { Authorization: `Bearer ${token}` }, cache: "no-store", ...more };
    if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Refusal("The server does not answer. Your votes wait here; start fer annotate again.", { retry: true });
    }
    if (answer.ok) return answer;
    const found = await answer.json().catch(() => ({}));
    if (answer.status === 401) {
      throw new Refusal("This link is no longer valid. Open the new link that fer annotate printed; your votes come along.");
    }
    const words = [found.error || `error ${answer.status}`, found.hint].filter(Boolean).join(". ");
    throw new Refusal(words, { refused: answer.status === 400 || answer.status === 404, retry: answer.status >= 500 });
  }

  const json = async (...asked) => (await ask(...asked)).json();
  const url = async (path) => URL.createObjectURL(await (await ask(path)).blob());

  const backend = {
    start: async () => {
      token = await ferEnter();
      if (!token) throw new Refusal("This address lacks its key. Open the whole link that fer annotate printed.");
      const session = await json("/api/session");
      stores = `fer-unsaved/${session.place}/`;
      return session;
    },
    next: (held, again) => json("/api/next", { window: window_, held, again }),
    save: (operation) => json("/api/save", operation),
    crop: (code) => url(`/api/crop/${code}`),
    scene: (code) => url(`/api/scene/${code}`),
    context: (code) => json(`/api/context/${code}`),
    near: (code, place) => url(`/api/near/${code}/${place}`),
    example: (label, place) => url(`/api/example/${label}/${place}`),
    // What is not saved yet outlives the browser, and is sent when the page is opened again.
    keep: (operations) => {
      const store = stores + window_;
      try {
        if (operations.length) localStorage.setItem(store, JSON.stringify(operations));
        else localStorage.removeItem(store);
      } catch { /* it still is in this window */ }
    },
    restore: () => {
      const found = [];
      try {
        for (const name of Object.keys(localStorage).filter((one) => one.startsWith(stores))) {
          found.push(...JSON.parse(localStorage.getItem(name)));
          localStorage.removeItem(name);
        }
      } catch { /* nothing was kept */ }
      found.sort((a, b) => (a.at < b.at ? -1 : 1));
      backend.keep(found);
      return found;
    },
  };
  addEventListener("pagehide", () => {
    ask("/api/leave", { window: window_ }, { keepalive: true }).catch(() => {});
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  fer.begin(backend);
})();
