// A list of one's own mail: how much is selected, and which messages an action is for.
(() => {
  const form = document.getElementById("actions");
  if (!form) return;
  const all = document.getElementById("select-all");
  const said = document.getElementById("selected");
  const boxes = () => [...form.querySelectorAll("[name=ids]")];
  const current = () => document.activeElement.closest(".row");

  const count = () => {
    const every = boxes();
    const number = every.filter((box) => box.checked).length;
    said.value = number ? `${number} selected` : "";
    all.checked = number > 0 && number === every.length;
    all.indeterminate = number > 0 && number < every.length;
  };

  // With Shift everything between the last box and this one is selected too.
  let last = null;
  form.addEventListener("click", ({ target: box, shiftKey }) => {
    if (box.name !== "ids") return;
    const every = boxes();
    const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((one, other) => one - other);
    if (shiftKey && from >= 0) for (const other of every.slice(from, to)) other.checked = box.checked;
    last = box;
  });
  form.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    count();
  });
  document.addEventListener("htmx:after:swap", count);
  count();

  // The row that the keyboard goes on from, when the one it is on leaves the list.
  let next = null;
  const remember = () => {
    const row = current();
    next = row && { id: row.id, after: (row.nextElementSibling?.matches(".row") ? row.nextElementSibling : row.previousElementSibling)?.id };
  };
  document.addEventListener("htmx:after:swap", () => {
    // Other news may come first, and the row with it: wait until it is gone.
    if (!next || document.getElementById(next.id)) return;
    if (document.activeElement === document.body) document.getElementById(next.after)?.querySelector("a")?.focus();
    next = null;
  });

  // With nothing selected an action is for the row that has the focus; a star is for its own row.
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button.hasAttribute("formaction")) return;
    event.preventDefault();
    remember();
    const isStar = button.name !== "action";
    const selected = boxes().filter((box) => box.checked);
    const values = isStar ? { action: button.name, ids: button.value } : { action: button.value };
    if (!isStar && !selected.length && next) values.ids = next.id.slice(2);
    const sent = { values, quiet: isStar };
    document.dispatchEvent(new CustomEvent("act", { detail: { form, sent } }));
    button.closest("details")?.removeAttribute("open");
    if (!isStar) for (const box of selected) box.checked = false;
  });
})();
