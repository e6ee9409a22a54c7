"use strict";
// The page of a run that lasts: takes the server's events and puts what they hold into its places.
(() => {
  const state = document.getElementById("state");
  const say = (text, kind) => {
    state.textContent = text;
    state.className = "state " + kind;
  };

  const last = new Map();
  const put = (id, markup) => {
    const place = document.getElementById("place-" + id);
    if (!place || last.get(id) === markup) return;
    last.set(id, markup);
    place.innerHTML = markup;
  };

  // JSON that the script of every page reads by its element: a new element is read anew.
  const putValues = (id, text) => {
    const element = document.createElement("script");
    element.type = "application/json";
    element.id = id;
    element.textContent = text;
    const old = document.getElementById(id);
    if (old) old.replaceWith(element);
    else document.getElementById("list").append(element);
  };

  const putChart = (chart) => {
    const template = document.createElement("template");
    template.innerHTML = chart.markup;
    const figure = template.content.firstElementChild;
    const old = document.getElementById(chart.id);
    putValues(chart.id + "-values", chart.values);
    if (!old) return document.getElementById("list").append(figure);
    const wasOpen = old.querySelector("details[open]");
    const hadFocus = old.contains(document.activeElement);
    const scrolled = wasOpen && wasOpen.querySelector(".scroll");
    const top = scrolled ? scrolled.scrollTop : 0;
    old.replaceWith(figure);
    if (wasOpen) {
      figure.querySelector("details").open = true;
      figure.querySelector("details .scroll").scrollTop = top;
    }
    if (hadFocus) figure.querySelector(".plot").focus({ preventScroll: true });
  };

  const events = new EventSource("events");
  events.addEventListener("open", () => say("live", "on"));
  events.addEventListener("error", () => say("no connection: the run may be over; trying again", "off"));
  events.addEventListener("seconds", (event) => {
    const seconds = JSON.parse(event.data);
    const now = seconds[seconds.length - 1];
    if (!now) return;
    const level = now.users + (now.users === 1 ? " user, " : " users, ") + now.in_flight + " open";
    say("live: " + now.t_s.toFixed(0) + " s, " + Math.round(now.rps) + " requests/s, " + level, "on");
  });
  events.addEventListener("charts", (event) => {
    const shown = JSON.parse(event.data);
    shown.parts.forEach(([id, markup]) => put(id, markup));
    document.dispatchEvent(new Event("charts-replacing"));
    putValues("abscissae", shown.abscissae);
    shown.charts.forEach(putChart);
    document.dispatchEvent(new Event("charts-replaced"));
  });
  events.addEventListener("end", () => {
    events.close();
    say("the run is over", "");
    document.querySelectorAll("#control button, #control input").forEach((element) => (element.disabled = true));
  });

  const control = document.getElementById("control");
  if (!control) return;
  const answer = document.getElementById("answer");
  // The token stands behind the # of the address, which browsers send to no server.
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) {
    answer.textContent = "open the address with #token=… that opsurge printed, to change the run";
    control.querySelectorAll("button, input").forEach((element) => (element.disabled = true));
    return;
  }
  const order = async (name, body) => {
    answer.textContent = "…";
    try {
      const headers = { "X-Opsurge-Token": token };
      const response = await fetch("control/" + name, { method: "POST", headers, body });
      answer.textContent = (await response.text()).trim();
    } catch {
      answer.textContent = "no answer";
    }
  };
  control.addEventListener("submit", (event) => {
    event.preventDefault();
    order(control.dataset.order, document.getElementById("level").value);
  });
  document.getElementById("drain").addEventListener("click", () => order("drain", ""));
})();
