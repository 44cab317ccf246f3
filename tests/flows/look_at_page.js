// What a mail has changed of our own page, in words; nothing where all is well.
() => {
  const found = [];
  const say = (words) => found.length < 20 && found.push(words);
  if ("pwned" in window) say("a script ran");
  if (document.cookie) say(`cookie ${document.cookie}`);
  if (localStorage.length || sessionStorage.length) say("something was stored");
  if (!document.title.endsWith("Pillarbox")) say(`title ${document.title}`);

  for (const name of ["base", "object", "embed", "style", "main [onclick]", "main script", "main link", "main meta", "main [id=toasts]"])
    if (document.querySelector(`body ${name}`)) say(`there is a ${name}`);
  for (const element of document.querySelectorAll("*"))
    for (const { name } of element.attributes) if (/^on|^ping$|^formaction$/i.test(name) && element.getAttribute(name) !== "/inbox/raw-zip") say(`<${element.localName} ${name}>`);
  for (const link of document.querySelectorAll("a[href]"))
    if (!/^(https?|mailto|tel):$/.test(link.protocol)) say(`link ${link.href}`);
  for (const form of document.forms)
    if (new URL(form.getAttribute("action") ?? "", location).origin !== location.origin) say(`form ${form.getAttribute("action")}`);

  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) say(`${wide} pixels too wide`);

  const frame = document.querySelector("iframe");
  if (frame) {
    const inner = frame.getBoundingClientRect();
    const outer = (frame.closest("article") ?? document.body).getBoundingClientRect();
    if (inner.left < outer.left || inner.right > outer.right || inner.top < outer.top || inner.bottom > outer.bottom) say("the frame leaves its place");
  }
  for (const own of document.querySelectorAll(".rail a, .rail button, .steps a, .tabs a, h1")) {
    const { left, top, width, height } = own.getBoundingClientRect();
    if (width <= 1) continue;  // Not shown, or only read aloud.
    const hit = document.elementFromPoint(left + width / 2, top + height / 2);
    if (hit && !own.contains(hit) && !hit.contains(own)) say(`<${own.localName}> lies under <${hit.localName}>`);
  }
  return found;
}
