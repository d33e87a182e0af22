"use strict";
// The page itself: shows one face after the other and takes votes by key, click or touch. Where faces come from and
// votes go is a backend's business: server.js (`fer annotate`) or file.js (`fer labels export --to html`).
//
//   backend.start() -> session        backend.next(held, again) -> {items, total, done, skipped}
//   backend.crop(code) -> URL         backend.save(operation) -> {total, done, skipped, suggestion?}
//   backend.context(code), backend.scene(code), backend.near(code, place), backend.example(label, place)
window.fer = (() => {
  const AHEAD = 20;          // faces that are loaded and decoded before they are needed
  const MOST_UNSAVED = 3;    // then the page waits for the disk
  const PAUSE_MS = 60000;    // a longer look at a face is a pause, and does not count for the pace
  const LETTERS = "qwertyiopadhjklxvbm";
  const NAMES = { unknown: "Cannot tell", nf: "Not a face" };
  const $ = (id) => document.getElementById(id);
  const fer = { timings: [] };

  let backend, session, labels = [];
  let queue = [];            // faces to come: {code, suggestion?, counts?}
  let current = null, shownAt = 0;
  let past = [];             // what was done in this window: {item, id, at}
  let unsaved = [];          // operations that are not on disk yet, oldest first
  let counts = { total: 0, done: 0, skipped: 0 };
  let isFetching = false, isOver = false, isSending = false, asksAgain = null;
  let paces = [];
  const pictures = new Map();  // code -> {image, url, ready, failed}

  fer.id = () => {
    // crypto.randomUUID is for secure contexts only; a link in a laboratory's network is none.
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  fer.begin = async (given) => {
    backend = given;
    bind();
    try {
      session = await backend.start();
    } catch (error) {
      return tell(error.message);
    }
    counts = session;
    document.title = `${session.project}: label faces`;
    $("project").textContent = session.project;
    $("who").textContent = session.adjudicates ? "resolve ties" : session.annotator;
    labels = [...session.classes.map((label, place) => ({ label, key: keyOf(place) })),
      ...session.others.map((label, place) => ({ label, key: place ? "-" : "0" }))];
    makeButtons();
    makeGuide();
    makeKeys();
    $("show-scene").hidden = $("show-near").hidden = !session.has_scenes;
    for (const id of ["download", "end-download"]) $(id).hidden = !backend.download;
    unsaved = backend.restore ? backend.restore() : [];
    if (unsaved.length) send();
    await fetchMore();
    advance();
  };

  const keyOf = (place) => (place < 9 ? String(place + 1) : LETTERS[place - 9] || "");
  const nameOf = (label) => NAMES[label] && session.others.includes(label) ? NAMES[label] : label;

  // --- faces to come -------------------------------------------------------------------------------------------

  async function fetchMore(again = false) {
    if (isFetching) return;
    isFetching = true;
    try {
      const held = [current, ...queue].filter(Boolean).map((item) => item.code);
      const waiting = new Set([...held, ...unsaved.map((one) => one.code)]);
      const found = await backend.next([...waiting], again);
      take(found);
      queue.push(...found.items.filter((item) => !waiting.has(item.code)));
      isOver = found.items.length === 0;
      tell("");
    } catch (error) {
      tell(error.message);
    }
    isFetching = false;
    preload();
    progress();
  }

  function preload() {
    const wanted = new Set([current, ...queue.slice(0, AHEAD)].filter(Boolean).map((item) => item.code));
    for (const one of past.slice(-5)) wanted.add(one.item.code);
    for (const [code, picture] of pictures) {
      if (wanted.has(code)) continue;
      if (picture.url && picture.url.startsWith("blob:")) URL.revokeObjectURL(picture.url);
      pictures.delete(code);
    }
    const loading = [...pictures.values()].filter((picture) => !picture.ready && !picture.failed).length;
    [...wanted].filter((code) => !pictures.has(code)).slice(0, Math.max(0, 6 - loading)).forEach(load);
  }

  async function load(code) {
    const picture = { image: new Image(), url: "", ready: false, failed: "" };
    pictures.set(code, picture);
    try {
      picture.url = await backend.crop(code);
      picture.image.src = picture.url;
      await picture.image.decode();
      picture.ready = true;
    } catch (error) {
      picture.failed = error.message || "the crop cannot be read";
      // What could not be fetched is tried again once it is on the screen's edge; what cannot be decoded is not.
      if (error.retry) setTimeout(() => { pictures.delete(code); preload(); }, 1000);
    }
    if (current && current.code === code) showPicture();
    preload();
  }

  // --- one face ------------------------------------------------------------------------------------------------

  function advance() {
    current = queue.shift() || null;
    show();
    if (queue.length < AHEAD && !isOver) {
      fetchMore().then(() => { if (!current && queue.length) advance(); else if (!current) show(); });
    }
    preload();
  }

  function show() {
    $("work").hidden = !current;
    $("end").hidden = Boolean(current) || isFetching || !isOver;
    if (!$("end").hidden) showEnd();
    if (!current) return progress();
    shownAt = performance.now();
    asksAgain = null;
    $("unsure").setAttribute("aria-pressed", "false");
    toggleScene(false);
    showPicture();
    showSuggestion(current.suggestion, session.suggests === "before");
    showCounts();
    if (isPressed("show-near")) fillNear(); else $("near").replaceChildren();
    about();
    progress();
  }

  function showPicture() {
    const picture = pictures.get(current.code);
    const place = $("picture");
    const title = `Face ${(counts.done + unsavedVotes() + 1).toLocaleString("en-GB")}`;
    if (picture && picture.ready) {
      picture.image.alt = title;
      place.replaceChildren(picture.image);
    } else {
      const words = document.createElement("p");
      words.textContent = picture && picture.failed ? `${picture.failed}. Skip it with S.` : "Loading…";
      place.replaceChildren(words);
    }
  }

  function showSuggestion(found, isShown) {
    const place = $("suggestion");
    place.hidden = !isShown || !found;
    if (!place.hidden) place.textContent = `The model suggests: ${nameOf(found.label)} (${percent(found.probability)})`;
  }

  function showCounts() {
    for (const button of document.querySelectorAll(".classes button")) {
      const number = current.counts ? current.counts[button.dataset.label] || 0 : 0;
      button.querySelector(".note").textContent = number ? `${number} ${number === 1 ? "vote" : "votes"}` : "";
    }
  }

  function showEnd() {
    const rest = counts.skipped;
    $("end-title").textContent = counts.total === 0 ? "Nothing to label" : rest ? "Only skipped faces are left" : "All done";
    const faces = `${counts.done.toLocaleString("en-GB")} of ${counts.total.toLocaleString("en-GB")} faces labelled`;
    const next = backend.download ? "Save your votes and send the file back." : "You can close this page; the votes are saved.";
    $("end-text").textContent = counts.total === 0
      ? "There is no face that waits for your vote."
      : `${faces}${rest ? `, ${rest.toLocaleString("en-GB")} skipped` : ""}. ${next}`;
    $("again").hidden = !rest;
  }

  async function about() {
    const place = $("about");
    place.textContent = "";
    if (!session.has_scenes) return;
    const item = current;
    if (!item.context) {
      try { item.context = await backend.context(item.code); } catch { return; }
    }
    if (item !== current) return;
    place.textContent = item.context.time_s === null ? "" : `at ${clock(item.context.time_s)}`;
    $("show-scene").disabled = !item.context.has_scene;
    $("show-near").disabled = !item.context.near.length;
  }

  // --- votes ---------------------------------------------------------------------------------------------------

  function choose(label, event) {
    if (!current || isBlocked()) return;
    const now = performance.now();
    if (label && now - shownAt < PAUSE_MS) paces = [...paces.slice(-19), now - shownAt];
    const operation = {
      id: fer.id(), code: current.code, label, at: new Date().toISOString(), seconds: (now - shownAt) / 1000,
      unsure: isPressed("unsure"), comment: $("comment").value,
    };
    if (asksAgain) past.pop();
    past.push({ item: current, id: operation.id, at: operation.at });
    past = past.slice(-100);
    $("comment").value = "";
    flash(label);
    say(label ? `${nameOf(label)}${operation.unsure ? ", unsure" : ""}` : "skipped");
    if (session.suggests === "after" && label && !asksAgain) return ask(operation);
    push(operation);
    advance();
    if (event) measure(event);
  }

  // The annotator's own vote is on disk before the suggestion is shown; Enter keeps it, a class changes it.
  async function ask(operation) {
    const item = current;
    asksAgain = { operation };
    push(operation);
    const answer = await operation.saved;
    if (current !== item) return;
    if (!answer || !answer.suggestion || answer.suggestion.label === operation.label) return advance();
    showSuggestion(answer.suggestion, true);
    $("suggestion").append(`. You chose ${nameOf(operation.label)}: Enter keeps it, a class changes it.`);
    asksAgain.isShown = true;
  }

  function undo() {
    if (asksAgain && !asksAgain.isShown) return;
    if (!past.length) return say("Nothing to undo in this window");
    if (isBlocked()) return;
    const last = past.pop();
    if (current && current !== last.item) queue.unshift(current);
    current = last.item;
    asksAgain = null;
    push({ id: fer.id(), code: last.item.code, undo: last.id, undo_at: last.at, at: new Date().toISOString() });
    show();
    preload();
    say("Undone: choose again");
  }

  function push(operation) {
    operation.saved = new Promise((resolve) => { operation.resolve = resolve; });
    unsaved.push(operation);
    keep();
    send();
  }

  // Kept where a killed browser finds it again; the server knows each operation by its id.
  function keep() {
    if (backend.keep) backend.keep(unsaved.map(({ saved, resolve, ...operation }) => operation));
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    let pause = 250;
    while (unsaved.length) {
      try {
        const answer = await backend.save(unsaved[0]);
        const done = unsaved.shift();
        keep();
        take(answer);
        if (done.resolve) done.resolve(answer);
        tell("");
        pause = 250;
      } catch (error) {
        if (error.refused) {
          // It can never be saved: said, and not tried for ever.
          const lost = unsaved.shift();
          keep();
          if (lost.resolve) lost.resolve(null);
          tell(`One vote was not accepted: ${error.message}`);
          continue;
        }
        tell(error.message);
        progress();
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(5000, pause * 2);
      }
      progress();
    }
    isSending = false;
    progress();
  }

  function isBlocked() {
    if (unsaved.length < MOST_UNSAVED) return false;
    say("Waiting until the last votes are saved…");
    return true;
  }

  const unsavedVotes = () => unsaved.filter((one) => one.label).length - unsaved.filter((one) => one.undo).length;
  const take = (found) => { counts = { total: found.total, done: found.done, skipped: found.skipped }; };

  // --- what is around a face ------------------------------------------------------------------------------------

  async function toggleScene(isShown) {
    const place = $("scene");
    press("show-scene", isShown);
    place.hidden = !isShown;
    $("picture").hidden = isShown;
    place.replaceChildren();
    if (!isShown) return;
    const item = current;
    try {
      if (!item.context) item.context = await backend.context(item.code);
      const image = new Image();
      image.src = await backend.scene(item.code);
      await image.decode();
      URL.revokeObjectURL(image.src);
      if (item !== current || place.hidden) return;
      image.alt = "The frame, with a box around the face";
      place.replaceChildren(image, boxOn(image, item.context.box));
    } catch (error) {
      const words = document.createElement("p");
      words.textContent = error.message || "the frame cannot be shown";
      place.replaceChildren(words);
    }
  }

  function boxOn(image, box) {
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
    drawing.setAttribute("aria-hidden", "true");
    for (const name of box ? ["edge", "box"] : []) {
      const drawn = document.createElementNS(space, "rect");
      drawn.setAttribute("class", name);
      ["x", "y", "width", "height"].forEach((side, place) => drawn.setAttribute(side, box[place]));
      drawing.append(drawn);
    }
    return drawing;
  }

  async function fillNear() {
    const item = current;
    const place = $("near");
    place.hidden = false;
    try {
      if (!item.context) item.context = await backend.context(item.code);
      const near = await Promise.all(item.context.near.map(async (later, number) => {
        return { later, url: await backend.near(item.code, number) };
      }));
      if (item !== current) return;
      const figures = near.map(({ later, url }) => {
        const made = figure(url, later === null ? "" : `${later > 0 ? "+" : ""}${later.toFixed(1)} s`);
        made.firstChild.addEventListener("load", () => URL.revokeObjectURL(url));
        return made;
      });
      const now = figure(pictures.get(item.code)?.url || "", "this face");
      now.className = "now";
      const before = near.filter(({ later }) => later !== null && later < 0).length;
      figures.splice(before, 0, now);
      place.replaceChildren(...figures);
    } catch { place.replaceChildren(); }
  }

  function figure(url, words) {
    const made = document.createElement("figure");
    const image = new Image();
    image.src = url;
    image.alt = "";
    const caption = document.createElement("figcaption");
    caption.textContent = words;
    made.append(image, caption);
    return made;
  }

  function toggleNear() {
    press("show-near", !isPressed("show-near"));
    if (isPressed("show-near")) fillNear(); else { $("near").hidden = true; $("near").replaceChildren(); }
  }

  // --- the parts of the page ------------------------------------------------------------------------------------

  function makeButtons() {
    for (const { label, key } of labels) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.label = label;
      if (key) button.setAttribute("aria-keyshortcuts", key);
      const hint = document.createElement("kbd");
      hint.textContent = key.toUpperCase();
      hint.hidden = !key;
      const name = document.createElement("span");
      name.textContent = nameOf(label);
      const note = document.createElement("span");
      note.className = "note";
      button.append(hint, name, note);
      button.addEventListener("click", (event) => choose(label, event));
      $(session.others.includes(label) ? "others" : "classes").append(button);
    }
  }

  function makeGuide() {
    $("open-guide").hidden = !session.guide.length;
    session.guide.forEach((entry, place) => {
      const term = document.createElement("dt");
      term.textContent = entry.label;
      const text = document.createElement("dd");
      text.textContent = entry.text;
      if (entry.num_examples) {
        const row = document.createElement("div");
        row.className = "examples";
        row.dataset.place = place;
        text.append(row);
      }
      $("definitions").append(term, text);
    });
  }

  async function openGuide() {
    if (!session.guide.length) return;
    $("guide").showModal();
    for (const row of document.querySelectorAll("#definitions .examples:empty")) {
      const entry = session.guide[row.dataset.place];
      for (let place = 0; place < entry.num_examples; place += 1) {
        const image = new Image();
        image.alt = `Example of ${entry.label}`;
        row.append(image);
        try { image.src = await backend.example(Number(row.dataset.place), place); } catch { image.remove(); }
      }
    }
  }

  function makeKeys() {
    const rows = [
      ...labels.filter(({ key }) => key).map(({ label, key }) => [key.toUpperCase(), nameOf(label)]),
      ["S", "Skip this face for now"], ["Z", "Undo, as often as you like (also Backspace)"],
      ["U", "Mark the next vote as unsure"], ["C", "Write a comment; Enter goes back to the face"],
      ...(session.has_scenes ? [["F", "Show the frame with a box"], ["N", "Show the same person just before and after"]] : []),
      ...(session.guide.length ? [["G", "Show what the classes mean"]] : []), ["?", "Show these keys"],
    ];
    for (const [key, words] of rows) {
      const row = $("key-list").insertRow();
      const hint = document.createElement("kbd");
      hint.textContent = key;
      row.insertCell().append(hint);
      row.insertCell().textContent = words;
    }
  }

  function bind() {
    document.addEventListener("keydown", onKey);
    $("skip").addEventListener("click", () => choose(""));
    $("undo").addEventListener("click", undo);
    $("unsure").addEventListener("click", () => press("unsure", !isPressed("unsure")));
    $("show-scene").addEventListener("click", () => toggleScene(!isPressed("show-scene")));
    $("show-near").addEventListener("click", toggleNear);
    $("open-guide").addEventListener("click", openGuide);
    $("open-keys").addEventListener("click", () => $("keys").showModal());
    $("theme").addEventListener("click", window.ferTheme);
    $("again").addEventListener("click", async () => { isOver = false; await fetchMore(true); advance(); });
    for (const id of ["download", "end-download"]) $(id).addEventListener("click", () => backend.download());
    addEventListener("beforeunload", (event) => { if (unsaved.length && !backend.keep) event.preventDefault(); });
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if ((event.ctrlKey || event.metaKey) && event.key === "z" && !isTyping(event)) { event.preventDefault(); undo(); }
      return;
    }
    if (!session || document.querySelector("dialog[open]")) return;
    if (isTyping(event)) {
      if (event.key === "Enter" || event.key === "Escape") { event.preventDefault(); event.target.blur(); }
      return;
    }
    if (event.repeat) return;  // a key that is held down is one vote
    // Digits by their place: on a French keyboard the unshifted 6 says "-".
    const digit = event.shiftKey ? null : /^(?:Digit|Numpad)(\d)$/.exec(event.code);
    const key = digit ? digit[1] : event.key.toLowerCase();
    const found = labels.find((one) => one.key === key);
    const actions = {
      s: () => choose(""), z: undo, backspace: undo, u: () => $("unsure").click(), c: () => $("comment").focus(),
      f: () => { if (session.has_scenes && current && !$("show-scene").disabled) $("show-scene").click(); },
      n: () => { if (session.has_scenes && current && !$("show-near").disabled) toggleNear(); },
      g: openGuide, "?": () => $("keys").showModal(),
    };
    if (asksAgain && asksAgain.isShown && key === "enter") { event.preventDefault(); return advance(); }
    if (asksAgain && !asksAgain.isShown) return event.preventDefault();  // the vote is on its way to the disk
    if (found) { event.preventDefault(); choose(found.label, event); }
    else if (actions[key]) { event.preventDefault(); actions[key](); }
  }

  const isTyping = (event) => event.target instanceof Element && event.target.matches("input, textarea");
  const isPressed = (id) => $(id).getAttribute("aria-pressed") === "true";
  const press = (id, isOn) => $(id).setAttribute("aria-pressed", String(isOn));

  function flash(label) {
    for (const button of document.querySelectorAll(".classes .flash")) button.classList.remove("flash");
    const button = [...document.querySelectorAll(".classes button")].find((one) => one.dataset.label === label);
    if (!button) return;
    button.classList.add("flash");
    setTimeout(() => button.classList.remove("flash"), 180);
  }

  function progress() {
    const done = Math.min(counts.total, Math.max(0, counts.done + (session ? unsavedVotes() : 0)));
    $("bar").max = Math.max(1, counts.total);
    $("bar").value = done;
    $("counts").textContent = `${done.toLocaleString("en-GB")} of ${counts.total.toLocaleString("en-GB")}`;
    $("undo").disabled = !past.length;
    if (!paces.length) { $("pace").textContent = ""; return; }
    const each = [...paces].sort((a, b) => a - b)[Math.floor(paces.length / 2)] / 1000;
    const rest = (counts.total - done) * each;
    $("pace").textContent = `${(60 / each).toFixed(0)} faces a minute, about ${length(rest)} left`;
  }

  function say(words) {
    $("status").textContent = words;
  }

  function tell(words) {
    $("notice").hidden = !words;
    $("notice").textContent = words;
  }
  fer.tell = tell;

  const percent = (share) => `${(100 * share).toFixed(0)}%`;
  const clock = (seconds) => {
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
    return parts.map((part) => String(part).padStart(2, "0")).join(":");
  };
  const length = (seconds) => seconds < 90 ? `${Math.ceil(seconds)} s`
    : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;

  // From the key to the frame on the screen, for who wants to know; see tests/web.
  function measure(event) {
    const began = event.timeStamp;
    requestAnimationFrame(() => setTimeout(() => {
      fer.timings.push(performance.now() - began);
      if (fer.timings.length > 1000) fer.timings.shift();
    }, 0));
  }

  fer.state = () => ({ code: current && current.code, unsaved: unsaved.length, counts, ready: pictures.size });
  return fer;
})();
