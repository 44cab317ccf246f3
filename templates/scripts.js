(({ dataset }) => {
  const load = () => {
    for (const src of dataset.scripts.split(" ")) document.head.append(Object.assign(document.createElement("script"), { src, async: false }));
  };
  document.hidden ? load() : requestAnimationFrame(() => setTimeout(load));
})(document.currentScript);
