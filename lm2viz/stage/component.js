/** The stage inside the app: draws what the page sends, and tells it where the reader is. */

import { makeEngine } from "engine";
import { mount } from "stage";
import { mountTour } from "tour";

const SETTLE = 400; // ms without a change, before the server is told: it redraws what depends on the place
const stages = new WeakMap(); // by the element that the app gives; it calls again at every redraw

/** @param {{data: object, parentElement: ShadowRoot, setStateValue: Function}} component see st.components.v2 */
export default function draw({ data, parentElement, setStateValue }) {
  const drawn = stages.get(parentElement);
  if (drawn?.id !== data.id) {
    drawn?.stage.destroy();
    stages.set(parentElement, { id: data.id, stage: drawStage(data, parentElement, setStateValue) });
  }
  return () => {
    stages.get(parentElement)?.stage.destroy();
    stages.delete(parentElement);
  };
}

function drawStage({ payload, engine, theme, start }, parentElement, setStateValue) {
  let timer;
  const onChange = ({ step, question, slot }) => {
    clearTimeout(timer);
    timer = setTimeout(() => setStateValue("place", { step, question, slot }), SETTLE);
  };
  const own = engine && makeEngine(engine.model, engine.probes, payload);
  const root = parentElement.querySelector(".stage-root");
  const draw = start.tour ? mountTour : mount;
  return draw(root, payload, { ...start, engine: own, theme, onChange });
}
