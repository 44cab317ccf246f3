// What is done to messages without leaving the page, from the list, from a message, or taken back by a
// toast. The answer holds rows as they now are, rows that are gone, the counts and a toast.
(() => {
  const PATH = "/inbox/actions";
  const send = (form, sent) => {
    const rows = document.getElementById("rows");
    const how = { source: form, target: rows ?? document.body, swap: rows ? "afterbegin" : "none" };
    return htmx.ajax("POST", form.getAttribute("action"), { ...how, ...sent });
  };
  document.addEventListener("act", ({ detail: { form, sent } }) => send(form, sent));

  // From a message that was opened in place of its list one goes back to the list; from a page of its
  // own the form does that by itself.
  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    const isUndo = form.matches(".toast form") && document.getElementById("rows");
    const isOne = form.matches(".one") && form.getAttribute("action") === PATH;
    const isStar = /star$/.test(submitter?.name);
    if (!isUndo && !(isOne && (isStar || document.getElementById("rows")))) return;
    event.preventDefault();
    const values = isUndo ? {} : { [submitter.name]: submitter.value };
    send(form, { values, quiet: isStar, then: isOne && (isStar ? "again" : "leave") });
  });

  // A star shows by itself what it did.
  document.addEventListener("htmx:before:swap", ({ detail: { ctx, tasks } }) => {
    const toast = ctx.quiet ? tasks.findIndex(({ target }) => target?.id === "toasts") : -1;
    if (toast >= 0) tasks.splice(toast, 1);
  });
})();
