// The chosen theme, set before anything is painted. Without a choice the page follows the system.
(() => {
  const root = document.documentElement;
  const words = { system: "as the system", light: "light", dark: "dark" };
  const order = Object.keys(words);
  const read = () => {
    try { return localStorage.getItem("theme") || "system"; } catch { return "system"; }
  };
  const apply = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  const label = (button, theme) => {
    button.title = `Theme: ${words[theme]}`;
    button.setAttribute("aria-label", button.title);
  };

  root.classList.add("js");
  apply(read());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    label(button, read());
    button.addEventListener("click", () => {
      const theme = order[(order.indexOf(read()) + 1) % order.length];
      try { localStorage.setItem("theme", theme); } catch { /* Private windows may refuse: it lasts for this page. */ }
      apply(theme);
      label(button, theme);
    });
  });
})();
