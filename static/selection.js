// A list of one's own mail: how much is selected, and what is done with it without leaving the page.
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

  let last = null;
  form.addEventListener("click", (event) => {
    const box = event.target;
    if (box.name !== "ids") return;
    const every = boxes();
    const [from, to] = [every.indexOf(last), every.indexOf(box)].sort((one, other) => one - other);
    if (event.shiftKey && from >= 0) for (const other of every.slice(from, to)) other.checked = box.checked;
    last = box;
  });
  form.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    count();
  });
  document.addEventListener("htmx:after:swap", count);
  count();

  document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
    const toast = ctx.quiet ? tasks.findIndex(({ target }) => target?.id === "toasts") : -1;
    if (toast >= 0) tasks.splice(toast, 1);
  });

  // The row that the keyboard goes on from, when the one it is on leaves the list.
  let next = null;
  const remember = () => {
    const row = current();
    next = row && { row, after: row.nextElementSibling?.matches(".row") ? row.nextElementSibling : row.previousElementSibling };
  };
  document.addEventListener("htmx:after:swap", () => {
    if (next && !next.row.isConnected && !document.getElementById(next.row.id)) next.after?.querySelector("a")?.focus();
    next = null;
  });

  // With nothing selected an action is for the row that has the focus; a star is for its own row.
  const values = (button) => {
    if (button.name !== "action") return { action: button.name, ids: button.value };
    const row = current();
    const selected = boxes().some((box) => box.checked);
    return !selected && row ? { action: button.value, ids: row.id.slice(2) } : { action: button.value };
  };

  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    const undo = event.target.matches(".toast form");
    if (!undo && (event.target !== form || button.hasAttribute("formaction"))) return;
    event.preventDefault();
    const to = { source: event.target, target: document.getElementById("rows"), swap: "afterbegin" };
    if (undo) return htmx.ajax("POST", event.target.action, to);
    remember();
    button.closest("details")?.removeAttribute("open");
    // A star shows by itself what it did.
    htmx.ajax("POST", form.getAttribute("action"), { ...to, values: values(button), quiet: button.name !== "action" });
    if (button.name === "action") for (const box of boxes()) box.checked = false;
  });
})();
