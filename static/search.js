// The search box as a combobox: arrows walk the suggestions, Enter takes one, Escape closes them.
(() => {
  const boxAt = (element) => element.closest?.("search")?.querySelector("[role=combobox]");
  const listOf = (box) => document.getElementById(box.getAttribute("aria-controls"));
  const isOpen = (box) => box.getAttribute("aria-expanded") === "true";

  const choose = (box, option) => {
    for (const other of listOf(box).children) other.setAttribute("aria-selected", other === option);
    if (option) box.setAttribute("aria-activedescendant", option.id);
    else box.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  };

  const show = (box, open) => {
    box.setAttribute("aria-expanded", open);
    listOf(box).hidden = !open;
    choose(box);
  };

  const take = (box, option) => {
    show(box, false);
    box.value = option.dataset.query;
    box.focus();
    if ("goesOn" in option.dataset) box.dispatchEvent(new Event("input", { bubbles: true }));
    else box.form.requestSubmit();
  };

  const walk = (box, step) => {
    const options = [...listOf(box).children];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const next = at < 0 && step < 0 ? options.length - 1 : at + step;
    choose(box, options[next]);
  };

  const press = (box, key) => {
    if (!listOf(box).children.length) return false;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (!isOpen(box)) show(box, true);
      walk(box, key === "ArrowDown" ? 1 : -1);
      return true;
    }
    if (!isOpen(box)) return false;
    const chosen = listOf(box).querySelector("[aria-selected=true]");
    if (key === "Enter" && chosen) take(box, chosen);
    else if (key === "Escape") show(box, false);
    else return false;
    return true;
  };

  // Before others hear of it: Escape closes the suggestions first, and only then leaves the box.
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.("search [role=combobox]") || event.isComposing) return;
    if (!press(event.target, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  document.addEventListener("mousedown", (event) => {
    if (event.target.closest(".suggestions")) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const option = event.target.closest(".suggestions [role=option]");
    if (option) take(boxAt(option), option);
  });
  document.addEventListener("focusout", (event) => {
    if (event.target.matches("search [role=combobox]")) show(event.target, false);
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    const box = document.activeElement;
    if (!box.matches("search [role=combobox]") || ctx.target !== listOf(box)) return;
    show(box, listOf(box).children.length > 0);
  });
})();
