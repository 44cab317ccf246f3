// What a list adds to htmx: no row twice, an honest word about the connection, and one about a failure.
(() => {
  const live = document.getElementById("live");
  const show = (state, text) => {
    if (!live || live.textContent === text) return;
    live.dataset.state = state;
    live.textContent = text;
  };

  // A connection that starts over is sent everything since the page was made.
  document.addEventListener("htmx:before:swap", (event) => {
    for (const { fragment } of event.detail.tasks) {
      for (const row of fragment.querySelectorAll(".row")) {
        if (document.getElementById(row.id)) row.remove();
      }
    }
  });

  // To a browser an event named "message" is one without a name; hx-sse would not insert it.
  document.addEventListener("htmx:sse:before:message", ({ detail: { message } }) => {
    if (message.event === "message") message.event = "";
  });

  const lose = (status) => {
    if (status === 404) show("gone", "This inbox is gone");
    else show("off", "Connecting");
  };
  document.addEventListener("htmx:sse:before:connection", (event) => {
    if (live?.dataset.state === "gone") event.preventDefault();
    else lose();
  });
  document.addEventListener("htmx:sse:after:connection", () => show("on", "Live"));
  document.addEventListener("htmx:sse:error", (event) => lose(event.detail.status));

  const report = (event) => {
    const link = event.target.closest(".more a");
    if (link) link.textContent = "That did not work. Try again";
    else lose(event.detail.ctx.response?.status);
  };
  document.addEventListener("htmx:error", report);
  document.addEventListener("htmx:response:error", report);
})();
