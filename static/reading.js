// A message opens in place of the list, in one request. The list stays behind it, live as before, and
// going back only shows it again, where it was.
(() => {
  const main = document.getElementById("main");
  const isMessage = ({ origin, pathname }) => origin === location.origin && /\/m\/[0-9a-f-]{36}$/.test(pathname);
  const address = (url) => url.pathname + url.search;

  const behind = document.createElement("div");
  behind.hidden = true;
  document.body.append(behind);
  const list = main.querySelector(".list") && { address: address(location), shape: main.className, title: document.title, scroll: 0 };
  let shown = address(location);
  let depth = history.state?.depth ?? 0;

  const open = (url, push) => {
    const ctx = { source: main, target: main, swap: "innerHTML", url, push };
    return htmx.ajax("GET", address(url), ctx);
  };

  document.addEventListener("htmx:before:swap", ({ detail: { ctx } }) => {
    if (ctx.target !== main || !ctx.url) return;
    if (list && shown === list.address) {
      list.scroll = scrollY;
      list.title = document.title;
      behind.append(...main.childNodes);
    }
    if (ctx.push && address(ctx.url) !== shown) history.pushState({ depth: ++depth }, "", address(ctx.url));
    shown = address(ctx.url);
    main.className = "message";
    markRead(ctx.url);
  });

  document.addEventListener("htmx:finally:swap", ({ detail: { ctx } }) => {
    // Whoever is quick has left again by now.
    if (ctx.target !== main || !ctx.url || shown !== address(ctx.url)) return;
    const subject = main.querySelector("h1")?.textContent.trim();
    if (subject) document.title = `${subject} · Pillarbox`;
    document.dispatchEvent(new CustomEvent("shown"));
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  });

  const rowOf = (path) => document.getElementById(`m-${path.split("?")[0].slice(-36)}`);
  const markRead = (url) => {
    const row = rowOf(url.pathname);
    row?.classList.remove("unread");
    row?.querySelector("a .unseen")?.remove();
  };

  const showList = () => {
    const row = rowOf(shown);
    main.replaceChildren(...behind.childNodes);
    main.className = list.shape;
    document.title = list.title;
    shown = list.address;
    document.dispatchEvent(new CustomEvent("shown"));
    scrollTo(0, list.scroll);
    row?.querySelector("a").focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  };

  const leave = () => {
    if (list && depth) history.go(-depth);
    else location = main.querySelector(".steps a").href;
  };
  document.addEventListener("htmx:finally:swap", ({ detail: { ctx } }) => {
    if (!ctx.then || ctx.response.status >= 400) return;
    if (ctx.then === "leave") leave();
    else open(new URL(location), false);
  });

  addEventListener("popstate", ({ state }) => {
    depth = state?.depth ?? 0;
    if (address(location) === shown) return;
    if (list?.address === address(location)) showList();
    else if (isMessage(location)) open(new URL(location), false);
    else location.reload();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.hasAttribute("download") || link.target) return;
    const url = new URL(link.href);
    if (isMessage(url)) {
      event.preventDefault();
      open(url, true);
    } else if (list && depth && url.hash && shown !== list.address && link.closest(".steps")) {
      event.preventDefault();
      leave();
    }
  });
})();
