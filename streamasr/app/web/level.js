// The sound of the last seconds as bars, one for the loudest sample of each block.

const canvas = document.getElementById("level");
let bars = [];

function draw() {
  const dot = devicePixelRatio;
  canvas.width = canvas.clientWidth * dot; // this clears it too
  canvas.height = canvas.clientHeight * dot;
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(canvas).color;
  bars.forEach((peak, i) => {
    const height = 2 * dot + Math.sqrt(Math.min(1, peak)) * (canvas.height - 2 * dot);
    const left = canvas.width - (bars.length - i) * 4 * dot;
    context.fillRect(left, (canvas.height - height) / 2, 2.5 * dot, height);
  });
}

export const level = {
  push(peak) {
    bars = [...bars.slice(-249), peak];
    draw();
  },
  clear() {
    bars = [];
    draw();
  },
};
