"use strict";
// The backend of a page that is one file (`fer labels export --to html`): faces lie in the page, votes stay in this
// browser until they are saved as a CSV file, which `fer labels import` reads as it is.
(() => {
  const data = JSON.parse(document.getElementById("fer-data").textContent);
  const $ = (id) => document.getElementById(id);
  const prefix = `fer-file/${data.id}/`;
  const crops = new Map(data.items.map((item) => [item.code, item.crop]));
  const votes = new Map();   // code -> {label, unsure, comment, at, seconds}
  let lasts = true, isSaved = true, name = data.annotator;

  function load() {
    try {
      for (const key of Object.keys(localStorage).filter((one) => one.startsWith(prefix))) {
        const code = key.slice(prefix.length);
        if (crops.has(code)) votes.set(code, JSON.parse(localStorage.getItem(key)));
        else if (code === "name" && !name) name = localStorage.getItem(key);
      }
      localStorage.setItem(`${prefix}test`, "1");
      localStorage.removeItem(`${prefix}test`);
    } catch {
      lasts = false;
      fer.tell("This browser keeps nothing: save your votes as a file before you close the page.");
    }
  }

  function store(code, value) {
    if (!lasts) return;
    if (value === null) localStorage.removeItem(prefix + code);
    else localStorage.setItem(prefix + code, typeof value === "string" ? value : JSON.stringify(value));
  }

  const counts = () => {
    const given = [...votes.values()];
    return { total: data.items.length, done: given.filter((one) => one.label).length,
      skipped: given.filter((one) => !one.label).length };
  };

  function askName() {
    $("start").hidden = false;
    $("start-name").focus();
    return new Promise((resolve) => {
      $("start-form").addEventListener("submit", (event) => {
        event.preventDefault();
        name = $("start-name").value.trim();
        if (!name) return;
        store("name", name);
        $("start").hidden = true;
        resolve();
      });
    });
  }

  const cell = (value) => {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  function table() {
    const rows = [["item", "annotator", "label", "confidence", "created_at", "seconds", "comment"]];
    const given = [...votes].sort(([, a], [, b]) => (a.at < b.at ? -1 : 1));
    for (const [code, vote] of given) {
      // A spreadsheet would compute what begins like a formula.
      const comment = /^[=+\-@]/.test(vote.comment) ? `'${vote.comment}` : vote.comment;
      rows.push([code, name, vote.label, vote.unsure ? data.unsure : "", vote.at, vote.seconds.toFixed(3), comment]);
    }
    return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }

  fer.begin({
    start: async () => {
      load();
      if (!name) await askName();
      return { ...data.session, annotator: name, ...counts() };
    },
    next: async (held, again) => {
      if (again) {
        for (const [code, vote] of [...votes]) if (!vote.label) { votes.delete(code); store(code, null); }
      }
      const free = data.items.filter((item) => !votes.has(item.code) && !held.includes(item.code));
      return { items: free.slice(0, 50).map(({ code, counts: given }) => ({ code, counts: given })), ...counts() };
    },
    save: async (operation) => {
      const { code, label, unsure, comment, at, seconds } = operation;
      const value = operation.undo ? null : { label, unsure, comment, at, seconds };
      try {
        store(code, value);
      } catch {
        throw new Error("This browser has no room left: save your votes as a file, then free some.");
      }
      if (value) votes.set(code, value); else votes.delete(code);
      isSaved = false;
      return counts();
    },
    crop: async (code) => crops.get(code),
    example: async (label, place) => data.examples[label][place],
    download: () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
      link.download = `${data.file}-${name.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      isSaved = true;
    },
  });
  addEventListener("beforeunload", (event) => { if (!lasts && !isSaved) event.preventDefault(); });
})();
