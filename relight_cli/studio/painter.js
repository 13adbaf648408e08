// Paints on a photo. The painting is sent as a PNG of the preview's size, whose opaque pixels are the mask.
const painting = document.createElement("canvas");
let photo = "", last = null;
const at = (name) => element.querySelector(name);
function draw() {
    const view = at("canvas");
    view.width = painting.width;
    view.height = painting.height;
    view.getContext("2d").drawImage(painting, 0, 0);
}
function show() {
    const { src, width, height } = props.value ?? {};
    if (!src) return;
    if (src !== photo) {
        photo = src;
        painting.width = width;
        painting.height = height;
    }
    if (at("img").getAttribute("src") !== src) at("img").src = src;
    draw();
}
function send() {
    props.value = { ...props.value, painting: painting.toDataURL("image/png") };
    show();
    trigger("release");
}
function place(event) {
    const box = at("canvas").getBoundingClientRect();
    return [
        ((event.clientX - box.left) / box.width) * painting.width,
        ((event.clientY - box.top) / box.height) * painting.height,
    ];
}
function stroke(event) {
    const pen = painting.getContext("2d"), [x, y] = place(event);
    pen.globalCompositeOperation = at(".erase").checked ? "destination-out" : "source-over";
    pen.strokeStyle = "#ffb000";
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = (at(".size").value / 100) * Math.max(painting.width, painting.height);
    pen.beginPath();
    pen.moveTo(...(last ?? [x, y]));
    pen.lineTo(x, y);
    pen.stroke();
    last = [x, y];
    draw();
}
element.addEventListener("pointerdown", (event) => {
    if (event.target !== at("canvas") || !photo) return;
    event.preventDefault();
    stroke(event);
    const stop = () => {
        window.removeEventListener("pointermove", stroke);
        window.removeEventListener("pointerup", stop);
        window.removeEventListener("pointercancel", stop);
        last = null;
        send();
    };
    window.addEventListener("pointermove", stroke);
    window.addEventListener("pointerup", stop);
    window.addEventListener("pointercancel", stop);
});
element.addEventListener("click", (event) => {
    if (!event.target.closest(".clear") || !photo) return;
    painting.getContext("2d").clearRect(0, 0, painting.width, painting.height);
    send();
});
watch("value", show);
show();
