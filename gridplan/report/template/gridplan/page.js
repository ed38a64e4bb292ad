(() => {
  "use strict";
  const PRINT_WIDTH = 672; // px between the margins of an A4 sheet
  const PRINT_HEIGHT = 325; // at most, 86 mm: two figures, their words and a heading on a sheet
  const PRINT_HEIGHT_MAP = 350;
  const PRINT_HEIGHT_ROWS = 760; // of a figure with a row for each name, or with panels below each other: a sheet of its own
  const PRINT_LEAST = 0.75; // of its height a figure keeps where the next one then fits on the same sheet
  const PRINT_MOST = 1.3; // and has at most where the rest of the sheet would stay empty
  const PRINT_ROW = 17; // px that a row with a name beside it keeps
  const PRINT_SPARE = 60; // px that stay empty all the same
  const SHEET = 972; // px between the margins of an A4 sheet, less what browsers round
  const LONG_NAME = 24; // characters of a name beside an axis that leave no room for the drawing on a phone
  const LONG_NAME_WIDTH = 640;
  const YEAR_ROOM = 32; // px that the tick of a year takes
  const TITLE_ROOM = 26; // px above a panel for its title
  const CONFIG = {
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  const narrow = (plot) => plot.clientWidth < 600; // a phone, or two figures side by side
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const plots = all(".plot[id]");

  // What a figure asks for itself: a height on paper, a width below which it scrolls instead of shrinking.
  const wish = (layout, name) => (layout.meta && layout.meta[name]) || 0;

  const axisNames = (layout, letter) => Object.keys(layout).filter((key) => new RegExp("^" + letter + "axis\\d*$").test(key));
  const axes = (layout, letter) => axisNames(layout, letter).map((key) => layout[key]);

  // Names beside the vertical axis, one a row.
  function rowNames(data, layout) {
    const drawn = data.filter((t) => (t.orientation === "h" || t.type === "heatmap") && Array.isArray(t.y)).flatMap((t) => t.y);
    const names = [...axes(layout, "y").flatMap((axis) => axis.ticktext || []), ...drawn.filter((name) => typeof name === "string")];
    return Array.from(new Set(names));
  }

  function leastWidth(data, layout) {
    const lines = rowNames(data, layout).flatMap((name) => name.split("<br>"));
    return Math.max(wish(layout, "least_width"), lines.some((line) => line.length > LONG_NAME) ? LONG_NAME_WIDTH : 0);
  }

  function printHeight(plot) {
    const { data, layout } = plot;
    if (wish(layout, "print_height")) return wish(layout, "print_height");
    const isMap = Boolean(layout.yaxis && layout.yaxis.scaleanchor);
    const below = new Set(axes(layout, "y").filter((axis) => !axis.overlaying).map((axis) => String(axis.domain))).size;
    const share = rowNames(data, layout).length > 5 ? 0.92 : below > 1 ? 0.7 : 0;
    const most = isMap ? PRINT_HEIGHT_MAP : Math.max(PRINT_HEIGHT, Math.min(PRINT_HEIGHT_ROWS, share * plot.offsetHeight));
    return Math.min(plot.offsetHeight, most);
  }

  // --- figures: drawn on sight, the rest while nothing else is to do, all of them before printing

  function specification(plot) {
    const { data, layout, frames } = JSON.parse(document.getElementById(plot.id + "-data").textContent);
    const config = { ...CONFIG, toImageButtonOptions: { filename: plot.id, scale: 2 } };
    if (narrow(plot)) {
      stackPanels(layout);
      spareTicks(layout);
      const asked = layout.margin?.r ?? 0; // room for the labels at the ends of bars
      if (!leastWidth(data, layout)) layout.margin = { ...layout.margin, l: 8, r: asked > 24 ? asked : 8, b: 8 };
      layout.legend = { ...layout.legend, orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" };
      config.displayModeBar = false;
    }
    if (window.matchMedia("(pointer: coarse)").matches) layout.dragmode = false; // a finger scrolls the page
    return { data, layout, frames, config };
  }

  const panelTitles = (layout) => (layout.annotations || []).filter((a) => a.xref === "paper" && a.yref === "paper");

  // On a phone, panels side by side go one below the other, each with its title.
  function stackPanels(layout) {
    const across = axes(layout, "x"), up = axes(layout, "y");
    const sideBySide = across.length > 1 && across.length === up.length
      && new Set(across.map((axis) => String(axis.domain))).size === across.length
      && up.every((axis) => axis.domain && axis.domain[0] === 0 && axis.domain[1] === 1 && !axis.overlaying);
    if (!sideBySide) return;
    const titles = panelTitles(layout), gap = 0.18, height = (1 - gap * (across.length - 1)) / across.length;
    across.map((axis) => (axis.domain[0] + axis.domain[1]) / 2).forEach((middle, n) => {
      const top = 1 - n * (height + gap);
      titles.filter((a) => Math.abs(a.x - middle) < 0.02).forEach((a) => Object.assign(a, { x: 0.5, y: top }));
      Object.assign(across[n], { domain: [0, 1] });
      Object.assign(up[n], { domain: [Math.max(0, top - height), top], showticklabels: true });
    });
    layout.height = (layout.height || 420) * (1 + 0.6 * (across.length - 1));
  }

  function spareTicks(layout) {
    axes(layout, "x").filter((axis) => axis.domain && axis.domain[1] - axis.domain[0] < 0.6).forEach((axis) => {
      axis.tickfont = { size: 10, ...axis.tickfont };
      axis.nticks = 4;
    });
    panelTitles(layout).forEach((a) => { a.font = { ...a.font, size: 12 }; });
  }

  // The legend stands above everything in the drawing, the titles of panels included, however many rows it takes.
  function makeRoom(plot, grow) {
    const legend = plot.querySelector(".legend");
    const titled = panelTitles(plot.layout).some((a) => a.y >= 1);
    if (!legend || (!narrow(plot) && !titled) || plot._fullLayout.legend.orientation !== "h") return;
    const rows = Math.ceil(legend.getBBox().height);
    const change = { "margin.t": rows + (titled ? TITLE_ROOM : 8), "legend.yref": "container", "legend.y": 1, "legend.yanchor": "top" };
    if (grow) {
      change.height = plot.offsetHeight + Math.max(0, rows - 24);
      plot.style.height = change.height + "px";
    }
    Plotly.relayout(plot, change);
  }

  // Every year has its tick where there is room for it, else every second, third, ...
  function spareYears(plot) {
    const change = {};
    axisNames(plot.layout, "x").forEach((name) => {
      const drawn = plot._fullLayout[name], yearly = plot.dataset[name + "Yearly"] || (plot.layout[name].dtick === 1 ? "yes" : "");
      if (!yearly || !drawn || drawn.type === "category") return;
      plot.dataset[name + "Yearly"] = yearly;
      const each = drawn._length / Math.abs(drawn.range[1] - drawn.range[0]);
      change[name + ".dtick"] = Math.max(1, Math.ceil(YEAR_ROOM / each));
    });
    if (Object.keys(change).length) Plotly.relayout(plot, change);
  }

  function holdWidth(plot, data, layout) {
    const least = leastWidth(data, layout);
    if (least <= plot.clientWidth) return;
    layout.width = plot.dataset.width = least;
    layout.dragmode = false;
    plot.style.overflowX = "auto";
    plot.tabIndex = 0; // scrolled by keys too
  }

  function draw(plot) {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "yes";
    try {
      const drawing = specification(plot);
      if (drawing.layout.height) plot.style.height = drawing.layout.height + "px";
      holdWidth(plot, drawing.data, drawing.layout);
      Plotly.newPlot(plot, drawing).then(() => { makeRoom(plot, narrow(plot)); spareYears(plot); });
    } catch (fault) {
      plot.dataset.drawn = "failed";
      plot.textContent = "This figure could not be drawn; its data can be downloaded below.";
      console.error(plot.id, fault);
    }
  }

  function drawRest() {
    const next = plots.find((plot) => !plot.dataset.drawn);
    if (next) {
      draw(next);
      whenIdle(drawRest);
    } else {
      document.documentElement.dataset.figures = "drawn";
    }
  }

  const whenIdle = (task) => (window.requestIdleCallback ? requestIdleCallback(task, { timeout: 500 }) : setTimeout(task, 50));

  if (plots.length) {
    const sight = new IntersectionObserver(
      (entries) => entries.filter((e) => e.isIntersecting).forEach((e) => { sight.unobserve(e.target); draw(e.target); }),
      { rootMargin: "400px" },
    );
    plots.forEach((plot) => sight.observe(plot));
  }
  window.addEventListener("load", () => whenIdle(drawRest));

  // --- paper

  const contents = document.querySelector(".contents details");
  let wasOpen = true;

  function resize(plot, width, height) {
    plot.style.height = height + "px";
    Plotly.relayout(plot, { width, height, autosize: width === null });
    makeRoom(plot, false);
    spareYears(plot);
  }

  // The rules of paper on the screen, so that what will be printed can be measured; returns what takes them back.
  function asOnPaper() {
    const rules = Array.from(document.styleSheets).flatMap((sheet) => Array.from(sheet.cssRules)).filter((rule) => rule.media);
    const before = rules.map((rule) => rule.media.mediaText);
    const limit = (text, name) => parseFloat((new RegExp(name + "-width: *([\\d.]+)px").exec(text) || [])[1]);
    rules.forEach((rule, n) => {
      const most = limit(before[n], "max"), least = limit(before[n], "min");
      const holds = !before[n].includes("screen") && !(least > PRINT_WIDTH) && !(most < PRINT_WIDTH);
      rule.media.mediaText = before[n].includes("print") || holds ? "all" : "not all";
    });
    document.body.style.width = PRINT_WIDTH + "px";
    return () => {
      rules.forEach((rule, n) => { rule.media.mediaText = before[n]; });
      document.body.style.width = "";
    };
  }

  // What no sheet may end within, from top to bottom: a heading with what follows it, a figure, rows of a table.
  function blocks() {
    const found = [];
    let kept = null; // top of a heading that waits for what follows
    const add = (first, last, more) => {
      const top = kept === null ? first.getBoundingClientRect().top : kept;
      found.push({ top, bottom: last.getBoundingClientRect().bottom, head: 0, ...more });
      kept = null;
    };
    const text = (element) => {
      const leads = /^H[1-4]$/.test(element.tagName) || (element.matches("h2 + p:last-child, h3 + p:last-child"));
      if (leads) kept = kept === null ? element.getBoundingClientRect().top : kept;
      else if (/^[UO]L$/.test(element.tagName)) Array.from(element.children).forEach((item) => add(item, item));
      else add(element, element);
    };
    const table = (figure) => {
      const rows = Array.from(figure.querySelectorAll("tbody tr")), head = figure.querySelector("thead");
      const first = rows.length <= 4 ? rows.length : 3; // three rows stay together at the head, two at the end
      if (!rows.length) { add(figure, figure); return; }
      add(figure, rows[first - 1], { gives: true });
      const more = { head: head ? head.offsetHeight : 0 };
      rows.slice(first, -2).forEach((row) => add(row, row, more));
      if (rows.length > first) add(rows[Math.max(first, rows.length - 2)], rows[rows.length - 1], more);
    };
    [...all(".head"), ...all(".contents"), ...all("main > *")].forEach((element) => {
      if (element.matches(".prose")) Array.from(element.children).forEach(text);
      else if (element.matches(".provenance")) add(element.firstElementChild, element.firstElementChild);
      else (element.matches(".pair") ? Array.from(element.children) : [element]).forEach((part) => {
        if (part.matches("figure.table")) table(part);
        else add(part, part, { plot: part.querySelector(".plot[id]"), gives: true });
      });
    });
    return found.filter((block) => block.bottom > block.top);
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  // How much figures can give or take together, and each its part of that.
  const rooms = (figures, bound) => figures.map((figure) => Math.abs(figure[bound] - figure.height));

  function bounds(plot) {
    const planned = plot.offsetHeight, rows = rowNames(plot.data, plot.layout).length;
    const spare = Math.max(0, plot._fullLayout._size.h - PRINT_ROW * rows); // names beside each other would overlap below that
    return { plot, planned, height: planned, least: Math.max(planned * PRINT_LEAST, planned - spare), most: planned * PRINT_MOST };
  }

  function spread(figures, change, bound) {
    const each = rooms(figures, bound), whole = sum(each), part = Math.min(Math.abs(change) / whole, 1) * Math.sign(change);
    if (whole > 0) figures.forEach((figure, n) => { figure.height += part * each[n]; });
    return whole > 0 ? part * whole : 0;
  }

  // Figures shrink a little where the next one then fits on the sheet, and grow a little where the rest of it would stay empty.
  function fitted() {
    const figures = [];
    let start = null, moved = 0, end = 0, sheet = [];
    blocks().forEach((block) => {
      const own = block.plot ? [bounds(block.plot)] : [];
      figures.push(...own);
      start = start === null ? block.top : start;
      const over = block.bottom + moved - start - SHEET, here = [...sheet, ...own];
      if (over <= 0) {
        sheet = here;
      } else if (block.gives && over <= sum(rooms(here, "least"))) {
        moved += spread(here, -over, "least");
        sheet = here;
      } else {
        spread(sheet, Math.max(0, SHEET - PRINT_SPARE - (end - start)), "most");
        sheet = own;
        start = block.top + moved - block.head;
      }
      end = block.bottom + moved;
    });
    return figures.filter((figure) => figure.height !== figure.planned);
  }

  window.addEventListener("beforeprint", () => {
    if (contents) { wasOpen = contents.open; contents.open = true; }
    plots.forEach((plot) => {
      draw(plot);
      const height = printHeight(plot);
      plot.dataset.height = plot.style.height;
      resize(plot, PRINT_WIDTH, height);
    });
    const back = asOnPaper();
    const figures = fitted();
    back();
    figures.forEach((figure) => resize(figure.plot, PRINT_WIDTH, Math.floor(figure.height)));
  });
  window.addEventListener("afterprint", () => {
    if (contents) contents.open = wasOpen;
    plots.forEach((plot) => resize(plot, plot.dataset.width ? parseFloat(plot.dataset.width) : null, parseFloat(plot.dataset.height)));
  });

  // --- data

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  async function download(button) {
    const content = await unpacked("csv-" + button.dataset.csv);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/csv;charset=utf-8" }));
    link.download = button.dataset.csv + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  all("button.download").forEach((button) => button.addEventListener("click", () => download(button)));

  // --- contents: folded on a phone; beside the text the section in view is marked

  if (contents && window.innerWidth < 1200) contents.open = false;
  all(".contents a").forEach((link) => link.addEventListener("click", () => { if (window.innerWidth < 1200) contents.open = false; }));

  const headings = all("main h2[id], main h3[id]");
  function mark() {
    const above = headings.filter((h) => h.getBoundingClientRect().top < 140);
    const here = above.length ? above[above.length - 1].id : "";
    all(".contents a").forEach((link) => {
      if (link.hash === "#" + here) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }
  let waiting = false;
  window.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
})();
