// Short words about what was just done. Scripts say theirs by an event named "say".
(() => {
  const place = document.getElementById("toasts");
  let timer;

  // A call for a person stays until it is closed, the newest of a kind.
  const clear = () => place.replaceChildren(...place.querySelectorAll("[data-stays]"));
  const thin = () => {
    const known = new Set();
    for (const one of [...place.children].reverse()) known.has(one.id) ? one.remove() : one.id && known.add(one.id);
  };

  // Nobody is hurried: a toast that is pointed at or has the focus stays.
  const wait = () => {
    clearTimeout(timer);
    if (place.querySelector(":scope > :not([data-stays])")) timer = setTimeout(() => place.matches(":hover, :focus-within") ? wait() : clear(), 10000);
  };
  new MutationObserver(() => (thin(), wait())).observe(place, { childList: true });
  wait();

  document.addEventListener("say", ({ detail }) => {
    const toast = document.createElement("p");
    toast.className = "toast";
    toast.textContent = detail;
    clear();
    place.append(toast);
  });
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-closes]")) event.target.closest(".toast").remove();
  });
})();
