// What the frame of a mail holds that it may not, after everything in it was clicked, pointed at and
// focused, but for links to the web.
() => {
  const found = [];
  const say = (words) => found.length < 20 && found.push(words);
  const elements = [...document.querySelectorAll("*")].slice(0, 300);
  const isOurs = (element) => element.closest("head, .printed") || ["HTML", "BODY", "SUMMARY"].includes(element.tagName);
  const forbidden = "script, svg, math, form, input, button, select, textarea, iframe, object, embed, video, audio, picture, source, link:not(head link), meta:not(head meta), style:not(head style), base:not(head base), template, noscript, dialog, area, map, title:not(head title), [popover], [is], [slot]";

  for (const element of elements) {
    const tag = `<${element.localName}`;
    if (element.matches(forbidden)) say(`${tag}>`);
    if (isOurs(element)) continue;
    for (const { name, value } of element.attributes) {
      if (/^on|^hx-|^data-|:|^(srcdoc|srcset|formaction|ping|poster|background|id|class|name|autofocus|tabindex|action|data)$/i.test(name)) say(`${tag} ${name}>`);
      if (name === "src" && !/^(data:image\/(png|gif|jpe?g|webp)[;,]|\/image\/)/i.test(value)) say(`${tag} src=${value}>`);
      if (name === "href" && !/^(https?|mailto|tel):$/.test(element.protocol)) say(`${tag} href=${value}>`);
      if (name === "target" && value !== "_blank") say(`${tag} target=${value}>`);
      if (name === "style" && /url|image-set|expression|@|\\|position|z-index|behavio|@import/i.test(value)) say(`${tag} style=${value}>`);
    }
    const style = getComputedStyle(element);
    if (style.position !== "static") say(`${tag} is ${style.position}`);
    if (/url\(/.test(style.backgroundImage + style.cursor + style.listStyleImage + style.content)) say(`${tag} has a picture`);
  }

  for (const element of elements) {
    if (element.href?.startsWith?.("http")) continue;
    for (const type of ["pointerover", "mouseover", "focus", "input", "keydown"]) element.dispatchEvent(new Event(type, { bubbles: true }));
    if (!isOurs(element)) element.click?.();
  }
  return found;
}
