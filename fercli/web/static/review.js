"use strict";
// The owner's page: where annotators disagree, how the model errs, and which labels are in doubt, each a click away
// from the faces, their votes and their frames.
(() => {
  const wanted = location.hash.slice(1).split("/").slice(1).join("/");
  let token = "";
  const $ = (id) => document.getElementById(id);
  let faces = [], place = 0;

  async function ask(path, body) {
    const options = { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" };
    if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    const answer = await fetch(path, options).catch(() => {
      throw new Error("The server does not answer. Start fer annotate --review again.");
    });
    if (answer.ok) return answer;
    const found = await answer.json().catch(() => ({}));
    throw new Error(answer.status === 401 ? "This link is no longer valid. Open the one that the command printed."
      : [found.error || `error ${answer.status}`, found.hint].filter(Boolean).join(". "));
  }
  const json = async (...asked) => (await ask(...asked)).json();
  const picture = async (path) => URL.createObjectURL(await (await ask(path)).blob());
  const inPath = (face) => face.split("/").map(encodeURIComponent).join("/");
  const number = (value) => value.toLocaleString("en-GB");
  const faceCount = (value) => `${number(value)} ${value === 1 ? "face" : "faces"}`;

  function tell(error) {
    $("notice").hidden = false;
    $("notice").textContent = error.message;
  }

  function make(kind, text = "", more = {}) {
    const made = document.createElement(kind);
    made.textContent = text;
    return Object.assign(made, more);
  }

  function button(words, title, asked) {
    const made = make("button", words, { type: "button" });
    made.addEventListener("click", () => open(title, asked).catch(tell));
    return made;
  }

  function fill(found) {
    document.title = `${found.project}: review labels`;
    $("project").textContent = found.project;
    $("summary").textContent = `${number(found.num_votes)} votes`
      + (found.num_waiting ? `; ${number(found.num_waiting)} more are saved and not imported yet` : "");
    const todo = [
      [found.num_open, "without a majority", { kind: "open" }, "Faces without a majority"],
      [found.num_suspicious, "suspicious labels", { kind: "suspicious" }, "Labels that the model doubts, the clearest first"],
      [found.num_comments, "with comments", { kind: "comments" }, "Faces with comments"],
    ];
    for (const [count, words, asked, title] of todo) {
      const made = button("", title, asked);
      made.append(make("strong", number(count)), ` ${words}`);
      made.disabled = !count;
      $("todo").append(made);
    }
    fillPairs(found.pairs);
    fillMatrix("people", found.words, found.people, "voted");
    const hasModel = Boolean(found.model_source);
    $("model-source").textContent = hasModel ? `By ${found.model_source}.` : "No run was evaluated yet: fer train, then fer eval.";
    if (hasModel) fillMatrix("model", found.words, found.model, "predicted");
    $("board").hidden = false;
  }

  function fillPairs(pairs) {
    if (!pairs.length) { $("pairs").insertRow().insertCell().textContent = "No two annotators judged the same face yet."; return; }
    const head = $("pairs").createTHead().insertRow();
    for (const title of ["pair", "in common", "apart", "faces"]) head.append(make("th", title, { scope: "col" }));
    const body = $("pairs").createTBody();
    for (const pair of pairs) {
      const row = body.insertRow();
      row.append(make("th", `${pair.first} and ${pair.second}`, { scope: "row" }));
      row.insertCell().textContent = number(pair.num_common);
      row.insertCell().textContent = `${number(pair.num_apart)} (${(100 * pair.num_apart / pair.num_common).toFixed(0)}%)`;
      const title = `${pair.first} and ${pair.second} disagree`;
      const shown = button("Show", title, { kind: "pair", first: pair.first, second: pair.second });
      shown.setAttribute("aria-label", `Show where ${title}`);
      shown.disabled = !pair.num_apart;
      row.insertCell().append(shown);
    }
  }

  function fillMatrix(kind, words, counts, verb) {
    const head = $(kind).createTHead().insertRow();
    head.append(make("th", "label", { scope: "col" }));
    for (const word of words) head.append(make("th", word, { scope: "col" }));
    const body = $(kind).createTBody();
    words.forEach((row, number_) => {
      const total = counts[number_].reduce((sum, one) => sum + one, 0);
      if (!total) return;
      const line = body.insertRow();
      line.append(make("th", row, { scope: "row" }));
      words.forEach((column, other) => {
        const count = counts[number_][other];
        const cell = button(count ? number(count) : "·", `Labelled ${row}, ${verb} ${column}`, { kind, row, column });
        cell.style.setProperty("--share", `${Math.round(55 * count / total)}%`);
        cell.setAttribute("aria-label", `labelled ${row}, ${verb} ${column}: ${count}`);
        cell.disabled = !count;
        if (row === column) cell.classList.add("right");
        line.insertCell().append(cell);
      });
    });
  }

  async function open(title, asked) {
    const found = await json("/api/review/cases", asked);
    faces = found.faces;
    const more = found.total > faces.length ? `, the first ${number(faces.length)} are shown` : "";
    $("cases-title").textContent = `${title}: ${faceCount(found.total)}${more}`;
    $("cases").hidden = false;
    $("grid").replaceChildren(...faces.map(tile));
    $("cases-title").focus();
    $("cases").scrollIntoView({ block: "start" });
  }

  // Crops are fetched when they come near the screen.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      watcher.unobserve(entry.target);
      picture(`/api/review/crop/${inPath(entry.target.dataset.face)}`)
        .then((url) => {
          entry.target.addEventListener("load", () => URL.revokeObjectURL(url));
          entry.target.src = url;
        }).catch((error) => { entry.target.alt = error.message; });
    }
  }, { rootMargin: "400px" });

  function tile(face, at) {
    const made = make("button", "", { type: "button" });
    const image = make("img", "", { alt: "" });
    image.dataset.face = face.face;
    watcher.observe(image);
    const votes = Object.entries(face.votes).map(([who, label]) => `${who} ${label}`).join(", ");
    made.append(image, make("strong", face.label || "no label"), make("span", votes));
    if (face.predicted) made.append(make("span", `model: ${face.predicted} ${(100 * face.probability).toFixed(0)}%`, { className: "faint" }));
    made.addEventListener("click", () => show(at).catch(tell));
    return made;
  }

  async function show(at) {
    place = at;
    await detail(faces[at].face);
  }

  async function detail(id) {
    const face = await json(`/api/review/face/${inPath(id)}`);
    $("detail-title").textContent = face.face;
    $("before").disabled = place <= 0;
    $("after").disabled = place >= faces.length - 1;
    const facts = document.createElement("table");
    const line = (name, value) => {
      const row = facts.insertRow();
      row.append(make("th", name, { scope: "row" }));
      row.insertCell().textContent = value;
    };
    line("label", `${face.label || "none"} (${face.status.replace("_", " ")})`);
    for (const [who, label] of Object.entries(face.votes)) line(who, label);
    for (const one of face.comments) line(`${one.annotator} wrote`, one.text);
    if (face.subject) line("subject", face.subject);
    if (face.video) line("video", face.time_s === null ? face.video : `${face.video}, at ${face.time_s.toFixed(1)} s`);
    const model = document.createElement("table");
    for (const [name, share] of Object.entries(face.probabilities).sort(([, a], [, b]) => b - a)) {
      const row = model.insertRow();
      row.append(make("th", name, { scope: "row" }));
      row.insertCell().append(make("meter", "", { min: 0, max: 1, value: share, ariaLabel: `model: ${name}` }));
      row.insertCell().textContent = `${(100 * share).toFixed(0)}%`;
    }
    $("detail-facts").replaceChildren(facts, model);
    $("detail-scene").replaceChildren();
    $("detail-crop").replaceChildren();
    if (!$("detail").open) $("detail").showModal();
    const crop = make("img", "", { alt: "The face" });
    crop.src = await picture(`/api/review/crop/${inPath(id)}`);
    $("detail-crop").replaceChildren(crop);
    if (face.has_scene) await scene(id, face.box);
  }

  async function scene(id, box) {
    const image = new Image();
    image.src = await picture(`/api/review/scene/${inPath(id)}`);
    await image.decode();
    image.alt = "The frame, with a box around the face";
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
    drawing.setAttribute("aria-hidden", "true");
    for (const name of box ? ["edge", "box"] : []) {
      const drawn = document.createElementNS(space, "rect");
      drawn.setAttribute("class", name);
      ["x", "y", "width", "height"].forEach((side, number_) => drawn.setAttribute(side, box[number_]));
      drawing.append(drawn);
    }
    $("detail-scene").replaceChildren(image, drawing);
  }

  $("theme").addEventListener("click", window.ferTheme);
  $("before").addEventListener("click", () => show(place - 1).catch(tell));
  $("after").addEventListener("click", () => show(place + 1).catch(tell));
  $("detail").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && faces[place + step]) { event.preventDefault(); show(place + step).catch(tell); }
  });
  (async () => {
    token = await ferEnter();
    if (!token) throw new Error("This address lacks its key. Open the whole link that fer annotate printed.");
    fill(await json("/api/review"));
    if (wanted) await detail(wanted);
  })().catch(tell);
})();
