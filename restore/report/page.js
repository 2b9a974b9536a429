"use strict";
/* The slider is a range input over the picture: mouse, touch and keyboard are the browser's own. */
document.querySelectorAll("article").forEach(a => {
  const c = a.querySelector(".c"), r = c.querySelector("input"), views = c.querySelectorAll("img");
  r.addEventListener("input", () => c.style.setProperty("--x", r.value + "%"));
  a.querySelectorAll("select").forEach((e, side) => e.addEventListener("change", () =>
    views.forEach((v, i) => v.classList.toggle("lr"[side], i == e.value))));
});
/* One zoom and one place for all crops of a row. */
document.querySelectorAll(".zoom").forEach(box => {
  let zoom = 1, u = 0, v = 0, from = null;
  const show = () => {
    const edge = 50 - 50 / zoom;
    u = Math.max(-edge, Math.min(edge, u)); v = Math.max(-edge, Math.min(edge, v));
    box.style.setProperty("--z", zoom); box.style.setProperty("--u", u + "%"); box.style.setProperty("--v", v + "%");
    box.querySelector("output").textContent = "\u00d7" + zoom;
  };
  const by = factor => { zoom = Math.max(1, Math.min(16, zoom * factor)); show(); };
  const [less, more, back] = box.querySelectorAll("header button");
  less.onclick = () => by(0.5); more.onclick = () => by(2); back.onclick = () => { zoom = 1; u = v = 0; show(); };
  box.addEventListener("keydown", e => {
    if (e.target !== box) return;
    const step = 10 / zoom, moves = {ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step]};
    if (e.key in moves) { u += moves[e.key][0]; v += moves[e.key][1]; show(); }
    else if (e.key === "+" || e.key === "=") by(2);
    else if (e.key === "-") by(0.5);
    else if (e.key === "0") back.onclick();
    else return;
    e.preventDefault();
  });
  box.querySelectorAll(".pane").forEach(p => {
    p.addEventListener("dblclick", () => by(2));
    p.addEventListener("wheel", e => { if (e.ctrlKey || e.altKey) { e.preventDefault(); by(e.deltaY < 0 ? 2 : 0.5); } }, {passive: false});
    p.addEventListener("pointerdown", e => { from = [e.clientX, e.clientY, u, v]; p.setPointerCapture(e.pointerId); });
    p.addEventListener("pointerup", () => { from = null; });
    p.addEventListener("pointercancel", () => { from = null; });
    p.addEventListener("pointermove", e => {
      if (!from || zoom === 1) return;
      u = from[2] + 100 * (e.clientX - from[0]) / p.clientWidth / zoom;
      v = from[3] + 100 * (e.clientY - from[1]) / p.clientHeight / zoom;
      show();
    });
  });
  show();
});
/* A click on a heading sorts: numbers the largest first, names the first of the alphabet; what is missing goes last. */
document.querySelectorAll("table").forEach(t => {
  const heads = [...t.tHead.rows[0].cells], body = t.tBodies[0];
  heads.forEach((th, k) => th.querySelector("button").addEventListener("click", () => {
    const number = th.classList.contains("n");
    const now = th.getAttribute("aria-sort");
    const up = now ? now === "descending" : !number;
    heads.forEach(h => h.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[k].dataset.v ?? row.cells[k].textContent;
    const rows = [...body.rows];
    rows.sort((a, b) => {
      const x = key(a), y = key(b);
      if (number) {
        const p = x === "" ? NaN : Number(x), q = y === "" ? NaN : Number(y);
        if (isNaN(p) || isNaN(q)) return isNaN(p) - isNaN(q);
        return up ? (p < q ? -1 : p > q ? 1 : 0) : (p > q ? -1 : p < q ? 1 : 0);
      }
      return (up ? 1 : -1) * x.localeCompare(y, undefined, {numeric: true});
    });
    rows.forEach(row => { row.classList.remove("s"); body.append(row); });
  }));
});
