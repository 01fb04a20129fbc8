/** Keys: left and right step, space plays, up and down go from slot to slot, Escape closes the card. */

const ONES_OWN_ARROWS = "input, select, textarea";
const ONES_OWN_SPACE = "input, select, textarea, summary, button:not(.slot)";

/**
 * @param {KeyboardEvent} event
 * @param {{move: (by: number) => void, toggle: () => void, nextSlot: (slot: number, by: number) => void,
 *   closeCard: () => void}} stage
 */
export function onKeys(event, stage) {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  const action = actionOf(event, stage);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf({ key, target }, stage) {
  if (key === "Escape") return () => stage.closeCard();
  if (key === " " && !target.matches(ONES_OWN_SPACE)) return () => stage.toggle();
  if (target.matches(ONES_OWN_ARROWS)) return null;
  if (key === "ArrowRight") return () => stage.move(1);
  if (key === "ArrowLeft") return () => stage.move(-1);
  if (!target.matches(".slot")) return null;
  if (key === "ArrowDown") return () => stage.nextSlot(Number(target.dataset.slot), 1);
  if (key === "ArrowUp") return () => stage.nextSlot(Number(target.dataset.slot), -1);
  return null;
}
