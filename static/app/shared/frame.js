/** One render per animation frame, however many events arrive. */

/** In a hidden tab no animation frame comes; this many milliseconds then stand for one. */
const HIDDEN_FRAME = 250;

/**
 * A function that asks for `render` to run once, with the next frame; further asks until then are free.
 *
 * @param {() => void} render
 */
export function batched(render) {
  let asked = false;
  const run = () => {
    asked = false;
    render();
  };
  return () => {
    if (asked) return;
    asked = true;
    if (document.hidden) setTimeout(run, HIDDEN_FRAME);
    else nextFrame(run);
  };
}

/** The next animation frame, or a timer if the tab is hidden before it comes. @param {() => void} run */
function nextFrame(run) {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    document.removeEventListener("visibilitychange", once);
    run();
  };
  requestAnimationFrame(once);
  document.addEventListener("visibilitychange", once);
}
