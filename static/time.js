// Keeps "5 min ago" and "58 minutes left" true while a page stays open, in the server's words
// (app/web/rendering.py), and gives the exact times in the reader's own time zone.
(() => {
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short" });
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  const age = (then, now) => {
    const seconds = Math.floor((now - then) / 1000);
    if (seconds < 60) return "now";
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${count(Math.floor(seconds / 3600), "hour")} ago`;
    if (seconds < 7 * 86400) return `${count(Math.floor(seconds / 86400), "day")} ago`;
    const day = `${then.getUTCDate()} ${months[then.getUTCMonth()]}`;
    return then.getUTCFullYear() === now.getUTCFullYear() ? day : `${day} ${then.getUTCFullYear()}`;
  };

  const duration = (seconds) => {
    if (seconds < 2 * 3600) return count(Math.floor(seconds / 60), "minute");
    if (seconds < 2 * 86400) return count(Math.floor(seconds / 3600), "hour");
    return count(Math.floor(seconds / 86400), "day");
  };

  const left = (then, now) => {
    const seconds = Math.floor((then - now) / 1000);
    if (seconds <= 0) return "time is up";
    return seconds < 60 ? "less than a minute left" : `${duration(seconds)} left`;
  };

  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // The exact time never changes: it is told once, and a row that arrives costs one row's work.
  const told = new WeakSet();
  const refresh = (onlyNew) => {
    const now = new Date();
    for (const element of document.querySelectorAll("time[datetime]")) {
      const isNew = !told.has(element);
      if (onlyNew && !isNew) continue;
      const then = new Date(element.dateTime);
      if ("age" in element.dataset) write(element, age(then, now));
      else if ("left" in element.dataset) write(element, left(then, now));
      else if (isNew) write(element, exact.format(then));
      if (isNew) element.title = exact.format(then);
      told.add(element);
    }
  };

  refresh();
  setInterval(() => refresh(), 15000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  document.addEventListener("htmx:after:swap", () => refresh(true));
})();
