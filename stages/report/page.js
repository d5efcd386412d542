// Sorts a table by the column whose heading is clicked: numbers by value, words by letters; what is missing stays last.
document.querySelectorAll("table.sortable").forEach((table) => {
  const body = table.tBodies[0];
  table.querySelectorAll("th[data-column]").forEach((head) => {
    const handle = head.querySelector("span"); // not a button: browsers leave those out of headings repeated in print
    handle.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); handle.click(); }
    });
    handle.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const cell = (row) => row.cells[Number(head.dataset.column)];
      const absent = (row) => cell(row).hasAttribute("data-absent");
      const compare = (a, b) => {
        const one = cell(a).dataset.sort, other = cell(b).dataset.sort;
        const difference = Number(one) - Number(other);
        return Number.isNaN(difference) ? one.localeCompare(other) : difference;
      };
      const rows = Array.from(body.rows);
      rows.sort((a, b) => absent(a) - absent(b) || (up ? compare(a, b) : compare(b, a)));
      body.append(...rows);
    });
  });
});

// Gives each larger table a box: rows stay that hold every word typed there, in any of their cells. Print shows all.
const FEWEST_ROWS = 8;
document.querySelectorAll("table.sortable").forEach((table) => {
  const rows = Array.from(table.tBodies[0].rows, (row) => {
    return {row, text: Array.from(row.cells, (cell) => cell.textContent).join(" ").toLowerCase()};
  });
  if (rows.length < FEWEST_ROWS) return;
  const label = document.createElement("label"), box = document.createElement("input");
  const told = document.createElement("output");
  Object.assign(box, {type: "search", placeholder: "words, such as int8", spellcheck: false});
  const show = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach(({row, text}) => { row.hidden = !words.every((word) => text.includes(word)); });
    told.textContent = words.length ? `${rows.filter(({row}) => !row.hidden).length} of ${rows.length} rows` : "";
  };
  box.addEventListener("input", show);
  addEventListener("hashchange", () => { // a link may lead to a row that is filtered out
    const target = document.getElementById(location.hash.slice(1));
    if (target === null || !target.hidden || !table.contains(target)) return;
    box.value = "";
    show();
    target.scrollIntoView();
  });
  label.className = "filter";
  label.append("Show rows with ", box, " ", told);
  table.parentElement.before(label);
});
