"use strict";
// The crosshair: by mouse, finger and keyboard. Values are read when they are first asked for, from the element whose id is
// that of the chart with "-values" behind it, so that a live page may replace both at any time.
(() => {
  const grouped = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
  const three = (n) => (n >= 99.95 ? grouped(n) : n.toFixed(n >= 9.995 ? 1 : n >= 0.9995 ? 2 : 3));
  const trimmed = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
  const scaled = (n, steps, units) => {
    const at = steps.findIndex((step) => n < step);
    return at === 0 ? Math.round(n) + units[0] : three(n / 1000 ** (at < 0 ? steps.length : at)) + units.at(at);
  };
  const show = {
    rate: (n) => (n === 0 ? "0" : three(n)) + "/s",
    count: grouped,
    number: three,
    time: (us) => (us < 999.5 ? Math.round(us) + " us" : us < 999500 ? three(us / 1e3) + " ms" : three(us / 1e6) + " s"),
    share: (n) => trimmed(three(n * 100)) + " %",
    bytes: (n) => scaled(n, [1e3, 1e6, 1e9], [" B", " kB", " MB", " GB"]),
  };
  const moment = (s) => s.toFixed(1) + " s";
  const said = document.getElementById("said");

  // JSON of an element, parsed once as long as it is the same element.
  const parsed = new WeakMap();
  const read = (id) => {
    const element = document.getElementById(id);
    if (!element) return null;
    if (!parsed.has(element)) parsed.set(element, JSON.parse(element.textContent));
    return parsed.get(element);
  };
  const valuesOf = (chart) => read(chart.id + "-values");
  const abscissae = (name) => (read("abscissae") || {})[name];

  // Index of the stretch that holds a place, or of the point nearest to it.
  const indexAt = (places, at) => {
    const list = places.edges || places.points;
    let low = 0;
    let high = list.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (list[middle] <= at) low = middle;
      else high = middle;
    }
    if (places.points && at - list[low] > list[high] - at) low = high;
    return low;
  };
  const countOf = (places) => (places.edges ? places.edges.length - 1 : places.points.length);
  const placeOf = (places, index) =>
    places.edges ? (places.edges[index] + places.edges[index + 1]) / 2 : places.points[index];
  const nameOf = (places, index, axis) => {
    if (places.edges) return moment(places.edges[index]) + " to " + moment(places.edges[index + 1]);
    const at = places.points[index];
    return axis === "share" ? +(100 * (1 - 10 ** -at)).toPrecision(6) + " %" : "level " + trimmed(three(at));
  };

  // The main places of a chart: the image's are those of time.
  const placesOf = (values) => abscissae(values.lines.length ? values.lines[0].x : values.axis);

  const pixels = new WeakMap();
  const pixelsOf = (image) => {
    if (!pixels.has(image)) {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      pixels.set(image, context.getImageData(0, 0, canvas.width, canvas.height).data);
    }
    return pixels.get(image);
  };

  // What the heat map has at a place: a band of time and how many requests were in it.
  const heatAt = (chart, image, at, row) => {
    const element = chart.querySelector(".heat");
    if (!element.complete || !element.naturalWidth) return "";
    const column = Math.min(Math.floor((at - image.start) / image.step), image.columns - 1);
    const from = (row * image.columns + column) * 4;
    const [red, green, blue, alpha] = pixelsOf(element).slice(from, from + 4);
    const hex = "#" + [red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("");
    const power = alpha ? image.colours.indexOf(hex) : -1;
    const edge = (nth) => 10 ** (image.from + ((image.to - image.from) * nth) / image.rows);
    const least = 2 ** power;
    const count = power < 0 ? "no request" : power === 0 ? "1 request"
      : grouped(least) + " to " + grouped(2 * least - 1) + " requests";
    return show.time(edge(image.rows - 1 - row)) + " to " + show.time(edge(image.rows - row)) + ": " + count;
  };

  // Moves the crosshair of a chart and returns what it shows, as a sentence.
  const move = (chart, at, row) => {
    const values = valuesOf(chart);
    const places = values && placesOf(values);
    if (!places || countOf(places) < 1) return "";
    const index = Math.min(indexAt(places, at), countOf(places) - 1);
    const place = placeOf(places, index);
    const cross = chart.querySelector(".cross");
    cross.hidden = false;
    cross.style.left = ((place - values.from) / (values.to - values.from)) * 100 + "%";
    const shown = [];
    const items = chart.querySelectorAll(".legend li");
    values.lines.forEach((line, nth) => {
      const own = abscissae(line.x);
      const list = own.edges || own.points;
      const isInside = place <= list[list.length - 1];
      const value = isInside ? line.v[indexAt(own, place)] : null;
      const text = value === null || value === undefined ? "–" : show[values.unit](value);
      items[nth].querySelector("b").textContent = text;
      shown.push(items[nth].querySelector("span").textContent + " " + text);
    });
    let name = nameOf(places, index, values.axis);
    if (values.image) {
      const level = chart.querySelector(".level");
      level.hidden = row === undefined;
      if (row !== undefined) {
        level.style.top = ((row + 0.5) / values.image.rows) * 100 + "%";
        name += ", " + heatAt(chart, values.image, place, row);
      }
    }
    chart.querySelector("output").textContent = name;
    return name + ": " + shown.join(", ");
  };
  const clear = (chart) => {
    chart.querySelectorAll(".cross, .level").forEach((line) => (line.hidden = true));
    chart.querySelectorAll(".legend b, output").forEach((text) => (text.textContent = ""));
  };

  // All charts of one axis show the same place. Where the crosshair is now, for the keyboard and for charts that come later.
  let shown = null;
  const moveAll = (chart, at, row) => {
    const axis = valuesOf(chart).axis;
    shown = { id: chart.id, axis, at, row };
    let sentence = "";
    document.querySelectorAll(".chart").forEach((other) => {
      const values = valuesOf(other);
      if (!values || values.axis !== axis) return;
      const text = move(other, at, other === chart ? row : undefined);
      if (other === chart) sentence = text;
    });
    return sentence;
  };
  // A live page replaces charts: what the crosshair shows is kept.
  let kept = null;
  document.addEventListener("charts-replacing", () => (kept = shown));
  document.addEventListener("charts-replaced", () => {
    const chart = kept && document.getElementById(kept.id);
    if (chart) moveAll(chart, kept.at, kept.row);
  });
  const clearAll = () => {
    shown = null;
    document.querySelectorAll(".chart").forEach(clear);
  };

  const chartOf = (event) => {
    const plot = event.target instanceof Element && event.target.closest(".plot");
    return plot ? plot.closest(".chart") : null;
  };
  document.addEventListener("pointermove", (event) => {
    const chart = chartOf(event);
    if (!chart) return;
    const values = valuesOf(chart);
    if (!values) return;
    const box = chart.querySelector(".plot").getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const height = Math.min(Math.max((event.clientY - box.top) / box.height, 0), 0.9999);
    const row = values.image ? Math.floor(height * values.image.rows) : undefined;
    moveAll(chart, values.from + share * (values.to - values.from), row);
  });
  document.addEventListener("pointerout", (event) => {
    const chart = chartOf(event);
    const to = event.relatedTarget instanceof Element && event.relatedTarget.closest(".plot");
    if (chart && !to && !chart.contains(document.activeElement)) clearAll();
  });
  document.addEventListener("focusout", (event) => {
    if (chartOf(event)) clearAll();
  });

  document.addEventListener("keydown", (event) => {
    const chart = chartOf(event);
    if (!chart || event.ctrlKey || event.altKey || event.metaKey) return;
    const values = valuesOf(chart);
    const places = values && placesOf(values);
    if (!places || countOf(places) < 1) return;
    const count = countOf(places);
    const known = shown && shown.axis === values.axis;
    let index = known ? indexAt(places, shown.at) : -1;
    let row = known && shown.row !== undefined ? shown.row : values.image ? values.image.rows >> 1 : undefined;
    const page = Math.max(Math.round(count / 20), 2);
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: page, PageDown: -page };
    const rows = values.image ? { ArrowUp: -1, ArrowDown: 1 } : {};
    if (event.key in steps) index += steps[event.key];
    else if (event.key in rows) row = Math.min(Math.max(row + rows[event.key], 0), values.image.rows - 1);
    else if (event.key === "Home") index = 0;
    else if (event.key === "End") index = count - 1;
    else if (event.key === "Escape") return clearAll();
    else return;
    event.preventDefault();
    index = Math.min(Math.max(index, 0), count - 1);
    said.textContent = moveAll(chart, placeOf(places, index), row);
  });

  // On paper, the tables behind the charts are open.
  const closed = new Set();
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((details) => {
      closed.add(details);
      details.open = true;
    });
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => (details.open = false));
    closed.clear();
  });
})();
