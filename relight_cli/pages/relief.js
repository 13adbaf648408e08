// A surface of depth, drawn by WebGL when it is turned.

const VERTEX = `
attribute vec2 place;
attribute float height;
attribute vec2 slope;
uniform vec2 turn;
uniform vec2 shape;
uniform float high;
varying vec2 at;
varying float light;
void main() {
  at = place;
  vec3 p = vec3((place.x - 0.5) * shape.x, (0.5 - place.y) * shape.y, (height - 0.5) * high);
  vec3 n = normalize(vec3(-slope.x * high / shape.x, slope.y * high / shape.y, 1.0));
  float cy = cos(turn.x), sy = sin(turn.x), cx = cos(turn.y), sx = sin(turn.y);
  mat3 rotation = mat3(cy, sx * sy, -cx * sy, 0.0, cx, sx, sy, -sx * cy, cx * cy);
  vec3 q = rotation * p;
  light = 0.55 + 0.45 * max(0.0, dot(rotation * n, normalize(vec3(-0.4, 0.5, 0.8))));
  gl_Position = vec4(q.xy * 1.7, -q.z, 2.4 - q.z);
}`;
const FRAGMENT = `
precision mediump float;
varying vec2 at;
varying float light;
uniform sampler2D picture;
void main() { gl_FragColor = vec4(texture2D(picture, at).rgb * light, 1.0); }`;

function reliefFigure(relief, picture) {
  const made = fromTemplate("relief");
  const canvas = made.querySelector("canvas");
  const slider = made.querySelector("input");
  const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) {
    made.querySelector(".problem").hidden = false;
    canvas.hidden = true;
    slider.parentElement.hidden = true;
    return made;
  }
  const surface = new Surface(gl, relief);
  const turn = { x: -0.5, y: 0.25 };
  const draw = () => surface.draw(canvas, turn, Number(slider.value) / 100);
  const image = new Image();
  image.onload = () => {
    surface.wear(image);
    draw();
  };
  image.src = picture.uri;
  slider.addEventListener("input", draw);
  new ResizeObserver(draw).observe(canvas);
  canvas.style.setProperty("--aspect", Math.max(0.75, Math.min(2, relief.aspect)));
  const move = (x, y) => {
    turn.x = Math.max(-1.3, Math.min(1.3, turn.x + x));
    turn.y = Math.max(-1.3, Math.min(1.3, turn.y + y));
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) move(event.movementX / 150, event.movementY / 150);
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (!by) return;
    event.preventDefault();
    move(...by);
  });
  return made;
}

class Surface {
  constructor(gl, { width, height, numbers, aspect }) {
    this.gl = gl;
    this.shape = aspect > 1 ? [2, 2 / aspect] : [2 * aspect, 2];
    const program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.uniform = (name) => gl.getUniformLocation(program, name);
    const { vertices, triangles } = mesh(width, height, bytes(numbers));
    this.count = triangles.length;
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, vertices, gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.STATIC_DRAW);
    for (const [name, size, offset] of [["place", 2, 0], ["height", 1, 8], ["slope", 2, 12]]) {
      const at = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, gl.FLOAT, false, 20, offset);
    }
    gl.enable(gl.DEPTH_TEST);
  }

  wear(image) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    const most = Math.min(2048, gl.getParameter(gl.MAX_TEXTURE_SIZE));
    const scale = Math.min(1, most / Math.max(image.naturalWidth, image.naturalHeight));
    const small = element("canvas");
    small.width = Math.max(1, Math.round(image.naturalWidth * scale));
    small.height = Math.max(1, Math.round(image.naturalHeight * scale));
    small.getContext("2d").drawImage(image, 0, 0, small.width, small.height);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, small);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    this.isDressed = true;
  }

  draw(canvas, turn, high) {
    if (!this.isDressed) return;
    const { gl } = this;
    canvas.width = Math.round(canvas.clientWidth * window.devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * window.devicePixelRatio);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const ratio = canvas.width / canvas.height;
    const fit = Math.min(1, ratio / (this.shape[0] / this.shape[1])) * (2 / Math.max(...this.shape));
    gl.uniform2f(this.uniform("turn"), turn.x, turn.y);
    gl.uniform2f(this.uniform("shape"), this.shape[0] * fit, this.shape[1] * fit);
    gl.uniform1f(this.uniform("high"), high * 1.6);
    gl.viewport(0, (canvas.height - canvas.width) / 2, canvas.width, canvas.width);
    gl.drawElements(gl.TRIANGLES, this.count, gl.UNSIGNED_SHORT, 0);
  }
}

// Place, height and slope of each vertex; at most 65,536 of them, since an index has 16 bits.
function mesh(width, height, numbers) {
  const at = (column, row) =>
    numbers[Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column))] / 255;
  const vertices = new Float32Array(width * height * 5);
  const triangles = [];
  for (let row = 0, i = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      vertices[i++] = column / Math.max(1, width - 1);
      vertices[i++] = row / Math.max(1, height - 1);
      vertices[i++] = at(column, row);
      vertices[i++] = ((at(column + 1, row) - at(column - 1, row)) / 2) * width;
      vertices[i++] = ((at(column, row + 1) - at(column, row - 1)) / 2) * height;
      if (row && column) {
        const here = row * width + column;
        triangles.push(here - width - 1, here - width, here - 1, here - width, here, here - 1);
      }
    }
  return { vertices, triangles: new Uint16Array(triangles) };
}
