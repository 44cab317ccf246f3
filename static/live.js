// What a list adds to htmx: rows where they belong, an honest word about the connection, and one about a failure.
(() => {
  const live = document.getElementById("live");
  const show = (state, text) => {
    if (!live || live.textContent === text) return;
    live.dataset.state = state;
    live.textContent = text;
  };

  // A list that lies open for long keeps its newest rows; the others come with "Load more" again.
  let arrived = 0;
  const count = (rows) => {
    const counter = document.getElementById("arrived");
    if (counter) counter.textContent = `${++arrived} new`;
    const more = rows.lastElementChild;
    if (!(rows.childElementCount > rows.dataset.keeps) || more.id !== "more") return;
    more.previousElementSibling.remove();
    const link = more.querySelector("a");
    for (const name of ["href", "hx-get"]) link.setAttribute(name, link.getAttribute(name).replace(/\d+$/, BigInt(more.previousElementSibling.id.slice(2))));
    more.hidden = false;
  };

  // Newest first, and of one second the later id, as the server sorts. A row older than all that is shown comes with "Load more", unless there is no more;
  // one newer than all is not for a page of older mail.
  const insert = (rows, row) => {
    const rank = (one) => one.querySelector("time").dateTime + one.id;
    let next = rows.firstElementChild;
    while (next?.matches(".row") && rank(next) > rank(row)) next = next.nextElementSibling;
    if ((next?.id === "more" && !next.hidden) || (!live && next === rows.firstElementChild)) return;
    row.classList.add("arrived");
    rows.insertBefore(row, next);
    count(rows);
  };

  const replace = (old, row) => {
    const box = row.querySelector("[name=ids]");
    if (box) box.checked = old.querySelector("[name=ids]").checked;
    const hadFocus = old.contains(document.activeElement);
    old.replaceWith(row);
    if (hadFocus) row.querySelector("a").focus({ preventScroll: true });
  };

  // A row that comes is the row as it now is, new or not: a connection that starts over is sent
  // everything since the page was made, and a change sends the whole row.
  document.addEventListener("htmx:before:swap", ({ detail: { tasks } }) => {
    for (const { fragment, target } of tasks) {
      if (target?.id !== "rows" && target?.id !== "more") continue;
      for (const row of fragment.querySelectorAll(".row")) {
        const old = document.getElementById(row.id);
        if (target.id === "rows") old ? replace(old, row) : insert(target, row);
        else if (old) row.remove();
      }
    }
  });

  // To a browser an event named "message" is one without a name; hx-sse would not insert it.
  document.addEventListener("htmx:sse:before:message", ({ detail: { message } }) => {
    if (message.event === "message") message.event = "";
  });

  const lose = (status) => {
    if (status === 404) show("gone", "This inbox is gone");
    else if (status === 401) show("gone", "You are signed out");
    else show("off", "Connecting");
  };
  document.addEventListener("htmx:sse:before:connection", (event) => {
    if (live?.dataset.state === "gone") event.preventDefault();
    else lose();
  });
  document.addEventListener("htmx:sse:after:connection", () => show("on", "Live"));
  document.addEventListener("htmx:sse:error", (event) => lose(event.detail.status));

  const say = (text) => document.dispatchEvent(new CustomEvent("say", { detail: text }));
  const report = ({ target, detail: { ctx } }) => {
    const status = ctx?.response?.status;
    const more = target.closest?.(".more a");
    if (more) more.textContent = "That did not work. Try again";
    else if (target.matches?.(".list")) lose(status);
    else if (status === 401 || status === 403) say("You are signed out, or this page is too old. Load it again.");
    else if (status === 404) say("This message is not here any more.");
    else say("That did not work, and nothing was changed. Try again.");
  };
  document.addEventListener("htmx:error", report);
  document.addEventListener("htmx:response:error", report);
})();
