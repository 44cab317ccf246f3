// The number of unread messages in the tab: before the title, and on the icon.
(() => {
  const link = document.querySelector("link[rel=icon]");
  const plain = link.href;
  const draw = (count) => {
    const size = count.length > 2 ? 9 : 12;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#c8102e" d="M3 7.4C3 4.2 5.6 2 9 2s6 2.2 6 5.4zM2 8.4h14v1.8H2zm1.4 2.4h11.2v9.4H3.4zM2.4 20.2h13.2V23H2.4z"/><rect x="7" y="9" width="17" height="15" rx="7" fill="#1d1b19"/><text x="15.5" y="${16.5 + size * .36}" fill="#fff" font-family="sans-serif" font-weight="700" font-size="${size}" text-anchor="middle">${count}</text></svg>`;
    return `data:image/svg+xml,${encodeURIComponent(svg)}`;
  };

  let shown = "";
  const refresh = () => {
    const count = (document.getElementById("unread-count")?.textContent ?? "").trim();
    const title = document.title.replace(/^\(\d+\+?\) /, "");
    document.title = count ? `(${count}) ${title}` : title;
    if (count === shown) return;
    shown = count;
    link.href = count ? draw(count.length > 2 ? "99+" : count) : plain;
  };

  refresh();
  document.addEventListener("htmx:finally:swap", refresh);
  document.addEventListener("shown", refresh);
})();
