// Buttons that copy their data-copy text.
(() => {
  const say = (text) => document.dispatchEvent(new CustomEvent("say", { detail: text }));

  // navigator.clipboard exists on https and on localhost only; elsewhere the old command still works.
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("refused");
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await copy(button.dataset.copy);
      say("Copied.");
    } catch {
      say("Your browser did not allow copying. Select the text and copy it by hand.");
    }
    button.focus();
  });
})();
