// Pointers on a stage: one moves the divider or the picture, two zoom.
class Gestures {
  constructor(viewer) {
    this.viewer = viewer;
    this.pointers = new Map();
    const { stage } = viewer;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"])
      stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
  }

  down(event) {
    if (event.button > 0) return;
    const { viewer } = this;
    this.pointers.set(event.pointerId, event);
    viewer.stage.setPointerCapture(event.pointerId);
    this.divides = viewer.mode === "slider" && (!viewer.isCut() || event.target === viewer.handle);
    (this.divides ? viewer.handle : viewer.stage).focus({ preventScroll: true });
    if (event.pointerType === "mouse") event.preventDefault();
    if (this.divides && event.pointerType === "mouse") this.divide(event);
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (others.length) this.pinch(before, event, others[0]);
    else if (this.divides) this.divide(event);
    else this.viewer.pan(event.clientX - before.clientX, event.clientY - before.clientY);
  }

  divide(event) {
    const { viewer } = this;
    const box = viewer.panes.right.getBoundingClientRect();
    viewer.moveDivider(((event.clientX - box.left - viewer.span.from) / viewer.span.width) * 100);
  }

  pinch(before, now, other) {
    const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const middle = {
      clientX: (now.clientX + other.clientX) / 2,
      clientY: (now.clientY + other.clientY) / 2,
      target: now.target,
    };
    this.viewer.zoomTo((this.viewer.current() * distance(now)) / distance(before), this.viewer.fromMiddle(middle));
    this.viewer.pan((now.clientX - before.clientX) / 2, (now.clientY - before.clientY) / 2);
  }
}
