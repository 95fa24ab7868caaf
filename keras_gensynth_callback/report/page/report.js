"use strict";
(() => {
  const { graph, switched } = JSON.parse(document.getElementById("data").textContent);
  const picture = document.getElementById("picture");
  const details = document.getElementById("details");
  const nodes = new Map(graph.nodes.map((node) => [node.id, { ...node, children: [] }]));
  nodes.forEach((node) => nodes.get(node.parent)?.children.push(node));
  const groups = [...nodes.values()].filter((node) => node.kind === "group");
  const marked = new Set(switched);
  const READS_WELL = 32; // so many boxes: groups are opened until there would be more
  const LONGEST = 44; // letters of a name in a box
  const LETTER = 7.9; // width of one
  const TITLE = 12; // height of the title of an open group
  const SMALLEST = 0.7; // the scale at which letters can still be read

  // -- what a group holds

  const layersIn = (node) => (node.kind === "group" ? node.children.flatMap(layersIn) : [node]);
  const sum = (node, key) => layersIn(node).reduce((total, layer) => total + (layer[key] ?? 0), 0);
  const isMarked = (node) => layersIn(node).some((layer) => marked.has(layer.id));
  const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
  const shortened = (name) =>
    name.length <= LONGEST ? name : `${name.slice(0, LONGEST / 2 - 1)}…${name.slice(1 - LONGEST / 2)}`;

  function secondLine(node) {
    if (node.kind === "group") return `${count(layersIn(node).length, "layer")}, ${count(sum(node, "parameters"), "parameter")}`;
    if (node.kind !== "layer") return node.kind;
    return [node.ops.slice(0, 2).join(", "), node.parameters ? count(node.parameters, "parameter") : ""].filter(Boolean).join(" · ");
  }

  function describe(node) {
    if (node.kind === "input" || node.kind === "output") return `${node.name}: ${node.kind}`;
    const name = node.id.replace(/[/_]$/, "");
    const known = layersIn(node).every((layer) => layer.flops !== null);
    const parts = node.kind === "group" ? [count(layersIn(node).length, "layer")] : [node.ops.join(", ")];
    if (node.shape) parts.push(`gives ${node.shape.map((size) => size ?? "?").join(" × ") || "a scalar"}`);
    parts.push(count(sum(node, "parameters"), "parameter"));
    if (known) parts.push(count(sum(node, "flops"), "FLOP"));
    if (isMarked(node)) parts.push("switched by the learning phase");
    return `${name}: ${parts.filter(Boolean).join("; ")}`;
  }

  // -- which groups are open

  const open = new Set();
  const shown = (node) => (node.parent === null || (open.has(node.parent) && shown(nodes.get(node.parent))));
  const boxes = () => [...nodes.values()].filter((node) => shown(node) && !open.has(node.id));

  function openWhatReadsWell() {
    for (const group of groups.sort((a, b) => a.id.length - b.id.length)) {
      if (shown(group) && boxes().length - 1 + group.children.length <= READS_WELL) open.add(group.id);
    }
    draw();
    for (const id of [...open].reverse()) {
      if (picture.getBoundingClientRect().width / bounds.width >= SMALLEST) break;
      open.delete(id);
      draw();
    }
  }

  function boxOf(id) {
    let node = nodes.get(id);
    while (!shown(node)) node = nodes.get(node.parent);
    return node.id;
  }

  // -- drawing

  const svg = (name, attributes, parent, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return parent ? parent.appendChild(element) : element;
  };
  const defs = svg("defs", {}, picture);
  const arrow = svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, defs);
  svg("path", { d: "M0 1 L8 4 L0 7 Z" }, arrow);
  const layer = svg("g", {}, picture);
  let bounds = { width: 1, height: 1 };

  function draw() {
    const layout = new dagre.graphlib.Graph({ compound: true, multigraph: false });
    layout.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 34, marginx: 16, marginy: 16 });
    layout.setDefaultEdgeLabel(() => ({}));
    const visible = [...nodes.values()].filter(shown);
    for (const node of visible) {
      const letters = Math.max(shortened(node.name).length, secondLine(node).length * 0.8);
      layout.setNode(node.id, open.has(node.id) ? {} : { width: letters * LETTER + 26, height: 42 });
    }
    for (const node of visible) if (node.parent !== null) layout.setParent(node.id, node.parent);
    for (const [from, to] of graph.edges) {
      const ends = [boxOf(from), boxOf(to)];
      if (ends[0] !== ends[1]) layout.setEdge(...ends);
    }
    dagre.layout(layout);
    bounds = layout.graph();
    picture.style.setProperty("--drawn", `${bounds.width}px`);
    layer.replaceChildren();
    visible.filter((node) => open.has(node.id)).forEach((node) => drawGroup(node, layout.node(node.id)));
    for (const edge of layout.edges()) {
      svg("path", { class: "edge", d: curve(layout.edge(edge).points), "marker-end": "url(#arrow)" }, layer);
    }
    // The order in which the Tab key goes through them.
    const places = visible.filter((node) => !open.has(node.id)).map((node) => [node, layout.node(node.id)]);
    places.sort(([, a], [, b]) => a.y - b.y || a.x - b.x).forEach(([node, at]) => drawBox(node, at));
  }

  // Through the middles between the points of a route.
  function curve(points) {
    const [first, ...rest] = points;
    let path = `M${first.x} ${first.y}`;
    for (let i = 0; i < rest.length - 1; i++) {
      path += ` Q${rest[i].x} ${rest[i].y} ${(rest[i].x + rest[i + 1].x) / 2} ${(rest[i].y + rest[i + 1].y) / 2}`;
    }
    return `${path} L${rest.at(-1).x} ${rest.at(-1).y}`;
  }

  function drawn(node, kind) {
    const element = svg("g", { class: kind, tabindex: 0, role: "button", "aria-label": describe(node), "data-id": node.id }, layer);
    if (node.kind === "group") element.setAttribute("aria-expanded", open.has(node.id));
    svg("title", {}, element, node.id.replace(/^(input|output):|[/_]$/g, ""));
    return element;
  }

  function drawGroup(node, { x, y, width, height }) {
    const element = drawn(node, "group open");
    const [left, top] = [x - width / 2, y - height / 2 - TITLE];
    svg("rect", { class: "box", x: left, y: top, width, height: height + TITLE, rx: 6, "pointer-events": "all" }, element);
    svg("text", { class: "more", x: left + 8, y: top + 14 }, element, `− ${shortened(node.name)}`);
  }

  function drawBox(node, { x, y, width, height }) {
    const element = drawn(node, node.kind === "group" ? "group" : node.kind === "layer" ? "layer" : "end");
    const [left, top] = [x - width / 2, y - height / 2];
    if (node.kind === "group") svg("rect", { class: "box", x: left + 3, y: top + 3, width, height, rx: 4 }, element);
    svg("rect", { class: "box", x: left, y: top, width, height, rx: 4, "pointer-events": "all" }, element);
    if (isMarked(node)) svg("rect", { class: "mark", x: left, y: top + 4, width: 3, height: height - 8 }, element);
    svg("text", { x, y: y - 3, "text-anchor": "middle" }, element, (node.kind === "group" ? "+ " : "") + shortened(node.name));
    svg("text", { class: "more", x, y: y + 13, "text-anchor": "middle" }, element, secondLine(node));
  }

  // -- moving

  const view = { x: 0, y: 0, scale: 1 };
  const place = () => layer.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);

  function fit(smallest = 0.05) {
    const { width, height } = picture.getBoundingClientRect();
    const whole = Math.min(width / bounds.width, height / bounds.height, 1);
    view.scale = Math.max(whole, Math.min(smallest, 1));
    view.x = (width - bounds.width * view.scale) / 2;
    view.y = Math.max((height - bounds.height * view.scale) / 2, 0);
    place();
  }

  function zoom(factor, at) {
    const box = picture.getBoundingClientRect();
    const [x, y] = at ?? [box.width / 2, box.height / 2];
    const scale = Math.min(Math.max(view.scale * factor, 0.05), 4);
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    place();
  }

  function move(x, y) {
    view.x += x;
    view.y += y;
    place();
  }

  function bringIntoView(element) {
    const [inner, outer] = [element.getBoundingClientRect(), picture.getBoundingClientRect()];
    const into = (low, high, start, end) => (low < start ? start - low + 12 : high > end ? Math.max(end - high, start - low) - 12 : 0);
    move(into(inner.left, inner.right, outer.left, outer.right), into(inner.top, inner.bottom, outer.top, outer.bottom));
  }

  // -- what people do

  const elementOf = (id) => layer.querySelector(`[data-id="${CSS.escape(id)}"]`);

  function toggle(id) {
    if (nodes.get(id).kind !== "group") return;
    const before = elementOf(id).getBoundingClientRect();
    open.has(id) ? open.delete(id) : open.add(id);
    draw();
    // What was clicked stays where it was.
    const after = elementOf(id).getBoundingClientRect();
    move(before.left + before.width / 2 - after.left - after.width / 2, before.top - after.top);
    elementOf(id).focus({ preventScroll: true });
  }

  function setAll(isOpen) {
    open.clear();
    if (isOpen) groups.forEach((group) => open.add(group.id));
    draw();
    fit(SMALLEST);
  }

  const commands = {
    in: () => zoom(1.25),
    out: () => zoom(0.8),
    fit: () => fit(),
    unfold: () => setAll(true),
    fold: () => setAll(false),
  };
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", commands[button.dataset.do]);
  for (const name of ["fold", "unfold"]) document.querySelector(`[data-do="${name}"]`).hidden = !groups.length;

  const keys = {
    "+": commands.in, "=": commands.in, "-": commands.out, 0: commands.fit,
    ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
  };
  // Not of the picture: browsers let Tab stop at an SVG that listens.
  const canvas = picture.parentElement;
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = event.target.closest("[data-id]")?.dataset.id;
    if ((event.key === "Enter" || event.key === " ") && id) toggle(id);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("focusin", (event) => {
    const element = event.target.closest("[data-id]");
    if (!element) return;
    layer.querySelector(".chosen")?.classList.remove("chosen");
    element.classList.add("chosen");
    details.textContent = describe(nodes.get(element.dataset.id));
    if (!drag) bringIntoView(element);
  });

  let drag = null;
  picture.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, far: false, id: event.target.closest("[data-id]")?.dataset.id };
  });
  addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.far && Math.hypot(x, y) < 4) return;
    picture.classList.add("dragged");
    move(x, y);
    Object.assign(drag, { x: event.clientX, y: event.clientY, far: true });
  });
  addEventListener("pointerup", () => {
    const ended = drag;
    drag = null;
    picture.classList.remove("dragged");
    if (ended?.id && !ended.far) toggle(ended.id);
  });
  addEventListener("pointercancel", () => { drag = null; });
  picture.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const box = picture.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 200), [event.clientX - box.left, event.clientY - box.top]);
  }, { passive: false });

  // -- members of collections

  const collections = [...document.querySelectorAll("[data-collection]")];
  document.getElementById("filter")?.addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const collection of collections) {
      let found = 0;
      for (const member of collection.querySelectorAll("li")) {
        member.hidden = !member.textContent.toLowerCase().includes(wanted);
        found += !member.hidden;
      }
      collection.hidden = wanted !== "" && !found;
      collection.open = wanted !== "" && found > 0;
    }
  });

  // -- light, dark, paper

  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((element) => { element.open = true; });
    picture.setAttribute("viewBox", `0 0 ${bounds.width} ${bounds.height}`);
    layer.removeAttribute("transform");
  });
  addEventListener("afterprint", () => {
    closed.forEach((element) => { element.open = false; });
    picture.removeAttribute("viewBox");
    place();
  });

  openWhatReadsWell();
  const readable = Math.max(Math.min(picture.getBoundingClientRect().width / bounds.width, 1), SMALLEST);
  picture.style.setProperty("--needed", `${Math.ceil(bounds.height * readable)}px`);
  fit(readable);
})();
