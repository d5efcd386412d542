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
