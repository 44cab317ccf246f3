(({ dataset }) => {
  const sources = dataset.scripts.split(" ");
  const load = () => {
    for (const src of sources.splice(0)) document.head.append(Object.assign(document.createElement("script"), { src, async: false }));
  };
  const wait = () => {
    setTimeout(load, 500);
    new PerformanceObserver(load).observe({ type: "paint", buffered: true });
  };
  document.hidden ? load() : requestAnimationFrame(() => requestAnimationFrame(wait));
})(document.currentScript);
