# SPDX-License-Identifier: Apache-2.0
"""The style and the script of the page of ``glance-compat audit --format html``.

What must live here: what is the same in every page. What must not: anything from images. The
script only reads text that the page shows; it makes no HTML.
"""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --line: #8885; --bar: #3572b0; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; }
body { padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
td { vertical-align: top; overflow-wrap: anywhere; }
th { position: sticky; top: 0; background: Canvas; white-space: nowrap; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.number { text-align: right; }
.narrow { width: auto; }
.word { white-space: nowrap; }
.bar { width: 12rem; }
svg { display: block; width: 100%; height: 1rem; }
rect { fill: var(--bar); }
.loss rect { fill: #c0392b; }
.change rect { fill: #d68910; }
.unread rect { fill: #7f8c8d; }
input { font: inherit; padding: .3rem .5rem; width: min(30rem, 90%); }
"""

SCRIPT = """
"use strict";
const table = document.getElementById("findings");
const body = table.tBodies[0];
const rows = Array.from(body.rows);
const texts = rows.map((row) =>
  Array.from(row.cells, (cell) => cell.textContent).join(" ").toLowerCase());
const search = document.getElementById("search");
const shown = document.getElementById("shown");

function filter() {
  const words = search.value.toLowerCase().split(" ").filter((word) => word);
  let count = 0;
  rows.forEach((row, index) => {
    row.hidden = !words.every((word) => texts[index].includes(word));
    count += row.hidden ? 0 : 1;
  });
  shown.textContent = count + " of " + rows.length;
}

function sort(header) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const key = (row) => {
    const cell = row.cells[header.cellIndex];
    return cell.dataset.rank || cell.textContent;
  };
  const sorted = rows.map((row) => [key(row), row])
    .sort((one, other) => one[0].localeCompare(other[0], "en", { numeric: true }));
  if (!ascending) sorted.reverse();
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  body.append(...sorted.map((pair) => pair[1]));
}

for (const header of table.tHead.rows[0].cells) {
  header.querySelector("button").addEventListener("click", () => sort(header));
}
search.addEventListener("input", filter);
// A link may end in #words to search for.
try { search.value = decodeURIComponent(location.hash.slice(1)); } catch { search.value = ""; }
filter();
"""
