// Keeps "5 min ago" and "58 minutes left" true while a page stays open, in the server's words
// (app/web/rendering.py), and gives the exact times in the reader's own time zone.
(() => {
  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const months = "January February March April May June July August September October November December".split(" ");
  const days = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
  const two = (number) => String(number).padStart(2, "0");
  // Not by Intl: the first format that a page makes takes a phone a fifth of a second.
  const exactly = (then) => `${days[then.getDay()]} ${then.getDate()} ${months[then.getMonth()]} ${then.getFullYear()} at ${two(then.getHours())}:${two(then.getMinutes())}`;

  const age = (then, now) => {
    const seconds = Math.floor((now - then) / 1000);
    if (seconds < 60) return "now";
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${count(Math.floor(seconds / 3600), "hour")} ago`;
    if (seconds < 7 * 86400) return `${count(Math.floor(seconds / 86400), "day")} ago`;
    const day = `${then.getUTCDate()} ${months[then.getUTCMonth()].slice(0, 3)}`;
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

  const refresh = () => {
    const now = new Date();
    for (const element of document.querySelectorAll("time[data-age], time[data-left]")) {
      const then = new Date(element.dateTime);
      write(element, "age" in element.dataset ? age(then, now) : left(then, now));
    }
  };
  setInterval(refresh, 15000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  addEventListener("pageshow", ({ persisted }) => persisted && refresh());

  // The server said the exact times in UTC; some stay so, as they are said to the millisecond.
  const localise = () => {
    for (const element of document.querySelectorAll("time:not([data-age], [data-left], [data-utc])")) write(element, exactly(new Date(element.dateTime)));
  };
  localise();
  document.addEventListener("htmx:finally:swap", ({ detail: { ctx } }) => ctx.target?.id === "main" && localise());
  document.addEventListener("pointerover", ({ target }) => {
    if (target.matches("time")) target.title = exactly(new Date(target.dateTime));
  });
})();
