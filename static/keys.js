// Single keys. An element names the key that presses it: data-key="e", or data-key="g i" for two in turn.
// In a list j and k move the focus. Those who speak to their computer can turn the keys off.
(() => {
  const dialog = document.getElementById("keys");
  const enabled = document.getElementById("keys-on");
  const main = document.getElementById("main");

  const walk = (step) => {
    const rows = [...main.querySelectorAll(".row, .table tr:has(th a)")];
    const current = rows.indexOf(selected());
    const next = current < 0 ? rows[0] : rows[current + step];
    next?.querySelector("a").focus();
    return rows.length > 0;
  };

  // The row that has the focus, or the one that the reader has just come back from.
  const selected = () => document.activeElement.closest(".row, tr") ?? main.querySelector(".row:target");

  const click = (element) => {
    element?.click();
    return Boolean(element);
  };
  const open = () => click(selected()?.querySelector("a"));
  const select = () => click(selected()?.querySelector("[name=ids]"));
  const star = () => click(selected()?.querySelector(".star"));
  const toggle = () => {
    const row = selected();
    return Boolean(row) && click(main.querySelector(`button[value=${row.classList.contains("unread") ? "read" : "unread"}]`));
  };

  const clear = () => {
    const boxes = [...main.querySelectorAll("[name=ids]:checked")];
    for (const box of boxes) box.click();
    return boxes.length > 0;
  };
  const leave = () => clear() || click(main.querySelector(".steps [data-key=o]"));

  const inList = { j: () => walk(1), k: () => walk(-1), o: open, x: select, s: star, u: toggle, Escape: leave };

  const press = (keys) => {
    if (inList[keys]?.()) return true;
    const elements = [...document.querySelectorAll(`[data-key="${CSS.escape(keys)}"]`)].filter((element) => !element.closest("[hidden]"));
    const element = elements.find((other) => other.matches("input") && other.checkVisibility()) ?? elements.at(-1);
    if (element?.matches("input")) element.select();
    else if (element?.matches("form")) element.requestSubmit();
    else element?.click();
    return Boolean(element);
  };

  let first = "";
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input:not([type=checkbox]), select, textarea, dialog, [contenteditable]");
    if (field && event.key === "Escape" && !field.matches("dialog")) field.blur();
    if (!enabled.checked || field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.target.matches("[name=ids]") && open()) return event.preventDefault();
    if (event.key === "Escape" && document.querySelector(":popover-open")) return;
    const keys = first + event.key;
    first = keys === "g" ? "g " : "";
    if (press(keys)) event.preventDefault();
  });

  document.querySelector("[data-opens=keys]").addEventListener("click", () => dialog.showModal());
  try { enabled.checked = localStorage.getItem("keys") !== "off"; } catch { /* They stay on. */ }
  enabled.addEventListener("change", () => {
    try { localStorage.setItem("keys", enabled.checked ? "on" : "off"); } catch { /* It lasts for this page. */ }
  });
})();
