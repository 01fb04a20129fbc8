/**
 * Starts the stage of a page that holds its payload, and maybe the model, as JSON. Its address says where to
 * begin: page.html#step=5, a stop of the guided tour, page.html#tour=2, or a lesson, page.html#lesson=3.
 */

import { makeEngine } from "engine";
import { mountLessons } from "lessons";
import { mount } from "stage";
import { mountTour } from "tour";

const root = document.getElementById("stage");
const chosen = new Map(); // in the lessons: kept while the page shows something else
let drawn = null;

function start() {
  const payload = json("payload");
  const data = json("engine");
  const lessons = json("lessons");
  const engine = data && makeEngine(data.model, data.probes, [payload, ...lessons.flatMap(toldBy)]);
  const asked = new URLSearchParams(location.hash.slice(1));
  drawn?.destroy();
  if (asked.has("tour")) {
    const onStop = (at) => history.replaceState(null, "", `#tour=${at + 1}`);
    drawn = mountTour(root, payload, { engine, stop: Number(asked.get("tour")) - 1, onStop });
  } else if (asked.has("lesson") && lessons.length) {
    const onLesson = (at) => history.replaceState(null, "", `#lesson=${at + 1}`);
    const lesson = Number(asked.get("lesson")) - 1;
    drawn = mountLessons(root, lessons, { engine, lesson, chosen, onLesson });
  } else {
    const step = Number(asked.get("step") ?? 0);
    drawn = mount(root, payload, { engine, step, autoplay: !asked.has("step") });
  }
}

/** What is true in the story of a lesson, as a payload tells it. */
function toldBy({ live }) {
  if (!live) return [];
  const question = { text: live.question, steps: live.right.map((right) => ({ right })) };
  return [{ sentences: live.sentences.map((text) => ({ text })), steps: [], questions: [question] }];
}

function json(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

/** What cannot be drawn is said in one line in its place. */
function startOrSay() {
  try {
    start();
  } catch (error) {
    const line = document.createElement("p");
    line.setAttribute("role", "alert");
    line.textContent = error.message;
    root.replaceChildren(line);
  }
}

/** Keys act on the stage also while nothing on the page has the focus. */
function passKey(event) {
  if (document.activeElement !== document.body || event.ctrlKey || event.metaKey || event.altKey) return;
  const { key } = event;
  const press = new KeyboardEvent("keydown", { key, cancelable: true });
  root.querySelector(".stage")?.dispatchEvent(press);
  if (press.defaultPrevented) event.preventDefault();
}

startOrSay();
addEventListener("keydown", passKey);
addEventListener("hashchange", startOrSay);
