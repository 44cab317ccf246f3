// Short words about what was just done. Scripts say theirs by an event named "say".
(() => {
  const place = document.getElementById("toasts");
  let timer;

  // Nobody is hurried: a toast that is pointed at or has the focus stays.
  const wait = () => {
    clearTimeout(timer);
    if (place.childElementCount) timer = setTimeout(() => place.matches(":hover, :focus-within") ? wait() : place.replaceChildren(), 10000);
  };
  new MutationObserver(wait).observe(place, { childList: true });
  wait();

  document.addEventListener("say", ({ detail }) => {
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = detail;
    place.replaceChildren(toast);
  });
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-closes]")) place.replaceChildren();
  });
})();
