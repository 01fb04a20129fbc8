/** The stage inside the app: draws what the page sends, and tells it where the reader is. */

import { makeEngine } from "engine";
import { mount } from "stage";
import { mountTour } from "tour";

const SETTLE = 400; // ms without a change, before the server is told: it redraws what depends on the place
const stages = new WeakMap(); // by the element that the app gives; it calls again at every redraw
let left = null; // story and place of a stage that was taken away: the app may only have moved it

/** @param {{data: object[], parentElement: ShadowRoot, setStateValue: Function}} component see st.components.v2 */
export default function draw({ data: [data], parentElement, setStateValue }) {
  const { story, theme } = stages.get(parentElement) ?? {};
  if (story !== data.story || theme !== data.theme) {
    end(parentElement);
    const teller = makeTeller(setStateValue);
    const stage = drawStage(data, parentElement, teller.tell);
    stages.set(parentElement, { story: data.story, theme: data.theme, stage, teller });
  }
  return () => end(parentElement);
}

function end(parentElement) {
  const drawn = stages.get(parentElement);
  if (!drawn) return;
  clearTimeout(drawn.teller.timer);
  const { step, question, slot, playing } = (drawn.stage.stage ?? drawn.stage).state; // a tour has a stage
  left = { story: drawn.story, place: { step, question, slot, autoplay: playing } };
  drawn.stage.destroy();
  stages.delete(parentElement);
}

/** Tells the server where the reader has come to rest: not while the story plays, nor at every key press. */
function makeTeller(setStateValue) {
  const teller = {
    timer: 0,
    tell({ step, question, slot, playing }) {
      clearTimeout(teller.timer);
      if (!playing) teller.timer = setTimeout(() => setStateValue("place", { step, question, slot }), SETTLE);
    },
  };
  return teller;
}

function drawStage({ story, payload, engine, theme, start }, parentElement, onChange) {
  const own = engine && makeEngine(engine.model, engine.probes, [payload]);
  const place = left?.story === story ? left.place : {};
  const root = parentElement.querySelector(".stage-root");
  const options = { ...start, ...place, engine: own, theme, onChange };
  return start.tour ? mountTour(root, payload, options) : mount(root, payload, options);
}
