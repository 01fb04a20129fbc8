/** Starts the stage of a page that holds its payload, and maybe the model, as JSON. */

import { makeEngine } from "engine";
import { mount } from "stage";

const json = (id) => JSON.parse(document.getElementById(id).textContent);
const payload = json("payload");
const data = json("engine");
const wanted = new URLSearchParams(location.hash.slice(1));

function start() {
  const engine = data && makeEngine(data.model, data.probes, payload);
  const step = wanted.has("step") ? Number(wanted.get("step")) : 0;
  mount(document.getElementById("stage"), payload, { engine, step, autoplay: !wanted.has("step") });
}

try {
  start();
} catch (error) {
  const line = document.createElement("p");
  line.setAttribute("role", "alert");
  line.textContent = error.message;
  document.getElementById("stage").replaceChildren(line);
}
