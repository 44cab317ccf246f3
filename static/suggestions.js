// The search box completes what is typed: a combobox as the ARIA Authoring Practices describe it. What
// there is to choose from comes from the server; each choice knows the query that it stands for.
(() => {
  const field = document.querySelector(".search [role=combobox]");
  if (!field) return;
  const list = document.getElementById(field.getAttribute("aria-controls"));
  const options = () => [...list.children];
  const chosen = () => list.querySelector("[aria-selected=true]");

  const show = (visible) => {
    list.hidden = !visible;
    field.setAttribute("aria-expanded", visible);
    if (!visible) mark(null);
  };
  const mark = (option) => {
    chosen()?.setAttribute("aria-selected", false);
    option?.setAttribute("aria-selected", true);
    option?.scrollIntoView({ block: "nearest" });
    if (option) field.setAttribute("aria-activedescendant", option.id);
    else field.removeAttribute("aria-activedescendant");
  };
  const choose = (option) => {
    field.value = option.dataset.query;
    show(false);
    if (!("goesOn" in option.dataset)) return field.form.requestSubmit();
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const walk = (step) => {
    const all = options();
    const index = all.indexOf(chosen());
    mark(all[index < 0 ? (step > 0 ? 0 : all.length - 1) : index + step] ?? null);
  };

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.target === list) show(list.childElementCount > 0 && document.activeElement === field);
  });
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") walk(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" && chosen()) choose(chosen());
    else if (event.key === "Escape") show(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  field.addEventListener("blur", () => show(false));
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) choose(option);
  });
})();
