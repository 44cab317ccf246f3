// The switch between light and dark. The choice is a cookie, which the server writes into the next page.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const words = { system: "as the system", light: "light", dark: "dark" };
  const order = Object.keys(words);
  const chosen = () => root.dataset.theme ?? "system";

  const label = () => {
    button.title = `Theme: ${words[chosen()]}`;
    button.setAttribute("aria-label", button.title);
  };

  label();
  button.addEventListener("click", () => {
    const theme = order[(order.indexOf(chosen()) + 1) % order.length];
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    const age = theme === "system" ? 0 : 31536000;
    document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax`;
    label();
  });
})();
