// Single keys. An element names the key that presses it: data-key="o", or data-key="g i" for two in turn.
// In a list j and k move the focus and o opens. Those who speak to their computer can turn the keys off.
(() => {
  const dialog = document.getElementById("keys");
  const enabled = document.getElementById("keys-on");

  const walk = (step) => {
    const rows = [...document.querySelectorAll(".row")];
    const current = rows.indexOf(selected());
    const next = current < 0 ? rows[0] : rows[current + step];
    next?.querySelector("a").focus();
    return rows.length > 0;
  };

  // The row that has the focus, or the one that the reader has just come back from.
  const selected = () => document.activeElement.closest(".row") ?? document.querySelector(".row:target");

  const open = () => {
    const link = selected()?.querySelector("a");
    link?.click();
    return Boolean(link);
  };

  const inList = { j: () => walk(1), k: () => walk(-1), o: open };

  const press = (keys) => {
    if (inList[keys]?.()) return true;
    const element = document.querySelector(`[data-key="${CSS.escape(keys)}"]`);
    element?.click();
    return Boolean(element);
  };

  let first = "";
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, select, textarea, dialog, [contenteditable]");
    if (!enabled.checked || busy || event.ctrlKey || event.metaKey || event.altKey) return;
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
