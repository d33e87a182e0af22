"use strict";
// Sorts a table by a column: first from the smallest or the beginning of the alphabet, then the other way round.
for (const head of document.querySelectorAll("th[data-sorts]")) {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  button.title = "Sort by this column";
  head.append(button);
  button.addEventListener("click", () => sortBy(head));
}

function sortBy(head) {
  const isAscending = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
  const body = head.closest("table").tBodies[0];
  const rows = Array.from(body.rows, (row) => [valueOf(row.cells[head.cellIndex].textContent.trim()), row]);
  rows.sort(([one], [other]) => (isAscending ? compare(one, other) : compare(other, one)));
  // What has no value stays below, whichever way the others go.
  const isEmpty = ([value]) => value === "-" || value === "";
  body.append(...[...rows.filter((row) => !isEmpty(row)), ...rows.filter(isEmpty)].map(([, row]) => row));
}

function valueOf(text) {
  const number = /^[-+]?[\d,]*\.?\d+/.exec(text);
  return number && /^[-+\d.,%: to]+( ?[a-zA-Z]+)?$/.test(text) ? Number(number[0].replaceAll(",", "")) : text;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), undefined, { numeric: true });
}
