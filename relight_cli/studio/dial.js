// The dial of the sun: the sky as seen from above. The middle is overhead, the rim the horizon, the camera is below.
const disc = element.querySelector(".dial");
function show() {
    const sun = element.querySelector(".sun");
    const { azimuth, elevation } = props.value;
    const far = 90 * Math.min(1, (90 - elevation) / 90), turn = (azimuth * Math.PI) / 180;
    sun.setAttribute("cx", 100 + far * Math.sin(turn));
    sun.setAttribute("cy", 100 + far * Math.cos(turn));
    sun.classList.toggle("low", elevation < 0);
}
function take(event) {
    const box = disc.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 200 - 100;
    const y = ((event.clientY - box.top) / box.height) * 200 - 100;
    const far = Math.min(1, Math.hypot(x, y) / 90);
    const azimuth = far < 0.02 ? props.value.azimuth : Math.round((Math.atan2(x, y) * 180) / Math.PI);
    props.value = { azimuth, elevation: Math.round(90 * (1 - far)) };
    show();
}
element.addEventListener("pointerdown", (event) => {
    if (!event.target.closest(".dial")) return;
    event.preventDefault();
    take(event);
    const move = (moved) => take(moved);
    const stop = () => {
        window.removeEventListener("pointermove", move);
        window.removeEventListener("pointerup", stop);
        window.removeEventListener("pointercancel", stop);
        trigger("release");
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", stop);
    window.addEventListener("pointercancel", stop);
});
watch("value", show);
show();
